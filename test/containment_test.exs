# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# A table with a row for each kind of program and a column for each way to end it. In each cell, no
# process is left afterwards. To see it: mix test --trace test/containment_test.exs
for %{name: name} = kind <- MuonTrap.Test.Kinds.all() do
  defmodule Module.concat(
              MuonTrap.ContainmentTest,
              name |> String.replace(~r/\W/, "_") |> Macro.camelize()
            ) do
    use ExUnit.Case, async: true

    import MuonTrap.Test.{Needs, OS}

    alias MuonTrap.Daemon
    alias MuonTrap.Test.{Callback, ForkServer, Kinds, SecondBeam}

    @moduletag needs(kind.needs)
    @name name
    # Long enough for the program to start.
    @timeout_ms 2000

    setup do
      kind = Enum.find(Kinds.all(), &(&1.name == @name))
      marker = marker()
      on_exit(fn -> Kinds.clean_up(marker) end)
      %{kind: kind, marker: marker}
    end

    test "#{kind.name} | caller killed", %{kind: kind, marker: marker} do
      {command, args, opts} = command(kind, :stays, marker)
      caller = spawn(fn -> MuonTrap.cmd(command, args, opts) end)
      await_in_place(kind, marker)
      Process.exit(caller, :kill)
      await_nothing(marker)
    end

    # The caller is held while it handles the first output, until all processes are running and the time
    # has passed.
    test "#{kind.name} | timeout", %{kind: kind, marker: marker} do
      {command, args, opts} = Kinds.command(kind, :stays, marker)
      opts = [into: held_output(), timeout: @timeout_ms] ++ opts
      task = Task.async(fn -> {MuonTrap.run(command, args, opts), marked(marker)} end)
      assert_receive {:held, reader}
      deadline = System.monotonic_time(:millisecond) + @timeout_ms
      await_in_place(kind, marker)
      wait_until(fn -> System.monotonic_time(:millisecond) >= deadline end)
      send(reader, :release)
      assert {%{exit_status: :timeout, survivors: 0} = result, []} = Task.await(task, :infinity)
      assert 128 + result.signal == kind.status
      await_nothing(marker)
    end

    test "#{kind.name} | Daemon stopped", %{kind: kind, marker: marker} do
      {command, args, opts} = daemon_command(kind, marker)
      {:ok, daemon} = Daemon.start_link(command, args, opts)
      await_in_place(kind, marker)
      if kind.held, do: assert_receive({:held, ^daemon})
      task = Task.async(fn -> {GenServer.stop(daemon), marked(marker)} end)

      if kind.held do
        # The daemon is stopped before it reads more.
        wait_until(fn ->
          {:messages, messages} = Process.info(daemon, :messages)
          Enum.any?(messages, &match?({:system, _from, {:terminate, _reason}}, &1))
        end)

        send(daemon, :release)
      end

      assert Task.await(task, :infinity) == {:ok, []}
      await_nothing(marker)
    end

    test "#{kind.name} | BEAM SIGKILLed", %{kind: kind, marker: marker} do
      {command, args, opts} = Kinds.command(kind, :stays, marker)
      beam = SecondBeam.start("of-" <> marker())
      SecondBeam.spawn(beam, Kinds, :run_held, [command, args, opts])
      await_in_place(kind, marker)
      SecondBeam.kill(beam)
      await_nothing(marker)
    end

    test "#{kind.name} | helper SIGTERMed", %{kind: kind, marker: marker} do
      {command, args, opts} = command(kind, :stays, marker)
      task = Task.async(fn -> {MuonTrap.run(command, args, opts), marked(marker)} end)
      await_in_place(kind, marker)
      [helper] = helpers(marker)
      kill(helper, "TERM")

      if kind.held do
        wait_until(fn -> marked(marker) == [] end)
        release()
      end

      assert {%{survivors: 0} = result, []} = Task.await(task, :infinity)
      assert result.exit_status == kind.status
      await_nothing(marker)
    end

    if ForkServer.used?() do
      test "#{kind.name} | session SIGKILLed", %{kind: kind, marker: marker} do
        {command, args, opts} = command(kind, :stays, marker)
        run = fn -> {catch_error(MuonTrap.run(command, args, opts)), marked(marker)} end
        task = Task.async(run)
        await_in_place(kind, marker)
        [session] = helpers(marker)
        kill(session, "KILL")

        if kind.held do
          wait_until(fn -> marked(marker) == [] end)
          release()
        end

        assert {%MuonTrap.Error{step: :helper}, []} = Task.await(task, :infinity)
        await_nothing(marker)
      end

      test "#{kind.name} | session SIGSTOPped, caller killed", %{kind: kind, marker: marker} do
        {command, args, opts} = command(kind, :stays, marker)
        caller = spawn(fn -> MuonTrap.cmd(command, args, opts) end)
        await_in_place(kind, marker)
        [session] = helpers(marker)
        kill(session, "STOP")
        Process.exit(caller, :kill)
        await_nothing(marker)
      end
    end

    @tag needs(kind.needs_to_leave)
    test "#{kind.name} | program exits and leaves processes behind", %{kind: kind, marker: marker} do
      {command, args, opts} = command(kind, :leaves, marker)
      task = Task.async(fn -> {MuonTrap.run(command, args, opts), marked(marker)} end)

      if kind.held do
        assert_receive {:held, reader}
        wait_until(fn -> marked(marker) == [] end)
        send(reader, :release)
      end

      assert {%{exit_status: 0, survivors: 0} = result, []} = Task.await(task, :infinity)
      assert result.swept >= kind.left
      await_nothing(marker)
    end

    defp command(kind, form, marker) do
      {command, args, opts} = Kinds.command(kind, form, marker)
      {command, args, if(kind.held, do: [into: held_output()], else: []) ++ opts}
    end

    defp held_output do
      test = self()
      %Callback{fun: &Kinds.hold(&1, test)}
    end

    defp daemon_command(kind, marker) do
      {command, args, opts} = Kinds.command(kind, :stays, marker)
      logger = if kind.held, do: [logger_fun: {Kinds, :hold, [self()]}], else: []
      {command, args, logger ++ opts}
    end

    defp await_in_place(kind, marker), do: wait_until(fn -> kind.in_place?.(marked(marker)) end)

    defp release do
      assert_receive {:held, reader}
      send(reader, :release)
    end

    # Also helpers, which end a moment after their commands.
    defp await_nothing(marker), do: wait_until(fn -> marked(marker) ++ helpers(marker) == [] end)
  end
end
