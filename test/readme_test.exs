# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ReadmeTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Examples, Needs, OS}

  alias MuonTrap.Test.Cgroup

  # Runs every example in the README and in docs/, and compares its results with those in the text. ExUnit's
  # doctest_file/2 does this for iex> only, and only in newer versions of Elixir.
  #
  # A comment above an example may change this:
  #
  #   * <!-- not run: why --> only checks the syntax, if that is possible
  #   * <!-- run as root --> runs it only as root, to switch users
  #   * <!-- run with cgroups --> runs it only where cgroups can be used

  @moduletag :capture_log

  @root Path.expand("..", __DIR__)
  # test/recipes_test.exs runs the recipes.
  @files ["README.md" | Path.wildcard("docs/**/*.{md,cheatmd}") -- ["docs/recipes.md"]]
  @livebooks Path.wildcard("docs/**/*.livemd")

  @example ~r/^(?:<!-- (?<note>not run|run as root|run with cgroups)[^\n]*-->\n)?```(?<language>elixir|erlang|console)\n(?<code>.*?)^```$/ms

  examples =
    for file <- @files, text = File.read!(Path.join(@root, file)) do
      @external_resource Path.join(@root, file)

      for [{at, _} | groups] <- Regex.scan(@example, text, return: :index) do
        [note, language, code] =
          for {from, size} <- groups,
              do: if(from < 0, do: "", else: binary_part(text, from, size))

        line = text |> binary_part(0, at) |> String.split("\n") |> length()
        %{where: "#{file}:#{line}", note: note, language: language, code: code}
      end
    end

  needs = %{"run as root" => :root, "run with cgroups" => [cgroups: ["memory", "cpu", "pids"]]}

  for example <- List.flatten(examples) do
    @tag needs(Map.get(needs, example.note, []))
    test "the #{example.language} example at #{example.where}" do
      check(unquote(Macro.escape(example)))
    end
  end

  test "there are examples of every kind, and few that are not run" do
    examples = unquote(Macro.escape(List.flatten(examples)))
    assert Enum.frequencies_by(examples, & &1.language) |> map_size() == 3
    assert Enum.count(examples, &(&1.note == "not run")) <= 4
  end

  for file <- @livebooks do
    @external_resource Path.join(@root, file)

    test "the cells of #{file}, from top to bottom" do
      for cell <- cells(unquote(file)), not (cell =~ "Mix.install"), reduce: [] do
        bindings ->
          {_value, bindings} = Code.eval_string(cell, bindings, file: unquote(file))
          bindings
      end
    end
  end

  test "the README has at most 1,200 words" do
    assert @root |> Path.join("README.md") |> File.read!() |> String.split() |> length() <= 1200
  end

  # The problem that the README shows with ping, which is not installed everywhere.
  @tag :tmp_dir
  test "a program outlives the caller of System.cmd/3, but not that of MuonTrap.cmd/3", %{
    tmp_dir: folder
  } do
    for {name, run, outlives?} <- [
          {"system", &System.cmd/3, true},
          {"muontrap", &MuonTrap.cmd/3, false}
        ] do
      file = Path.join(folder, name)
      caller = spawn(fn -> run.("sh", ["-c", "echo $$ > '#{file}'; exec sleep 1000"], []) end)
      program = await_pid(file)
      Process.exit(caller, :kill)

      if outlives? do
        # It goes on for ever, so the test only waits for the end of the caller.
        wait_until(fn -> not Process.alive?(caller) end)
        assert alive?(program)
        kill(program, "KILL")
      end

      await_gone(program)
    end
  end

  # Checking

  defp cells(file) do
    text = @root |> Path.join(file) |> File.read!()

    for [cell] <- Regex.scan(~r/^```elixir\n(.*?)^```$/ms, text, capture: :all_but_first),
        do: cell
  end

  defp check(%{note: "not run", language: "elixir"} = example) do
    for {code, _result} <- iex(example.code), do: Code.string_to_quoted!(code)
  end

  defp check(%{note: "not run"}), do: :ok

  defp check(%{note: "run with cgroups"} = example) do
    there? = Cgroup.directories("muontrap") != []

    check(%{example | note: ""})
    if not there?, do: Cgroup.remove("muontrap")
  end

  defp check(%{language: "elixir"} = example) do
    if example.code =~ "iex>",
      do: run(example.code, [], example.where),
      else: Code.string_to_quoted!(example.code)
  end

  defp check(%{language: "erlang"} = example) do
    bindings = :erl_eval.new_bindings()
    Enum.reduce(sessions(example.code, ~r/^\d+> /m), bindings, &erlang/2)
  end

  defp check(%{language: "console"} = example) do
    folder = Path.join(System.tmp_dir!(), marker())
    File.mkdir!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)
    File.ln_s!(MuonTrap.muontrap_path(), Path.join(folder, "muontrap"))
    path = folder <> ":" <> System.fetch_env!("PATH")

    for {command, output} <- sessions(example.code, ~r/^\$ /m) do
      # Not the last command, which the shell would execute in place of itself.
      {actual, _status} =
        System.cmd("sh", ["-c", command <> "\nexit $?"],
          env: [{"PATH", path}],
          stderr_to_stdout: true
        )

      assert String.trim_trailing(actual) == output, "#{example.where}: #{command}\n#{actual}"
    end
  end

  defp erlang({code, expected}, bindings) do
    {:value, value, bindings} = :erl_eval.exprs(parse(code), bindings)

    if expected != "" do
      {:value, expected, _} = :erl_eval.exprs(parse(expected <> "."), :erl_eval.new_bindings())
      assert value == expected
    end

    bindings
  end

  defp parse(code) do
    {:ok, tokens, _} = code |> String.to_charlist() |> :erl_scan.string()
    {:ok, expressions} = :erl_parse.parse_exprs(tokens)
    expressions
  end
end
