# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Top.Table do
  @moduledoc false

  # The running programs as lines of text, those with the most CPU time first.

  alias MuonTrap.Top.Text

  @typedoc "The CPU time of each session's program at a time, in microseconds."
  @type sample :: %{at: integer(), cpu_us: %{optional(pos_integer()) => non_neg_integer() | nil}}

  @type size :: {rows :: pos_integer(), columns :: pos_integer()}

  # Lines that are not programs: the summary, the titles, and the line of the cursor.
  @other_lines 3

  @least_command_width 16

  # What is left out of a line that is too short, in this order.
  @optional [:cgroup, :session, :owner, :input, :output, :uptime, :program, :memory]

  @columns [
    cpu: {"CPU%", :right, 6},
    memory: {"MEM", :right, 6},
    uptime: {"UPTIME", :right, 6},
    input: {"IN", :right, 6},
    output: {"OUT", :right, 6},
    program: {"PID", :right, 10},
    session: {"SESSION", :right, 10},
    owner: {"OWNER", :left, 20},
    cgroup: {"CGROUP", :left, 24}
  ]

  @doc "The CPU time until now, for `lines/4`."
  @spec sample([MuonTrap.program()]) :: sample()
  def sample(programs) do
    cpu = Map.new(programs, &{&1.os_pid, &1.cpu_us})
    %{at: System.monotonic_time(:microsecond), cpu_us: cpu}
  end

  @doc """
  The lines, without newlines. CPU time is that since the previous sample, or since the start of a program that is not in
  it. Without a size, lines are as long as needed.
  """
  @spec lines([MuonTrap.program()], sample(), sample() | nil, size() | nil) :: [String.t()]
  def lines(programs, sample, previous, size) do
    cells =
      programs
      |> Enum.map(&{percent(&1, sample, previous), &1})
      |> Enum.sort_by(fn {percent, _program} -> percent || -1 end, :desc)
      |> Enum.map(fn {percent, program} -> cells(program, percent) end)

    {shown, hidden} = Enum.split(cells, room(size, length(cells)))
    columns = columns(cells, size)

    [cut(summary(programs, cells), size), line(titles(), columns, size)] ++
      Enum.map(shown, &line(&1, columns, size)) ++ more(length(hidden))
  end

  defp percent(%{cpu_us: nil}, _sample, _previous), do: nil

  defp percent(program, sample, previous) do
    case previous && previous.cpu_us[program.os_pid] do
      nil -> share(program.cpu_us, 1000 * program.uptime_ms)
      # Less than before if a descendant has ended whose parent has not waited for it.
      last -> share(max(program.cpu_us - last, 0), sample.at - previous.at)
    end
  end

  defp share(cpu_us, time_us), do: 100 * cpu_us / max(time_us, 1)

  defp cells(program, percent) do
    %{
      percent: percent,
      cpu: Text.percent(percent),
      memory: Text.bytes(program.memory_bytes),
      uptime: Text.duration(program.uptime_ms),
      input: Text.bytes(program.input_bytes),
      output: Text.bytes(program.stdout_bytes + program.stderr_bytes),
      program: "#{program.program_os_pid}",
      session: "#{program.os_pid}",
      owner: owner(program.owner),
      cgroup: Text.printable(program.cgroup_path || "-"),
      command: [program.command | program.args] |> Enum.join(" ") |> Text.printable()
    }
  end

  defp owner(pid) do
    case Process.info(pid, :registered_name) do
      {:registered_name, name} when name != [] -> Text.printable(inspect(name))
      _no_name -> List.to_string(:erlang.pid_to_list(pid))
    end
  end

  defp titles do
    for(
      {name, {title, _side, _width}} <- @columns,
      into: %{command: "COMMAND"},
      do: {name, title}
    )
  end

  defp summary(programs, cells) do
    processes = sum(programs, & &1.processes)
    percent = sum(cells, & &1.percent)
    memory = sum(programs, & &1.memory_bytes)

    "#{node()}: #{count(length(programs), "program")}, #{count(processes, "process", "processes")}, " <>
      "#{Text.percent(percent)}% CPU, #{Text.bytes(memory)} memory"
  end

  defp sum(list, value), do: list |> Enum.map(&(value.(&1) || 0)) |> Enum.sum()

  defp count(number, one, many \\ nil)
  defp count(1, one, _many), do: "1 #{one}"
  defp count(number, one, many), do: "#{number} #{many || one <> "s"}"

  # How many programs fit on the screen, with a line for those that do not.
  defp room(nil, count), do: count

  defp room({rows, _columns}, count) do
    room = max(rows - @other_lines, 1)
    if count <= room, do: count, else: max(room - 1, 0)
  end

  defp more(0), do: []
  defp more(count), do: ["and #{count} more"]

  # The columns before the command that fit, with the width that their cells need.
  defp columns(cells, size) do
    widths =
      for {name, {title, side, most}} <- @columns do
        longest = cells |> Enum.map(&Text.width(Map.fetch!(&1, name))) |> Enum.max(fn -> 0 end)
        {name, {side, longest |> min(most) |> max(String.length(title))}}
      end

    without_cgroups? = Enum.all?(cells, &(&1.cgroup == "-"))
    widths = if without_cgroups?, do: Keyword.delete(widths, :cgroup), else: widths
    fit(widths, @optional, size)
  end

  defp fit(widths, _optional, nil), do: widths
  defp fit(widths, [], _size), do: widths

  defp fit(widths, [next | optional], {_rows, columns} = size) do
    used = widths |> Enum.map(fn {_name, {_side, width}} -> width + 1 end) |> Enum.sum()

    if used + @least_command_width < columns,
      do: widths,
      else: widths |> Keyword.delete(next) |> fit(optional, size)
  end

  defp line(cells, columns, size) do
    columns
    |> Enum.map(fn {name, {side, width}} -> [pad(Map.fetch!(cells, name), side, width), " "] end)
    |> then(&IO.iodata_to_binary([&1, cells.command]))
    |> cut(size)
  end

  defp pad(text, side, width) do
    text = Text.cut(text, width)
    spaces = String.duplicate(" ", width - Text.width(text))
    if side == :right, do: [spaces, text], else: [text, spaces]
  end

  # One less than the width of the terminal: in the last column, some terminals begin a new line.
  defp cut(line, nil), do: line
  defp cut(line, {_rows, columns}), do: Text.cut(line, columns - 1)
end
