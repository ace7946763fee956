# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.OptionsTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.Options

  alias MuonTrap.Options
  alias MuonTrap.Options.Env

  doctest MuonTrap.Options

  describe "the command" do
    test "is looked up in PATH" do
      assert %{command: "echo", cmd: path, args: ["hi"]} =
               Options.validate(:cmd, "echo", ["hi"], [])

      assert path == System.find_executable("echo")
    end

    test "is not looked up if its path is absolute" do
      assert Options.validate(:cmd, "/no/such/thing", [], []).cmd == "/no/such/thing"
    end

    test "must exist" do
      for command <- ["no_such_program", "./no/such/program", "", <<0xFF>>] do
        error = assert_raise ErlangError, fn -> Options.validate(:cmd, command, [], []) end
        assert error.original == :enoent
      end
    end

    test "and its arguments are binaries without null bytes" do
      for {context, name} <- [
            cmd: "MuonTrap.cmd/3",
            run: "MuonTrap.run/3",
            daemon: "MuonTrap.Daemon.start_link/3"
          ] do
        assert_raise ArgumentError, ~r"^all arguments for #{name} must be binaries", fn ->
          Options.validate(context, "echo", ["a", ~c"b"], [])
        end

        message = ~s|cannot execute #{name} for program with null byte, got: <<97, 0, 98>>|
        assert_raise ArgumentError, message, fn -> Options.validate(context, "a\0b", [], []) end

        assert_raise ArgumentError, ~r/with a null byte in an argument/, fn ->
          Options.validate(context, "echo", ["a\0b"], [])
        end
      end
    end
  end

  test "every option has its default" do
    options = valid([])
    assert options.into == ""
    assert options.timeout == :infinity
    assert options.delay_to_sigkill == 500
    assert options.stdio_window == 10_240
    assert options.use_stdio
    assert options.env == []
  end

  test "the last of several values is used" do
    assert valid(timeout: 1, timeout: 2).timeout == 2
  end

  test "unknown options, and options that are no keyword list, are refused" do
    assert_raise ArgumentError, ~r/keyword list/, fn -> valid([:cd]) end

    for {name, reason} <- [
          {:no_such_option, "MuonTrap.cmd/3 has no such option"},
          {"cd", "the name of an option is an atom"}
        ] do
      error = assert_raise ArgumentError, fn -> valid([{name, "secret"}]) end
      assert String.starts_with?(error.message, "invalid option #{inspect(name)}: #{reason}")
      refute error.message =~ "secret"
    end
  end

  test "some options are for some functions only" do
    for {key, value} <- [into: [], lines: 10, timeout: 10] do
      assert Map.fetch!(valid(:run, [{key, value}]), key) == value
      refused(:daemon, key, value)
    end

    for {key, value} <- [
          name: :x,
          log_output: :info,
          log_prefix: "x",
          log_transform: &Function.identity/1,
          logger_fun: &Function.identity/1,
          logger_metadata: [a: 1],
          log_max_line_bytes: 100,
          exit_status_to_reason: &Function.identity/1,
          wait_for: fn -> :ok end
        ] do
      assert Map.fetch!(valid(:daemon, [{key, value}]), key) == value
      refused(key, value)
    end
  end

  test "booleans" do
    for key <- [:stderr_to_stdout, :use_stdio, :parallelism, :capture_stderr_only] do
      accepts(key, [{false, false}])
      refuses(key, [nil, 1, "true", :yes])
    end

    accepts(:stderr_to_stdout, [{true, true}])
  end

  test "numbers" do
    accepts(:lines, [{1, 1}, {1024, 1024}])
    refuses(:lines, [0, -1, 1.0, "1", nil])
    accepts(:timeout, [{1, 1}, {:infinity, :infinity}, {4_294_967_295, 4_294_967_295}])
    refuses(:timeout, [0, -1, 1.5, "1", nil, 4_294_967_296])
    accepts(:delay_to_sigkill, [{0, 0}, {4_294_967_295, 4_294_967_295}])
    refuses(:delay_to_sigkill, [-1, 1.5, "1", nil, :infinity, 4_294_967_296])
    accepts(:stdio_window, [{1, 1}, {1_048_576, 1_048_576}])
    refuses(:stdio_window, [0, -1, 1.5, "1", nil, 4_294_967_296])
  end

  test "strings" do
    for key <- [:cd, :arg0] do
      accepts(key, [{"x", "x"}, {"/a b", "/a b"}])
      refuses(key, [~c"x", nil, "a\0b", :x])
    end
  end

  test "environment variables" do
    assert env([{"A", "1"}, {"B", nil}]) == [{"A", "1"}, {"B", nil}]
    assert env(%{"A" => ""}) == [{"A", ""}]

    for {bad, why} <- [
          {{"A", 1}, ~s(the value of "A" is not a string)},
          {{"A", "\0"}, ~s(the value of "A" is not a string)},
          {{:a, "1"}, ":a cannot be the name of a variable"},
          {{"", "1"}, ~s("" cannot be the name of a variable)},
          {{"A=B", "1"}, ~s("A=..." cannot be the name of a variable)},
          {{"A\0", "1"}, ~S(<<65, 0>> cannot be the name of a variable)},
          {"A", "expected a list or map of pairs of strings"}
        ] do
      error = assert_raise ArgumentError, fn -> valid(env: [bad]) end
      assert String.starts_with?(error.message, "invalid option :env: " <> why)
    end

    for bad <- [:a, {"A", "1"}, [{"A", "1"} | "b"]] do
      message = ~r/^invalid option :env: expected a list or map of pairs of strings/
      assert_raise ArgumentError, message, fn -> valid(env: bad) end
    end
  end

  defp env(value), do: Env.reveal(valid(env: value).env)

  test "signals" do
    for value <- [:sigint, :SIGINT, "SIGINT", "sigint", "INT", :int] do
      accepts(:stop_signal, [{value, "SIGINT"}])
    end

    accepts(:stop_signal, [{1, 1}, {64, 64}])
    refuses(:stop_signal, [0, 65, -1, "2", :sigfoo, "", nil, "SIGSIGINT", 1.0])
  end

  test "steps of a stop" do
    accepts(:stop, [
      {[sigint: 5_000, sigterm: 0], [{"SIGINT", 5000}, {"SIGTERM", 0}]},
      {[{2, 1}], [{2, 1}]},
      {[], []}
    ])

    refuses(:stop, [:sigint, [:sigint], [sigint: -1], [sigint: :infinity], [sigfoo: 1], nil, %{}])
    accepts(:stop_scope, [{:program, :program}, {:group, :group}, {:all, :all}])
    refuses(:stop_scope, [:everything, "all", nil])

    for other <- [stop_signal: :sigint, delay_to_sigkill: 500] do
      message = "cannot use :stop and #{inspect(elem(other, 0))}"
      error = assert_raise ArgumentError, fn -> valid([other, stop: [sigint: 1]]) end
      assert error.message =~ message
    end
  end

  test "orphans" do
    accepts(:orphans, [{:kill, :kill}, {:leave, :leave}])
    refuses(:orphans, [:keep, nil, "leave", true])
  end

  test "users and groups" do
    bad =
      [0, "0", "root", "00", "01", "12x", "-1", "+1", -1, " 1", "1 ", "0x3e8", "1e3", "", nil] ++
        [
          4_294_967_295,
          "4294967295",
          4_294_967_296,
          "4294967296",
          "a b",
          "a:b",
          "a/b",
          "a,b",
          "a\0"
        ] ++
        [:nobody, ~c"nobody", 1.0, "a\n", <<"user", 0xFF>>]

    for key <- [:uid, :gid] do
      accepts(key, [
        {1, "1"},
        {65_534, "65534"},
        {4_294_967_294, "4294967294"},
        {"12345", "12345"},
        {"nobody", "nobody"},
        {"_apt", "_apt"},
        {"systemd-network", "systemd-network"},
        {"DOMAIN\\user", "DOMAIN\\user"}
      ])

      refuses(key, bad)
    end

    accepts(:groups, [{[], []}, {["daemon", 12], ["daemon", "12"]}])
    refuses(:groups, Enum.map(bad, &["daemon", &1]) ++ ["daemon", nil, 1])
  end

  describe "daemon options" do
    test "names" do
      accepts(:daemon, :name, [{:a, :a}, {nil, nil}, {{:global, 1}, {:global, 1}}])
      accepts(:daemon, :name, [{{:via, Registry, {:r, 1}}, {:via, Registry, {:r, 1}}}])
      refuses(:daemon, :name, ["a", {:local, :a}, {:via, "x", 1}])
    end

    test "log levels" do
      for level <- [:emergency, :alert, :critical, :error, :warning, :notice, :info, :debug] do
        accepts(:daemon, :log_output, [{level, level}])
      end

      accepts(:daemon, :log_output, [{:warn, :warning}])
      refuses(:daemon, :log_output, [true, :all, "info", nil])
    end

    test "functions" do
      accepts(:daemon, :logger_fun, [{{IO, :puts}, {IO, :puts}}, {{M, :f, [1]}, {M, :f, [1]}}])
      refuses(:daemon, :logger_fun, [fn -> :ok end, {IO, :puts, :x}, {"IO", :puts}, nil])
      refuses(:daemon, :log_transform, [fn -> :ok end, {IO, :puts}])
      refuses(:daemon, :exit_status_to_reason, [fn -> :ok end, :normal])
      refuses(:daemon, :wait_for, [fn _ -> :ok end, :ok])
    end

    test "others" do
      refuses(:daemon, :log_prefix, [:a, nil, 1])
      refuses(:daemon, :logger_metadata, [%{}, [1], :a])
      refuses(:daemon, :log_max_line_bytes, [3, 0, -1, :infinity, "10"])
    end
  end

  test "options that cannot be combined are refused" do
    for {opts, message} <- [
          {[use_stdio: false, stderr_to_stdout: true], ~r/"use_stdio: false"/},
          {[use_stdio: false, capture_stderr_only: true], ~r/"use_stdio: false"/}
        ] do
      assert_raise ArgumentError, message, fn -> valid(opts) end
    end

    assert_raise ArgumentError, ~r/:log_output.*"use_stdio: false"/, fn ->
      valid(:daemon, use_stdio: false, log_output: :info)
    end
  end

  test "the window for a device has room for what is gathered for it" do
    window = fn opts -> Options.new(:cmd, "true", [], opts).stdio_window end

    assert window.(into: File.stream!("/dev/null")) == 262_144
    assert window.(into: IO.stream()) == 262_144
    assert window.(into: []) == 10_240
    assert window.(into: IO.stream(), stdio_window: 7) == 7
  end
end
