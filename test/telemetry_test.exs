# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.TelemetryTest do
  # A module with the interface of :telemetry stands for the package, which the tests do not depend on.
  #
  # Not async: whether there is such a module holds for the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, Error, Telemetry}
  alias MuonTrap.Test.ForkServer

  @secret "dont_tell_anybody"

  setup do
    {:module, :telemetry, _binary, _result} =
      Module.create(
        :telemetry,
        quote do
          def execute(event, measurements, metadata) do
            send(unquote(__MODULE__), {event, measurements, metadata})
            if handler = Process.get(:telemetry_handler), do: handler.(event, metadata)
            :ok
          end
        end,
        Macro.Env.location(__ENV__)
      )

    Process.register(self(), __MODULE__)
    Telemetry.detect()

    on_exit(fn ->
      :code.purge(:telemetry)
      :code.delete(:telemetry)
      :code.purge(:telemetry)
      Telemetry.detect()
    end)
  end

  defp receive_event(event) do
    assert_receive {[:muontrap, :program, ^event], measurements, metadata}
    refute inspect({measurements, metadata}, limit: :infinity) =~ @secret
    {measurements, metadata}
  end

  defp secrets, do: [env: [{"SECRET", @secret}], input: @secret]

  for kind <- [:cmd, :run] do
    test "a #{kind} sends :start and :stop" do
      script = "cat >/dev/null; echo out; echo errs >&2; exit 3"
      apply(MuonTrap, unquote(kind), ["sh", ["-c", script], [stderr: :to_stdout] ++ secrets()])
      {measurements, started} = receive_event(:start)
      assert_in_delta measurements.system_time, System.system_time(), 60 * 1_000_000_000
      assert %{kind: unquote(kind), command: "sh", args: ["-c", ^script]} = started
      assert started.owner == self()
      assert is_integer(started.os_pid) and is_integer(started.program_os_pid)

      {measurements, stopped} = receive_event(:stop)
      assert Map.take(stopped, Map.keys(started)) == started
      assert %{exit_status: 3, signal: nil, oom_killed: false} = stopped
      assert %{stdout_bytes: 9, stderr_bytes: 0, swept: 0} = measurements
      assert measurements.input_bytes == byte_size(@secret)
      assert measurements.duration > 0 and measurements.peak_rss_bytes > 0
      assert is_integer(measurements.user_time_us) and is_integer(measurements.system_time_us)
    end
  end

  for fork_server? <- [true, false], function <- [:cmd, :run, :shell] do
    test "a handler that takes all messages takes none of a #{function}, fork_server: #{fork_server?}" do
      unless unquote(fork_server?), do: ForkServer.without()

      # In another process, since this one gets the events.
      task = Task.async(fn -> {output(unquote(function)), Process.get(:taken)} end)
      assert Task.await(task, :infinity) == {"hi\n", []}
    end
  end

  defp output(function) do
    Process.put(:telemetry_handler, fn
      [_library, _program, :start], started ->
        # It has written its output by then.
        wait_until(fn -> not alive?(started.program_os_pid) end)
        Process.put(:taken, take_messages())

      _end, _metadata ->
        :ok
    end)

    case function do
      :cmd -> elem(MuonTrap.cmd("echo", ["hi"]), 0)
      :run -> MuonTrap.run("echo", ["hi"]).output
      :shell -> elem(MuonTrap.shell("echo hi"), 0)
    end
  end

  defp take_messages do
    receive do
      message -> [message | take_messages()]
    after
      0 -> []
    end
  end

  test "the exit status is the limit at which the program was stopped" do
    assert {"", :timeout} = MuonTrap.cmd("sleep", ["1000"], timeout: 3000)
    assert {_measurements, %{exit_status: :timeout, signal: 15}} = receive_event(:stop)
  end

  test "a stream sends :stop also when it is halted" do
    assert ["y"] = "yes" |> MuonTrap.stream!([], lines: true) |> Enum.take(1)
    {_measurements, %{kind: :stream}} = receive_event(:start)
    {measurements, %{kind: :stream, exit_status: 143}} = receive_event(:stop)
    assert measurements.stdout_bytes > 0
  end

  test "a handle and a daemon send events" do
    {:ok, process} = MuonTrap.Process.start_link("cat", [])
    :ok = MuonTrap.Process.write(process, @secret)
    {_measurements, %{kind: :process, owner: ^process}} = receive_event(:start)
    :ok = MuonTrap.Process.close_input(process)
    {:ok, _result} = MuonTrap.Process.await_exit(process)
    {measurements, %{kind: :process, exit_status: 0}} = receive_event(:stop)
    bytes = byte_size(@secret)
    assert %{stdout_bytes: ^bytes, input_bytes: ^bytes} = measurements

    {:ok, daemon} = Daemon.start_link("sleep", ["1000"], env: [{"SECRET", @secret}])
    {_measurements, %{kind: :daemon, owner: ^daemon}} = receive_event(:start)
    GenServer.stop(daemon)
    assert {_measurements, %{signal: 15}} = receive_event(:stop)
  end

  test "a program that cannot be started sends :exception alone" do
    assert_raise Error, fn -> MuonTrap.cmd("true", [], [cd: "/no/such"] ++ secrets()) end
    {_measurements, metadata} = receive_event(:exception)
    assert %{kind: :cmd, command: "true", os_pid: nil, reason: %Error{step: :cd}} = metadata
    refute_received {[:muontrap, :program, _event], _measurements, _metadata}
  end

  @tag :capture_log
  test "a killed session sends :exception" do
    Process.flag(:trap_exit, true)
    {:ok, daemon} = Daemon.start_link("sleep", ["1000"])
    {_measurements, started} = receive_event(:start)
    kill(started.os_pid, "KILL")
    {_measurements, %{reason: %Error{step: :helper}} = failed} = receive_event(:exception)
    assert Map.take(failed, Map.keys(started)) == started
    assert_receive {:EXIT, ^daemon, %Error{}}
  end
end
