# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ProcessSupervisionTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Process, as: Handle
  alias MuonTrap.Test.JSONRPCClient

  # OTP reports processes that stop with an error.
  @moduletag :capture_log

  describe "child_spec/1" do
    test "stops the handle with the program, unless the options say otherwise" do
      assert %{start: {Handle, :start_link, ["a", [], [stop_on_exit: true, cd: "/"]]}} =
               Handle.child_spec(["a", [], [cd: "/"]])

      assert %{start: {Handle, :start_link, ["a", [], [stop_on_exit: false]]}} =
               Handle.child_spec(["a", [], [stop_on_exit: false]])
    end

    test "refuses other arguments" do
      for bad <- ["cat", [], ["cat"], ["cat", "a", "b"], ["cat", [], :x], {"cat", []}] do
        assert_raise ArgumentError, ~r/MuonTrap.Process.child_spec\/1/, fn ->
          Handle.child_spec(bad)
        end
      end
    end

    test "hides the environment" do
      spec = Handle.child_spec(["a", [], [env: [{"SECRET", "hunter2"}]]])
      refute inspect(spec, limit: :infinity) =~ "hunter2"
    end
  end

  describe "a handle with stop_on_exit: true" do
    test "stops when all output was read" do
      Process.flag(:trap_exit, true)
      {:ok, handle} = Handle.start_link("sh", ["-c", "echo a; exit 3"], stop_on_exit: true)
      assert {:ok, %{exit_status: 3}} = Handle.await_exit(handle)
      assert Handle.read(handle) == {:ok, {:stdout, "a\n"}}
      assert_receive {:EXIT, ^handle, :error_exit_status}
      assert {:noproc, {Handle, :read, _}} = catch_exit(Handle.read(handle))
    end

    test "stops normally after exit status 0, with :eof for those who wait" do
      Process.flag(:trap_exit, true)
      {:ok, handle} = Handle.start_link("cat", [], stop_on_exit: true)
      tasks = for _ <- 1..2, do: Task.async(fn -> Handle.read(handle) end)
      wait_until(fn -> :queue.len(:sys.get_state(handle).readers) == 2 end)
      Handle.close_input(handle)
      assert Task.await_many(tasks, :infinity) == [:eof, :eof]
      assert_receive {:EXIT, ^handle, :normal}
    end

    test "is restarted by its supervisor" do
      name = :"#{__MODULE__}.restarted"
      children = [{Handle, ["cat", [], [name: name]]}]
      {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      assert Handle.write(name, "a") == :ok
      assert Handle.read(name) == {:ok, {:stdout, "a"}}
      first = Process.whereis(name)
      assert Handle.signal(name, :sigkill) == :ok
      wait_until(fn -> Process.whereis(name) not in [nil, first] end)
      assert Handle.write(name, "b") == :ok
      assert Handle.read(name) == {:ok, {:stdout, "b"}}
      program = Handle.info(name).program_os_pid
      Supervisor.stop(supervisor)
      refute alive?(program)
    end
  end

  describe "a JSON-RPC server" do
    @describetag skip: !System.find_executable("python3") && "needs python3"

    test "answers 1,000 requests, several in flight, and is restarted after a crash" do
      name = :"#{__MODULE__}.client"
      server = Path.expand("../support/json_rpc_server.py", __DIR__)
      children = [{JSONRPCClient, {"python3", [server], name}}]
      {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
      add = &JSONRPCClient.request(name, if(rem(&1, 10) == 0, do: "later", else: "add"), [&1, 1])

      requests = fn numbers ->
        numbers
        |> Task.async_stream(&{&1, add.(&1)},
          max_concurrency: 16,
          ordered: false,
          timeout: 60_000
        )
        |> Enum.map(fn {:ok, answer} -> answer end)
      end

      assert_sums(requests.(1..500))
      first = JSONRPCClient.handle(name)
      %{program_os_pid: program} = Handle.info(first)

      assert {:error, {:server_exited, 70}} = JSONRPCClient.request(name, "crash", [])
      wait_until(fn -> Process.whereis(name) != nil end)
      second = JSONRPCClient.handle(name)
      assert second != first
      refute alive?(program)

      assert_sums(requests.(501..1000))
      assert %{program_os_pid: program} = Handle.info(second)
      Supervisor.stop(supervisor)
      refute alive?(program)
    end

    defp assert_sums(answers) do
      assert length(answers) == 500
      for {number, answer} <- answers, do: assert(answer == {:ok, number + 1})
    end
  end
end
