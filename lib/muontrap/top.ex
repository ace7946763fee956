# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Top do
  @moduledoc false

  # MuonTrap.top/1: shows the running programs again and again.
  #
  # The terminal may be that of another node, to which the group leader of a remote shell belongs. So everything goes
  # through the I/O protocol, which has no way to read a key without Enter.

  alias MuonTrap.{Label, Usage}
  alias MuonTrap.Top.Table

  @default_interval_ms 2_000

  # The longest timeout of `receive`.
  @longest_ms 0xFFFFFFFF

  # The cursor to the first column of the first line.
  @home "\e[H"
  # Clears from the cursor to the end of the line, and of the screen.
  @clear_line "\e[K"
  @clear_below "\e[J"

  @doc "Shows the programs until a line is read. Without a terminal, shows them once."
  @spec run(keyword()) :: :ok
  def run(opts) do
    interval = interval!(opts)
    device = Process.group_leader()

    case size(device) do
      nil ->
        {lines, _sample} = table(nil, nil)
        _written = write(device, Enum.map(lines, &[&1, "\n"]))
        :ok

      size ->
        {reader, monitor} =
          :proc_lib.spawn_opt(__MODULE__, :read_line, [device], [:link, :monitor])

        refresh(%{device: device, interval: interval, monitor: monitor}, size, nil)
        stop(reader, monitor)
    end
  end

  defp interval!(opts) do
    case Keyword.validate!(opts, interval: @default_interval_ms)[:interval] do
      interval when is_integer(interval) and interval in 1..@longest_ms ->
        interval

      other ->
        raise ArgumentError,
              "invalid option :interval with value #{inspect(other)}: expected a number of milliseconds from 1 to " <>
                "#{@longest_ms}"
    end
  end

  # Lines and columns of the terminal; `nil` if there is none.
  defp size(device) do
    with {:ok, columns} <- :io.columns(device),
         {:ok, rows} <- :io.rows(device) do
      {rows, columns}
    else
      {:error, _no_terminal} -> nil
    end
  end

  defp refresh(top, size, previous) do
    {lines, sample} = table(previous, size)

    with :ok <- write(top.device, screen(lines)), :again <- wait(top) do
      # The terminal may have another size by now.
      refresh(top, size(top.device) || size, sample)
    else
      _over -> :ok
    end
  end

  defp table(previous, size) do
    programs = Usage.programs()
    sample = Table.sample(programs)
    {Table.lines(programs, sample, previous, size), sample}
  end

  defp screen(lines),
    do: [@home, Enum.map(lines, &[&1, @clear_line, "\n"]), "Press Enter to stop. ", @clear_below]

  defp wait(%{monitor: monitor, interval: interval}) do
    receive do
      {:DOWN, ^monitor, :process, _reader, _reason} -> :over
    after
      interval -> :again
    end
  end

  # The reader is alive if the group leader is gone.
  defp stop(reader, monitor) do
    Process.demonitor(monitor, [:flush])
    Process.unlink(reader)
    Process.exit(reader, :kill)

    receive do
      {:EXIT, ^reader, _reason} -> :ok
    after
      0 -> :ok
    end
  end

  # An error if the group leader is gone, with its node for example.
  defp write(device, chars), do: :io.request(device, {:put_chars, :unicode, chars})

  @doc false
  @spec read_line(pid()) :: :ok
  def read_line(device) do
    Label.set("MuonTrap: reads a line for MuonTrap.top/1")
    _line = :io.request(device, {:get_line, :unicode, ""})
    :ok
  end
end
