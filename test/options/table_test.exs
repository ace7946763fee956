# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OptionsTableTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Options
  alias MuonTrap.Options.{Docs, Table, Type, Typespec}

  # The options in a type of MuonTrap.Options, and the other types in it.
  defp options_in(type) do
    {:ok, types} = Code.Typespec.fetch_types(Options)

    {:type, {^type, {:type, _, :union, members}, []}} =
      Enum.find(types, &match?({:type, {^type, _, _}}, &1))

    names = for {:type, _, :tuple, [{:atom, _, name}, _value]} <- members, do: name
    {Enum.sort(names), for({:user_type, _, name, []} <- members, do: name)}
  end

  test "each function has a type with its options" do
    types = %{
      cmd: :cmd_option,
      run: :cmd_option,
      shell: :shell_option,
      stream: :stream_option,
      stream!: :stream_bang_option,
      daemon: :daemon_option,
      process: :process_option
    }

    {common, []} = options_in(:common_option)

    for context <- Table.contexts() do
      assert {names, [:common_option]} = options_in(Map.fetch!(types, context))
      assert Enum.sort(names ++ common) == Enum.sort(Table.names(context))
    end

    assert {[], others} = options_in(:option)
    assert Enum.sort(others) == types |> Map.values() |> Enum.uniq() |> Enum.sort()
  end

  test "the struct has every option of the table with its default" do
    options = Options.new(:cmd, "echo", [], [])

    # Other options have a say about the streams.
    for row <- Table.rows(), row.name not in [:cgroup, :stdout, :stderr] do
      assert Map.fetch!(options, row.name) == row.default
    end
  end

  test "a function may have a default of its own" do
    assert Options.new(:stream, "echo", [], []).stdio_window == 262_144
    assert Options.new(:stream!, "echo", [], stdio_window: 1).stdio_window == 1

    assert Docs.options(:cmd) =~
             "The default is `10_240`, and `262_144` for `MuonTrap.stream/3`, `MuonTrap.stream!/3` and"
  end

  test "the fields of START are those of the protocol" do
    fields =
      for [_line, number, name] <-
            Regex.scan(~r/^\| (\d+) \| `(\w+)` \|/m, File.read!("docs/protocol.md")),
          do: {String.to_integer(number), name}

    rows = Enum.filter(Table.rows(), & &1.field)
    numbers = Enum.map(rows, &elem(&1.field, 0))
    assert numbers == Enum.uniq(numbers)
    for row <- rows, do: assert({elem(row.field, 0), Atom.to_string(row.name)} in fields)
  end

  test "the documentation has each option and its default once" do
    for context <- Table.contexts() do
      items = Regex.scan(~r/^  \* `:(\w+)` - (.*)/m, Docs.options(context))
      assert Enum.map(items, &Enum.at(&1, 1)) == Enum.map(Table.names(context), &"#{&1}")

      for {[_item, _name, text], row} <- Enum.zip(items, Table.rows(context)) do
        default = String.replace("`#{inspect(row.default)}`", "_", "")
        shown = text |> String.replace("_", "") |> String.contains?(default)
        assert shown or row.default == nil or is_binary(row.default)
        refute text =~ ~r/\.$/
      end
    end
  end

  test "the options of a function can be documented as those of another" do
    assert Docs.options(:run, :cmd) == "Those of `MuonTrap.cmd/3`."

    assert "Those of `MuonTrap.cmd/3` except `:into` and `:use_stdio`, and these:\n\n  * `:max_chunk_bytes`" <>
             _items = Docs.options(:stream!, :cmd)

    assert Docs.options(:daemon, :cmd) =~
             ~r/\AThose of `MuonTrap.cmd\/3` except `:into`, `:lines`, .* and `:max_output_bytes`, and these:\n\n  \* `:name`/
  end

  describe "a type" do
    @seconds {:integer, 1, 60, "a number of seconds"}
    @signal {:custom, Options.Signals, :signal}
    @steps {:list, {:tuple, [@signal, @seconds], "{signal, seconds}"}, "a list of steps"}
    @size {:keys, :keyword, "dimension",
           [{:rows, @seconds, "height"}, {:columns, @seconds, "width"}]}

    test "may be a list of tuples" do
      assert Type.parse(@steps, [{:sigint, 5}, {15, 1}]) == {:ok, [{"SIGINT", 5}, {15, 1}]}
      assert Type.parse(@steps, []) == {:ok, []}

      for value <- [
            [{:sigint, 0}],
            [{:sigint}],
            [:sigint],
            {:sigint, 5},
            [{:sigint, 5} | 1],
            "",
            1
          ] do
        assert Type.parse(@steps, value) ==
                 {:error, "expected a list of steps, where each is {signal, seconds}"}
      end
    end

    test "may be a keyword list with keys of its own" do
      assert Type.parse(@size, rows: 24, columns: 60) == {:ok, %{rows: 24, columns: 60}}

      assert Type.parse(@size, rows: 0) ==
               {:error, "the dimension :rows takes a number of seconds from 1 to 60"}

      assert Type.parse(@size, row: 1) ==
               {:error, "there is no dimension :row. Did you mean :rows?"}

      assert Type.parse(@size, %{rows: 1}) ==
               {:error, "expected a list of dimensions such as [rows: ...]"}
    end

    test "has a typespec for the given and for the parsed value" do
      shown = fn type, stage -> type |> Typespec.typespec(stage) |> Macro.to_string() end
      assert shown.(@steps, :given) == "[{1..64 | atom() | String.t(), 1..60}]"
      assert shown.(@steps, :parsed) == "[{1..64 | String.t(), 1..60}]"
      assert shown.(@size, :given) == "[{:rows, 1..60} | {:columns, 1..60}]"
      assert shown.(@size, :parsed) =~ "optional(:rows) => 1..60"
    end
  end
end
