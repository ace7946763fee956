# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ProcessActiveTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Process, as: Handle

  defp start!(command, args, opts) do
    {:ok, handle} = Handle.start_link(command, args, opts)
    handle
  end

  test "with true, all output and the end come as messages" do
    handle = start!("sh", ["-c", "seq 1 100000; echo x >&2"], active: true, stderr: :capture)
    {stdout, stderr, result} = collect(handle, "", "")
    assert stdout == Enum.map_join(1..100_000, &"#{&1}\n")
    assert stderr == "x\n"
    assert %MuonTrap.Result{exit_status: 0, output: "", stderr_bytes: 2} = result
    assert Handle.read(handle) == :eof
    refute_received {:muontrap, _handle, _more}
  end

  defp collect(handle, stdout, stderr) do
    receive do
      {:muontrap, ^handle, {:stdout, data}} -> collect(handle, stdout <> data, stderr)
      {:muontrap, ^handle, {:stderr, data}} -> collect(handle, stdout, stderr <> data)
      {:muontrap, ^handle, {:exit, result}} -> {stdout, stderr, result}
    after
      60_000 -> flunk("no message")
    end
  end

  test "with :once, one message comes, and the program waits" do
    handle = start!("cat", ["/dev/zero"], active: :once, stdio_window: 1000)
    assert_receive {:muontrap, ^handle, {:stdout, _data}}
    wait_until(fn -> Handle.info(handle).stdout_bytes >= 750 end)
    refute_received {:muontrap, ^handle, _more}
    assert Handle.info(handle).stdout_bytes <= 2000
    assert Handle.setopts(handle, active: :once) == :ok
    assert_receive {:muontrap, ^handle, {:stdout, _data}}
    assert {:ok, {:stdout, _data}} = Handle.read(handle)
  end

  test "with a number, that many messages come, and then :passive" do
    handle = start!("cat", [], active: 2)
    assert Handle.setopts(handle, active: 1) == :ok

    for line <- ["a", "b", "c"] do
      Handle.write(handle, line)
      assert_receive {:muontrap, ^handle, {:stdout, ^line}}
    end

    assert_receive {:muontrap, ^handle, :passive}
    Handle.write(handle, "d")
    assert Handle.read(handle) == {:ok, {:stdout, "d"}}
  end

  test "the end comes once the handle is active again" do
    handle = start!("sh", ["-c", "echo a"], active: 1)
    assert_receive {:muontrap, ^handle, {:stdout, "a\n"}}
    assert_receive {:muontrap, ^handle, :passive}
    assert {:ok, result} = Handle.await_exit(handle)
    refute_received {:muontrap, ^handle, {:exit, _result}}
    Handle.setopts(handle, active: :once)
    assert_receive {:muontrap, ^handle, {:exit, ^result}}
  end

  test "reading and messages exclude each other" do
    handle = start!("cat", [], active: false)
    reader = Task.async(fn -> Handle.read(handle) end)
    wait_until(fn -> not :queue.is_empty(:sys.get_state(handle).readers) end)
    Handle.setopts(handle, active: true)
    assert Task.await(reader, :infinity) == {:error, :active}
    assert Handle.read_line(handle, 0) == {:error, :active}
    Handle.setopts(handle, active: false)
    assert Handle.read(handle, 0) == {:error, :timeout}
  end

  test "output that waits comes when the handle becomes active" do
    handle = start!("cat", [], [])
    Handle.write(handle, "a\nb")
    wait_until(fn -> Handle.info(handle).stdout_bytes == 3 end)
    assert Handle.read_line(handle) == {:ok, {:stdout, "a"}}
    Handle.setopts(handle, active: true)
    assert_receive {:muontrap, ^handle, {:stdout, "b"}}
  end

  test "another process may get the messages, and the handle is passive when that ends" do
    test = self()
    handle = start!("cat", [], [])

    receiver =
      spawn(fn ->
        receive do: (message -> send(test, {:received, message}))
      end)

    assert Handle.controlling_process(handle, receiver) == :ok
    Handle.setopts(handle, active: true)
    Handle.write(handle, "a")
    assert_receive {:received, {:muontrap, ^handle, {:stdout, "a"}}}
    wait_until(fn -> :sys.get_state(handle).active == false end)
    Handle.write(handle, "b")
    assert Handle.read(handle) == {:ok, {:stdout, "b"}}
    assert Handle.controlling_process(handle, self()) == :ok
    Handle.setopts(handle, active: :once)
    Handle.write(handle, "c")
    assert_receive {:muontrap, ^handle, {:stdout, "c"}}
  end

  test "the owner gets the messages after another receiver has ended" do
    handle = start!("cat", [], [])
    {receiver, ref} = spawn_monitor(fn -> receive(do: (:end -> :ok)) end)
    assert Handle.controlling_process(handle, receiver) == :ok
    send(receiver, :end)
    assert_receive {:DOWN, ^ref, :process, ^receiver, :normal}
    wait_until(fn -> :sys.get_state(handle).monitor == nil end)
    assert Handle.setopts(handle, active: true) == :ok
    Handle.write(handle, "a")
    assert_receive {:muontrap, ^handle, {:stdout, "a"}}
  end

  test "readers wait on when a passive handle is set to be passive" do
    handle = start!("cat", [], [])
    reader = Task.async(fn -> Handle.read(handle) end)
    wait_until(fn -> not :queue.is_empty(:sys.get_state(handle).readers) end)
    assert Handle.setopts(handle, active: false) == :ok
    Handle.write(handle, "a")
    assert Task.await(reader, :infinity) == {:ok, {:stdout, "a"}}
  end

  test "refuses other values" do
    handle = start!("cat", [], [])

    for bad <- [0, -1, 32_768, :always, nil] do
      assert_raise ArgumentError, ~r/:active/, fn -> Handle.setopts(handle, active: bad) end
      assert_raise ArgumentError, ~r/:active/, fn -> start!("cat", [], active: bad) end
    end
  end
end
