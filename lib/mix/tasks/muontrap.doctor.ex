# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Muontrap.Doctor do
  @shortdoc "Says what works on this host, and what mends what does not"

  @moduledoc """
  Says what of MuonTrap works on this host for this user, what does not, and which command or file
  mends it.

      mix muontrap.doctor [--need CONTROLLERS] [--base PATH] [--probe] [--json]

  It looks at Elixir and OTP, the helper and the application here, and then lets the helper look at
  the rest: kernel, users, processes, and cgroups of any kind. Run it as the same user, in the same
  container or systemd unit as the application, for all of these matter. Where there is no Mix, as
  in a release, `muontrap doctor` does all but the first part; `MuonTrap.muontrap_path/0` says where
  that is.

  ## Options

    * `--need` - controllers as in `:cgroup_controllers`, with commas: `--need memory,cpu`
    * `--base` - the cgroup as in `:cgroup_base`; by default one that works, if there is any
    * `--probe` - also runs a program in such a cgroup, and removes it again. Controllers that had to
      be passed on in `cgroup.subtree_control` of groups that were there stay so. Without this option
      nothing is changed
    * `--json` - prints one line of JSON instead of text. Compile the project first, or Mix says in
      front of it that it does

  ## Exit status

    * 0 - what `--need` and `--base` ask for would work; without them, programs can be run and
      contained
    * 1 - it would not, or the helper or the application cannot be started
    * 125 - the options make no sense

  The page "The doctor" explains the report, and describes the JSON.
  """

  use Mix.Task

  alias MuonTrap.{Error, Helper}

  # What is found of the BEAM, in the form of the helper's own checks.
  @typep check :: %{
           name: String.t(),
           status: :ok | :fail,
           found: String.t(),
           mend: String.t() | nil
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

  # The helper may have to be built, and its path may be configured.
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
      {_output, _status} -> {:error, not_ours(path)}
    end
  rescue
    error in ErlangError -> {:error, Helper.start_error(path, error.original)}
  end

  defp not_ours(path) do
    %Error{
      step: :helper,
      path: path,
      message: "this is not the helper, or it was built for another system",
      advice:
        "mix compile --force builds it, on the system and for the system that it is to run on"
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

  defp ok(name, found), do: %{name: name, status: :ok, found: found, mend: nil}
  defp fail(name, found, mend), do: %{name: name, status: :fail, found: found, mend: mend}

  # The advice has a line of its own.
  defp message(error), do: Exception.message(%{error | advice: nil})

  defp text(checks, output), do: [Enum.map(checks, &line/1), ?\n, output || ""]

  defp line(check) do
    status = String.pad_trailing(to_string(check.status), 5)
    mend = if check.mend, do: ["      ", String.duplicate(" ", 14), check.mend, ?\n], else: []
    [status, ?\s, String.pad_trailing(check.name, 13), ?\s, check.found, ?\n, mend]
  end

  # By hand, as Elixir has no JSON before 1.18. What the helper says is JSON already.
  defp json(checks, output, status) do
    works = to_string(worst(checks, status) == 0)
    checks = Enum.map_join(checks, ",", &json_check/1)
    helper = if output, do: String.trim(output), else: "null"
    ~s({"works":#{works},"beam":{"checks":[#{checks}]},"helper":#{helper}}\n)
  end

  defp json_check(check) do
    mend = if check.mend, do: ~s({"place":"here","do":#{json_string(check.mend)}}), else: ""

    ~s({"name":#{json_string(check.name)},"status":"#{check.status}",) <>
      ~s("found":#{json_string(check.found)},"mend":[#{mend}]})
  end

  defp json_string(text), do: [?", text |> String.codepoints() |> Enum.map(&escape/1), ?"]

  defp escape(char) when char in ["\"", "\\"], do: "\\" <> char

  defp escape(<<control>>) when control < 0x20,
    do: "\\u" <> String.pad_leading(Integer.to_string(control, 16), 4, "0")

  defp escape(char), do: if(String.valid?(char), do: char, else: "\uFFFD")
end
