# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.GuardTest do
  # The guards of helpers that are executed for one program each. Not async: this is a setting of the whole
  # BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error, Options, Session}
  alias MuonTrap.Session.{Guard, Leftovers, Pipe, Start}
  alias MuonTrap.Test.Callback

  setup do: MuonTrap.Test.ForkServer.without()

  @tag :tmp_dir
  test "the death of a guard is an error of the command, and the program is gone", context do
    file = Path.join(context.tmp_dir, "pid")
    args = ["-c", "echo $$ >'#{file}'; exec sleep 1000"]
    task = Task.async(fn -> catch_error(MuonTrap.cmd("sh", args)) end)
    program = await_pid(file)
    [guard] = guards_of(task.pid)
    Process.exit(guard, :kill)
    assert %Error{step: :helper} = Task.await(task, :infinity)
    refute alive?(program)
  end

  test "guards end with their commands" do
    for _ <- 1..20, do: MuonTrap.cmd("true", [])
    wait_until(fn -> guards_of(self()) == [] end)
  end

  test "a guard ends with its daemon" do
    Process.flag(:trap_exit, true)

    for stop <- [&GenServer.stop/1, &Process.exit(&1, :kill)] do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
      assert [guard] = guards_of(daemon)
      stop.(daemon)
      wait_until(fn -> not Process.alive?(guard) end)
    end
  end

  test "a daemon whose guard was killed can be restarted" do
    Process.flag(:trap_exit, true)
    args = ["-c", "exec sleep 1000 # #{marker()}"]
    {:ok, daemon} = Daemon.start_link("sh", args)
    program = Daemon.program_os_pid(daemon)
    [guard] = guards_of(daemon)
    Process.exit(guard, :kill)
    assert_receive {:EXIT, ^daemon, %Error{}}
    refute alive?(program)
    {:ok, successor} = Daemon.start_link("sh", args)
    # Nothing of the first one is left, either.
    owners = for {_hash, owner, _guard} <- :ets.tab2list(MuonTrap.Predecessors), do: owner
    refute daemon in owners
    GenServer.stop(successor)
  end

  test "no alias of the caller is left" do
    pipe = open_pipe("true")
    {{:frame, {:started, _started}}, started} = Pipe.first(pipe, :infinity)
    refute :erlang.unalias(pipe.ref)
    Pipe.close(started)
    pipe = open_pipe("true")
    Pipe.clean_up(pipe, %Session{stream: pipe, patience: 5_000})
    refute :erlang.unalias(pipe.ref)
  end

  test "a program that is given up just after it has started leaves no message and no link" do
    links = Process.info(self(), :links)
    pipe = open_pipe("cat")
    wait_until(fn -> mailbox() != [] end)
    Pipe.clean_up(pipe, %Session{stream: pipe, patience: 5_000})
    assert mailbox() == []
    assert Process.info(self(), :links) == links
  end

  describe "code of the user has no frames in its mailbox" do
    defp refute_frames, do: refute_receive({_port, {:data, _frame}}, 300)

    test "in a Collectable" do
      into = %Callback{fun: fn _chunk -> refute_frames() end}
      assert {:done, 0} = MuonTrap.cmd("sh", ["-c", "echo a; sleep 0.1; echo b"], into: into)
      assert {:done, 0} = MuonTrap.shell("echo a; sleep 0.1; echo b", into: into)
    end

    test "in an Enumerable" do
      input = Stream.each(["a"], fn _element -> refute_frames() end)

      assert {"out\na", 0} =
               MuonTrap.cmd("sh", ["-c", "sleep 0.1; echo out; exec cat"], input: input)

      assert {"out\na", 0} = MuonTrap.shell("sleep 0.1; echo out; exec cat", input: input)
    end
  end

  # Runs a program by a helper.
  defp open_pipe(command) do
    options = Options.new(:cmd, command, [], [])

    purpose = %{
      key: nil,
      group: nil,
      patience: 5_000,
      use_stdio: true,
      parallelism: nil,
      crowded?: false
    }

    frame = fn environment, _client_directory? ->
      Start.start(options, nil, "/", environment)
    end

    {:ok, pipe} = Pipe.open(purpose, frame, &Leftovers.clean_up/1)
    pipe
  end

  defp guards_of(owner) do
    for pid <- Process.list(),
        Process.info(pid, :current_function) == {:current_function, {Guard, :watch, 1}} or
          Process.info(pid, :initial_call) == {:initial_call, {Guard, :init, 1}},
        {:monitors, monitors} <- [Process.info(pid, :monitors)],
        {:process, owner} in monitors,
        do: pid
  end
end
