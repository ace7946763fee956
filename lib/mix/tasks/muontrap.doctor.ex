# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Muontrap.Doctor do
  @shortdoc "Checks which features work on this host, and how to fix the rest"

  @moduledoc """
  Checks which MuonTrap features work on this host for this user, and prints the commands or files
  that fix the rest.

      mix muontrap.doctor [--need CONTROLLERS] [--base PATH] [--probe] [--json]

  The task checks Elixir, OTP, the helper and the application. The helper checks the rest: kernel,
  users, processes and cgroups. Run it as the same user and in the same container or systemd unit as
  the application, since the results depend on them. In a release there is no Mix:
  `muontrap doctor` does all but the first part there, and `MuonTrap.muontrap_path/0` is the path of
  `muontrap`.

  ## Options

    * `--need` - controllers as in `:cgroup_controllers`, with commas: `--need memory,cpu`
    * `--base` - the cgroup as in `:cgroup_base`; by default one that works, if there is any
    * `--probe` - also makes such a cgroup, moves a process into it, and removes it again. Controllers
      that this enabled in `cgroup.subtree_control` of existing groups stay enabled. Without this
      option nothing is changed
    * `--json` - prints one line of JSON instead of text. Compile the project first, or Mix prints
      its own lines before it

  ## Exit status

    * 0 - what `--need` and `--base` ask for would work; without them, programs can be run and
      contained
    * 1 - it would not, or the helper or the application cannot be started
    * 125 - a usage error

  The page "The doctor" explains the report and the JSON.
  """

  use Mix.Task

  alias MuonTrap.{Error, Helper}

  # As the helper's own checks.
  @typep check :: %{
           name: String.t(),
           status: :ok | :fail,
           found: String.t(),
           fix: String.t() | nil
         }

  @usage_error 125

  @impl Mix.Task
  @spec run([String.t()]) :: :ok
  def run(args) do
    json? = "--json" in args
    configure(json?)
    {helper, helper_check} = helper()
    checks = [versions(), helper_check, application()]
    {output, status} = ask(helper, args)

    if status == @usage_error do
      IO.write(:stderr, output)
    else
      IO.write(if json?, do: json(checks, output, status), else: text(checks, output))
    end

    case worst(checks, status) do
      0 -> :ok
      status -> exit({:shutdown, status})
    end
  end

  # This may compile the helper, and loads the configuration, which may have its path.
  defp configure(quiet?) do
    shell = Mix.shell()
    if quiet?, do: Mix.shell(Mix.Shell.Quiet)
    Mix.Task.run("app.config")
    Mix.shell(shell)
  end

  @spec versions() :: check()
  defp versions do
    found =
      "Elixir #{System.version()}, OTP #{System.otp_release()}, ERTS " <>
        "#{:erlang.system_info(:version)}"

    if String.to_integer(System.otp_release()) >= 25,
      do: ok("BEAM", found),
      else: fail("BEAM", found, "use OTP 25 or newer")
  end

  @spec helper() :: {Path.t() | nil, check()}
  defp helper do
    with {:ok, path} <- Helper.find(),
         :ok <- Helper.check(path),
         path = Path.expand(path),
         {:ok, version} <- version(path) do
      compare(path, version)
    else
      {:error, error} -> {nil, fail("helper", message(error), error.advice)}
    end
  rescue
    error in ArgumentError -> {nil, fail("helper", Exception.message(error), nil)}
  end

  defp version(path) do
    case System.cmd(path, ["--version"], stderr_to_stdout: true) do
      {"muontrap " <> version, 0} -> {:ok, String.trim(version)}
      {_output, _status} -> {:error, not_the_helper(path)}
    end
  rescue
    error in ErlangError -> {:error, Helper.start_error(path, error.original)}
  end

  defp not_the_helper(path) do
    %Error{
      step: :helper,
      path: path,
      message: "this is not the helper, or it was built for another system",
      advice: "mix compile --force builds it for this system"
    }
  end

  defp compare(path, version) do
    case to_string(Application.spec(:muontrap, :vsn)) do
      ^version ->
        {path, ok("helper", "#{path}, #{version}")}

      other ->
        found = "#{path} is #{version}, and MuonTrap is #{other}"
        {nil, fail("helper", found, "mix compile --force")}
    end
  end

  @spec application() :: check()
  defp application do
    case Application.ensure_all_started(:muontrap) do
      {:ok, _started} -> ok("application", ":muontrap starts")
      {:error, reason} -> fail("application", ":muontrap cannot start: #{inspect(reason)}", nil)
    end
  end

  defp ask(nil, _args), do: {nil, 0}
  defp ask(helper, args), do: System.cmd(helper, ["doctor" | args], stderr_to_stdout: true)

  defp worst(checks, status) do
    if status == 0 and Enum.any?(checks, &(&1.status == :fail)), do: 1, else: status
  end

  defp ok(name, found), do: %{name: name, status: :ok, found: found, fix: nil}
  defp fail(name, found, fix), do: %{name: name, status: :fail, found: found, fix: fix}

  # The advice is printed on a line of its own.
  defp message(error), do: Exception.message(%{error | advice: nil})

  defp text(checks, output), do: [Enum.map(checks, &line/1), ?\n, output || ""]

  defp line(check) do
    status = String.pad_trailing(to_string(check.status), 5)
    fix = if check.fix, do: [String.duplicate(" ", 20), check.fix, ?\n], else: []
    [status, ?\s, String.pad_trailing(check.name, 13), ?\s, check.found, ?\n, fix]
  end

  # Elixir has no JSON before 1.18. The helper's output is JSON already.
  defp json(checks, output, status) do
    works = to_string(worst(checks, status) == 0)
    checks = Enum.map_join(checks, ",", &json_check/1)
    helper = if output, do: String.trim(output), else: "null"
    ~s({"works":#{works},"beam":{"checks":[#{checks}]},"helper":#{helper}}\n)
  end

  defp json_check(check) do
    fix = if check.fix, do: ~s({"place":"here","do":#{json_string(check.fix)}}), else: ""

    ~s({"name":#{json_string(check.name)},"status":"#{check.status}",) <>
      ~s("found":#{json_string(check.found)},"fix":[#{fix}]})
  end

  defp json_string(text), do: [?", text |> String.codepoints() |> Enum.map(&escape/1), ?"]

  defp escape(char) when char in ["\"", "\\"], do: "\\" <> char

  defp escape(<<control>>) when control < 0x20,
    do: "\\u" <> String.pad_leading(Integer.to_string(control, 16), 4, "0")

  defp escape(char), do: if(String.valid?(char), do: char, else: "\uFFFD")
end
