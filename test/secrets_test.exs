# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.SecretsTest do
  # The values of environment variables are not shown anywhere. Not async: the log is shared by all tests.
  use ExUnit.Case

  import ExUnit.CaptureLog
  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, ForkServer, Options}

  @moduletag :capture_log

  @secret "hunter2"
  @env [{"DB_PASSWORD", @secret}]

  # In the formats of inspect/1, with and without structs, and of Erlang. A charlist could be shown as
  # numbers.
  defp refute_shown(term) do
    numbers = @secret |> String.to_charlist() |> inspect(charlists: :as_lists)
    numbers = numbers |> String.trim_leading("[") |> String.trim_trailing("]")
    limits = [limit: :infinity, printable_limit: :infinity]

    for shown <- [
          inspect(term, limits),
          inspect(term, [structs: false] ++ limits),
          inspect(term, [charlists: :as_lists] ++ limits),
          inspect(term, [charlists: :as_lists, binaries: :as_binaries, structs: false] ++ limits),
          to_string(:io_lib.format("~p ~tp ~w", [term, term, term])),
          if(is_binary(term), do: term, else: "")
        ] do
      refute shown =~ @secret
      refute shown =~ numbers
      refute String.replace(shown, ",", ", ") =~ numbers
    end
  end

  defp failure(fun) do
    fun.()
  catch
    kind, reason -> {kind, reason, __STACKTRACE__}
  end

  # In the formats in which users, supervisors and logs show a failure.
  defp refute_in_failure(fun) do
    assert {kind, reason, stacktrace} = failure(fun)
    refute_shown({kind, reason, stacktrace})
    refute_shown(Exception.format(kind, reason, stacktrace))
    {reason, stacktrace} = Exception.blame(kind, reason, stacktrace)
    refute_shown({reason, stacktrace})
    refute_shown(Exception.format(kind, reason, stacktrace))
  end

  @runs [cmd: &MuonTrap.cmd/3, run: &MuonTrap.run/3, daemon: &Daemon.start_link/3]

  for {label, command, args, opts} <- [
        {"a value with a null byte", "true", [], [env: [{"A", @secret <> "\0"}]]},
        {"a value that is a charlist", "true", [], [env: [{"A", ~c"hunter2"}]]},
        {"a name with an equals sign", "true", [], [env: [{"A=" <> @secret, "x"}]]},
        {"a name that is no string", "true", [], [env: [{{:a, @secret}, @secret}]]},
        {"no pair", "true", [], [env: ["A=" <> @secret]]},
        {"no enumerable", "true", [], [env: {"A", @secret}]},
        {"no list", "true", [], [env: @secret]},
        {"an improper list", "true", [], [env: [{"A", "b"} | @secret]]},
        {"a misspelt option", "true", [], [envs: @env]},
        {"an option that is a string", "true", [], [{"env", @env}]},
        {"an option of three", "true", [], [{:env, @env, 1}]},
        {"an option that is a list", "true", [], [[:env, @env]]},
        {"improper options", "true", [], [{:env, @env} | @secret]},
        {"options that are a map", "true", [], %{env: @env}},
        {"options that are a pair", "true", [], {:env, @env}},
        {"a command that is no string", true, [], [env: @env]},
        {"arguments that are none", "true", :no, [env: @env]},
        {"options in place of arguments", "true", [env: @env], []},
        {"the environment as a command", @env, [], []},
        {"another option that is wrong", "true", [], [env: @env, uid: 0]},
        {"an argument that is no string", "true", [1], [env: @env]}
      ] do
    test "an exception does not show the environment: #{label}" do
      command = unquote(command)
      args = unquote(args)
      opts = unquote(Macro.escape(opts))
      for {_name, run} <- @runs, do: refute_in_failure(fn -> run.(command, args, opts) end)
      refute_in_failure(fn -> Options.validate(:daemon, command, args, opts) end)

      # Some of these are valid.
      case failure(fn -> Daemon.child_spec([command, args, opts]) end) do
        {kind, reason, stacktrace} ->
          refute_in_failure(fn -> :erlang.raise(kind, reason, stacktrace) end)

        spec ->
          refute_shown(spec)
      end
    end
  end

  for {label, input} <- [
        {"improper iodata", ["hunter2" | :no]},
        {"a list that is no iodata", ["hunter2", :no]},
        {"a charlist in a tuple", {:data, ~c"hunter2"}},
        {"a map", %{"hunter2" => 1}}
      ] do
    test "an exception does not show the input: #{label}" do
      opts = [input: unquote(Macro.escape(input))]
      for {_name, run} <- @runs, do: refute_in_failure(fn -> run.("true", [], opts) end)
      spec = Daemon.child_spec(["true", [], opts])
      refute_shown(spec)
      {module, function, args} = spec.start

      assert {:error, %ArgumentError{message: message}, _} =
               failure(fn -> apply(module, function, args) end)

      assert message =~ "invalid option :input with value (a "
    end
  end

  test "the child specification does not show the input, and says what is wrong" do
    for input <- [@secret, [@secret], Stream.map([@secret], & &1)] do
      spec = Daemon.child_spec(["true", [], [input: input]])
      refute_shown(spec)
      {module, function, args} = spec.start
      error = catch_error(apply(module, function, args))
      assert Exception.message(error) =~ "the :input of a daemon"
      refute_in_failure(fn -> MuonTrap.cmd("/no/such/program", [], input: input) end)
    end

    for input <- [:null, :open, {:file, "/dev/null"}] do
      assert %{start: {_, _, [_, _, [input: ^input]]}} =
               Daemon.child_spec(["true", [], [input: input]])
    end
  end

  @tag :tmp_dir
  test "the stacktrace of a missing program does not show the environment", context do
    plain = Path.join(context.tmp_dir, "plain")
    File.write!(plain, "")

    for run <- [&MuonTrap.cmd/3, &MuonTrap.run/3],
        command <- ["no_such_program", "/no/such/program", plain, "/"] do
      refute_in_failure(fn -> run.(command, [], env: @env) end)
    end

    refute_in_failure(fn -> MuonTrap.cmd("true", [], env: @env, cd: "/no/such/directory") end)
  end

  test "checked options do not show the environment" do
    options = Options.validate(:daemon, "true", [], env: @env)
    refute_shown(options)
    assert inspect(options) =~ ~s(env: #MuonTrap.Env<["DB_PASSWORD"]>)
  end

  test "the child specification does not show the environment, and works" do
    for env <- [@env, Map.new(@env)] do
      opts = [env: env, logger_fun: &send(:secrets_test, {:line, &1})]
      spec = Daemon.child_spec(["sh", ["-c", "echo $DB_PASSWORD"], opts])
      refute_shown(spec)
      Process.register(self(), :secrets_test)

      {:ok, supervisor} =
        Supervisor.start_link([%{spec | restart: :temporary}], strategy: :one_for_one)

      refute_shown(:sys.get_state(supervisor))
      assert_receive {:line, @secret}
      Process.unregister(:secrets_test)
      Supervisor.stop(supervisor)
    end

    refute_shown(Daemon.child_spec(["true", [], [envs: @env]]))
  end

  describe "a daemon" do
    # Everything that Erlang and Elixir may log about it, in the formats of both.
    defp logged(fun) do
      level = Logger.level()
      :ok = :logger.add_handler(__MODULE__, __MODULE__, %{config: %{pid: self()}})
      Logger.configure(handle_sasl_reports: true, level: :debug)
      text = capture_log(fn -> fun.() end)
      :ok = :logger.remove_handler(__MODULE__)
      Logger.configure(handle_sasl_reports: false, level: level)
      refute_shown(text)
      events = events()
      for event <- events, do: refute_shown(event)
      {text, events}
    end

    @doc false
    def log(event, %{config: %{pid: pid}}), do: send(pid, {:event, event})

    defp events do
      receive do
        {:event, event} -> [event | events()]
      after
        0 -> []
      end
    end

    defp supervised(args, restart \\ :temporary) do
      Process.flag(:trap_exit, true)
      spec = Supervisor.child_spec({Daemon, args}, restart: restart)
      {:ok, supervisor} = Supervisor.start_link([], strategy: :one_for_one)
      result = Supervisor.start_child(supervisor, spec)
      {supervisor, result}
    end

    for {label, command, opts} <- [
          {"whose wait_for fails", "true", [wait_for: {:raise, "no"}]},
          {"that cannot be started later", "true", [wait_for: :ok, cd: "/no/such/directory"]},
          {"that is missing later", "/no/such/program", [wait_for: :ok]},
          {"that cannot be started", "true", [cd: "/no/such/directory"]},
          {"that is missing", "no_such_program", []},
          {"with an option that is wrong", "true", [uid: 0]},
          {"with an option that is misspelt", "true", [envs: @env]},
          {"that fails", "false", []},
          {"whose logger_fun fails", "echo", [logger_fun: {Kernel, :raise}]}
        ] do
      test "#{label} does not log the environment" do
        opts =
          Enum.map(unquote(opts), fn
            {:wait_for, :ok} -> {:wait_for, fn -> :ok end}
            {:wait_for, {:raise, message}} -> {:wait_for, fn -> raise message end}
            other -> other
          end)

        logged(fn ->
          {supervisor, result} = supervised([unquote(command), [], [env: @env] ++ opts])
          refute_shown(result)
          wait_until(fn -> Supervisor.count_children(supervisor).active == 0 end)
          Supervisor.stop(supervisor)
        end)
      end
    end

    test "whose helper is killed does not log the environment" do
      logged(fn ->
        {supervisor, {:ok, daemon}} = supervised(["sleep", ["1000"], [env: @env]])
        kill(Daemon.os_pid(daemon), "KILL")
        wait_until(fn -> Supervisor.count_children(supervisor).active == 0 end)
        Supervisor.stop(supervisor)
      end)
    end

    test "does not show the environment in its state, before and after the start" do
      test = self()

      wait_for = fn ->
        send(test, {:waiting, self()})
        receive(do: (:go_on -> :ok))
      end

      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], env: @env, wait_for: wait_for)
      refute_in_process(daemon)
      assert_receive {:waiting, waiter}
      refute_in_process(waiter, false)
      send(waiter, :go_on)
      wait_until(fn -> is_integer(Daemon.program_os_pid(daemon)) end)
      refute_in_process(daemon)
      {:links, links} = Process.info(daemon, :links)
      for pid <- links, is_pid(pid), pid != self(), do: refute_in_process(pid, false)

      for {_hash, ^daemon, guard} when is_pid(guard) <- :ets.tab2list(MuonTrap.Predecessors),
          do: refute_in_process(guard, false)

      ps = elem(System.cmd("ps", ["-ef"]), 0)
      refute_shown(ps)
      GenServer.stop(daemon)
    end

    test "has a fork server that shows neither its token nor the environment of the BEAM" do
      assert {"", 0} = MuonTrap.cmd("true", [])
      path = System.fetch_env!("PATH")
      {:ok, server} = ForkServer.fetch()
      {token, _raw} = ForkServer.Current.secrets(server)

      process = ForkServer.Server

      for shown <- [:sys.get_state(process), :sys.get_status(process), server] do
        text = inspect(shown, limit: :infinity, printable_limit: :infinity)
        refute text =~ path
        refute text =~ inspect(token)
        refute to_string(:io_lib.format("~p", [shown])) =~ path
      end
    end

    defp refute_in_process(pid, sys? \\ true) do
      refute_shown(Process.info(pid))

      refute_shown(
        Process.info(pid, [:current_stacktrace, :initial_call, :dictionary, :messages])
      )

      if sys? do
        refute_shown(:sys.get_state(pid))
        refute_shown(:sys.get_status(pid))
      end
    end
  end
end
