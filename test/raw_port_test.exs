# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.RawPortTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  @moduledoc false

  # The helper without frames, in a port that the caller opens, as in programs that were written for
  # MuonTrap 1.x.

  @timeout 60_000

  defp open(args, options \\ [:binary, :exit_status]) do
    path = String.to_charlist(MuonTrap.muontrap_path())
    Port.open({:spawn_executable, path}, [{:args, args} | options])
  end

  # Returns the output, which is acknowledged as it comes, and the exit status.
  defp run(args, ack \\ &ack/2), do: args |> open() |> collect("", ack)

  defp collect(port, output, ack) do
    receive do
      {^port, {:data, data}} ->
        ack.(port, byte_size(data))
        collect(port, output <> data, ack)

      {^port, {:exit_status, status}} ->
        {output, status}

      {:EXIT, ^port, reason} ->
        flunk("the port closed with #{inspect(reason)} after #{inspect(output)}")
    after
      @timeout -> flunk("nothing came after #{inspect(output)}")
    end
  end

  defp ack(_port, 0), do: :ok

  defp ack(port, count) do
    part = min(count, 256)
    send(port, {self(), {:command, <<part - 1>>}})
    ack(port, count - part)
  end

  defp never(_port, _count), do: :ok

  test "200 of 200 runs end with the program's exit status" do
    Process.flag(:trap_exit, true)

    for n <- 1..200 do
      script = "echo line; exit #{n}"
      assert run(["--capture-output", "--", "sh", "-c", script]) == {"line\n", n}
    end
  end

  test "large output, small windows" do
    args = ["--capture-output", "--stdio-window", "100", "--", "seq", "1", "20000"]
    assert {output, 0} = run(args)
    assert output == Enum.map_join(1..20_000, &"#{&1}\n")
  end

  test "an owner that acknowledges nothing gets one window of output, and the exit status" do
    args = ["--capture-output", "--stdio-window", "65536", "--", "seq", "1", "5000"]
    assert {output, 0} = run(args, &never/2)
    assert byte_size(output) == 23_893
  end

  test "stderr together with stdout, or alone" do
    program = ["--", "sh", "-c", "echo out; echo err >&2; exit 2"]
    assert run(["--capture-output", "--capture-stderr" | program]) == {"out\nerr\n", 2}
    assert run(["--capture-output", "--capture-stderr-only" | program]) == {"err\n", 2}
  end

  test "without --capture-output, there is no output" do
    assert run(["--", "sh", "-c", "echo out; exit 3"]) == {"", 3}
    assert run(["--delay-to-sigkill", "100", "--", "sh", "-c", "echo out"]) == {"", 0}
  end

  test "acknowledgements do not reach the program" do
    port = open(["--capture-output", "--", "sh", "-c", "echo ready; cat; echo end"])
    assert_receive {^port, {:data, "ready\n"}}, @timeout
    send(port, {self(), {:command, "\n\n\n\n\n\n"}})
    refute_receive {^port, {:data, _}}, 100
    Port.close(port)
  end

  test "closing the port stops the program and its descendants" do
    marker = marker()
    script = "sleep 1000 & echo ready; wait # #{marker}"
    port = open(["--capture-output", "--", "sh", "-c", script])
    assert_receive {^port, {:data, "ready\n"}}, @timeout
    assert marked(marker) != []
    Port.close(port)
    wait_until(fn -> marked(marker) ++ helpers(marker) == [] end)
  end

  test "lines, and then the exit status" do
    port =
      open(["--capture-output", "--", "printf", "one\\ntwo"], [:binary, :exit_status, line: 80])

    assert_receive {^port, {:data, {:eol, "one"}}}, @timeout
    ack(port, 4)
    assert_receive {^port, {:data, {:noeol, "two"}}}, @timeout
    ack(port, 3)
    assert_receive {^port, {:exit_status, 0}}, @timeout
  end
end
