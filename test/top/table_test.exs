# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.TopTableTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Top.{Table, Text}

  @sample %{at: 3_000_000, cpu_us: %{}}

  defp program(fields) do
    Map.merge(
      %{
        kind: :daemon,
        command: "sleep",
        args: ["1000"],
        owner: self(),
        os_pid: 11,
        program_os_pid: 12,
        cgroup_path: nil,
        uptime_ms: 2_000,
        stdout_bytes: 0,
        stderr_bytes: 0,
        input_bytes: 0,
        cpu_us: 0,
        memory_bytes: 1024,
        processes: 1
      },
      Map.new(fields)
    )
  end

  defp commands(lines),
    do: lines |> Enum.drop(2) |> Enum.map(&(&1 |> String.split() |> List.last()))

  test "without programs, there are the titles" do
    assert [summary, titles] = Table.lines([], @sample, nil, {24, 80})
    assert summary == "#{node()}: 0 programs, 0 processes, 0.0% CPU, 0 memory"
    assert titles == "CPU% MEM UPTIME IN OUT PID SESSION OWNER COMMAND"
  end

  test "a program" do
    program = program(cpu_us: 500_000, input_bytes: 5, stdout_bytes: 2000, stderr_bytes: 48)
    assert [summary, titles, line] = Table.lines([program], @sample, nil, nil)
    assert summary == "#{node()}: 1 program, 1 process, 25.0% CPU, 1.0K memory"
    owner = List.to_string(:erlang.pid_to_list(self()))
    assert String.split(titles) == ~w(CPU% MEM UPTIME IN OUT PID SESSION OWNER COMMAND)
    assert String.split(line) == ~w(25.0 1.0K 2s 5 2.0K 12 11 #{owner} sleep 1000)
  end

  test "the name of an owner, and a cgroup, are there if there are any" do
    Process.register(self(), __MODULE__)
    [_, titles, line] = Table.lines([program(cgroup_path: "a/b")], @sample, nil, nil)
    assert titles =~ "CGROUP"
    assert line =~ ~r" MuonTrap.TopTableTes a/b +sleep 1000$"
  end

  test "those with the most CPU time since the previous sample come first" do
    programs = [
      program(os_pid: 1, args: ["old"], cpu_us: 9_000_000),
      program(os_pid: 2, args: ["busy"], cpu_us: 3_500_000),
      program(os_pid: 3, args: ["unknown"], cpu_us: nil, memory_bytes: nil, processes: nil),
      program(os_pid: 4, args: ["new"], cpu_us: 200_000),
      program(os_pid: 5, args: ["less"], cpu_us: 1)
    ]

    previous = %{at: 1_000_000, cpu_us: %{1 => 8_900_000, 2 => 500_000, 5 => 2}}
    [summary, _titles | lines] = all = Table.lines(programs, @sample, previous, {24, 80})
    assert commands(all) == ~w(busy new old less unknown)
    assert Enum.map(lines, &hd(String.split(&1))) == ~w(150.0 10.0 5.0 0.0 -)
    assert summary =~ "5 programs, 4 processes, 165.0% CPU, 4.0K memory"
  end

  test "a sample has the CPU time of each session" do
    assert %{cpu_us: %{1 => 5, 2 => nil}} =
             Table.sample([program(os_pid: 1, cpu_us: 5), program(os_pid: 2, cpu_us: nil)])
  end

  test "lines fit the width" do
    long =
      program(
        args: [String.duplicate("x", 300)],
        cgroup_path: "base/" <> String.duplicate("c", 50)
      )

    for columns <- 1..200 do
      lines = Table.lines([long], @sample, nil, {24, columns})
      assert Enum.all?(lines, &(String.length(&1) < columns))
    end

    title = fn columns ->
      [_, titles, _] = Table.lines([long], @sample, nil, {24, columns})
      String.split(titles)
    end

    assert "CGROUP" in title.(120)
    assert title.(80) == ~w(CPU% MEM UPTIME IN OUT PID SESSION OWNER COMMAND)
    assert title.(30) == ~w(CPU% MEM COMMAND)
  end

  test "programs for which there is no line are counted" do
    programs = for number <- 1..30, do: program(os_pid: number)
    lines = Table.lines(programs, @sample, nil, {24, 80})
    assert length(lines) == 23
    assert List.last(lines) == "and 10 more"
    assert length(Table.lines(Enum.take(programs, 21), @sample, nil, {24, 80})) == 23
    assert [_summary, _titles, "and 30 more"] = Table.lines(programs, @sample, nil, {1, 80})
  end

  test "what a terminal would obey is escaped" do
    program = program(command: "a\e[2J\xFFé", args: ["b\nc", "\u009b", "日本"])
    [_, _, line] = Table.lines([program], @sample, nil, nil)
    assert String.ends_with?(line, "a\\x{1B}[2J\\xFFé b\\nc \\x{9B} 日本")
    assert Text.width("é日本") == 5
    assert Text.cut("日本", 3) == "日"
  end

  test "numbers are short" do
    for {number, text} <- [
          {nil, "-"},
          {0, "0"},
          {999, "999"},
          {1000, "1.0K"},
          {10_188, "9.9K"},
          {10_200, "10K"},
          {1_023_400, "999K"},
          {1_023_600, "1.0M"},
          {5 * 1024 * 1024 * 1024, "5.0G"}
        ],
        do: assert(Text.bytes(number) == text)

    for {ms, text} <- [
          {999, "0s"},
          {59_999, "59s"},
          {65_000, "1m05s"},
          {3_600_000, "1h00m"},
          {90_000_000, "1d01h"}
        ],
        do: assert(Text.duration(ms) == text)
  end
end
