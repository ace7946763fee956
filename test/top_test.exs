# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.TopTest do
  use ExUnit.Case, async: true

  import ExUnit.CaptureIO
  import MuonTrap.Test.Needs

  alias MuonTrap.Process, as: Handle

  # A line of an IEx in a terminal.
  defp enter(iex, line), do: :ok = Handle.write(iex, line <> "\r")

  # Reads until the output matches.
  defp expect(iex, pattern, output \\ "") do
    if output =~ pattern do
      :ok
    else
      case Handle.read(iex, 60_000) do
        {:ok, {:stdout, data}} -> expect(iex, pattern, output <> data)
        other -> flunk("no #{inspect(pattern)} in #{inspect(output)}, but #{inspect(other)}")
      end
    end
  end

  defp start_iex(args) do
    opts = [pty: [rows: 20, cols: 100], env: [{"TERM", "xterm"}]]
    {:ok, iex} = Handle.start_link("iex", args, opts)
    expect(iex, ~r/iex.*1.*> /)
    iex
  end

  defp ebin, do: Path.join(Application.app_dir(:muontrap), "ebin")

  # The table comes again and again, and the shell is used afterwards.
  defp watch(iex) do
    enter(iex, ~s|{:ok, _} = MuonTrap.Daemon.start_link("sleep", ["4321"])|)
    expect(iex, ~r/:ok.*iex.*2.*> /s)
    enter(iex, "MuonTrap.top(interval: 50)")
    table = "1 program, 1 process, .*CPU%.*COMMAND.*<.*> *sleep 4321.*Press Enter to stop"
    expect(iex, Regex.compile!("#{table}.*\e\\[H.*#{table}.*\e\\[H.*#{table}", "s"))
    enter(iex, "")
    expect(iex, ~r/:ok.*iex.*3.*> /s)
    enter(iex, "6 * 111")
    expect(iex, "666")
  end

  test "the options" do
    assert_raise ArgumentError, ~r/:interval.*0/s, fn -> MuonTrap.top(interval: 0) end
    assert_raise ArgumentError, ~r/:interval.*:never/s, fn -> MuonTrap.top(interval: :never) end
    assert_raise ArgumentError, ~r/:rows/, fn -> MuonTrap.top(rows: 1) end
  end

  test "without a terminal, the table comes once, and lines are whole" do
    {:ok, daemon} = MuonTrap.Daemon.start_link("sleep", ["1000", String.duplicate("0", 200)])
    output = capture_io(fn -> assert MuonTrap.top() == :ok end)
    assert [summary, titles | programs] = String.split(output, "\n", trim: true)
    assert summary =~ ~r/^#{node()}: \d+ programs?, \d+ process/
    assert titles =~ ~r/^ *CPU% +MEM .* COMMAND$/

    assert Enum.any?(
             programs,
             &String.ends_with?(&1, " sleep 1000 " <> String.duplicate("0", 200))
           )

    refute output =~ "\e"
    refute output =~ "Enter"
    GenServer.stop(daemon)
  end

  # A terminal by the I/O protocol.
  defp terminal(test, written) do
    receive do
      {:io_request, from, ref, {:get_geometry, :columns}} -> send(from, {:io_reply, ref, 80})
      {:io_request, from, ref, {:get_geometry, :rows}} -> send(from, {:io_reply, ref, 24})
      {:io_request, from, ref, {:put_chars, _, _}} -> written(test, from, ref, written)
      {:io_request, _from, _ref, {:get_line, _, _}} -> :ok
    end

    terminal(test, written + 1)
  end

  defp written(_test, from, ref, written) when written < 10, do: send(from, {:io_reply, ref, :ok})
  defp written(_test, _from, _ref, _written), do: exit(:normal)

  test "it ends when its terminal is gone" do
    test = self()
    terminal = spawn(fn -> terminal(test, 0) end)

    caller =
      Task.async(fn ->
        Process.group_leader(self(), terminal)
        Process.flag(:trap_exit, true)
        result = MuonTrap.top(interval: 1)
        {result, Process.info(self(), [:links, :messages, :monitors])}
      end)

    assert {:ok, [links: links, messages: [], monitors: []]} = Task.await(caller, 60_000)
    assert links == [self()]
  end

  @tag needs(program: "iex")
  test "in IEx" do
    iex = start_iex(["-pa", ebin()])
    watch(iex)
    Handle.stop(iex)
  end

  @tag needs(program: "iex")
  test "in a remote shell" do
    # Reserved, for the distribution without epmd.
    {:ok, socket} = :socket.open(:inet, :stream)
    :ok = :socket.setopt(socket, :socket, :reuseaddr, true)
    :ok = :socket.bind(socket, %{family: :inet, addr: :loopback, port: 0})
    {:ok, %{port: port}} = :socket.sockname(socket)

    distribution = ["--erl", "-start_epmd false -erl_epmd_port #{port}", "--cookie", "top"]
    name = ["--sname", "top@localhost", "-pa", ebin(), "--no-halt", "-e", "IO.puts(:up)"]
    {:ok, node} = Handle.start_link("elixir", distribution ++ name)
    expect(node, "up\n")

    # A node that does not listen, as it would at the same port.
    name = ["--erl", "-dist_listen false", "--sname", "shell@localhost"]
    iex = start_iex(distribution ++ name ++ ["--remsh", "top@localhost"])
    watch(iex)
    Handle.stop(iex)
    Handle.stop(node)
  end
end
