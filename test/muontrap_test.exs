# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrapTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Needs, OS}

  doctest MuonTrap

  defp sh(script, opts \\ []), do: MuonTrap.cmd("sh", ["-c", script], opts)

  describe "as with System.cmd/3:" do
    test "arguments are passed unchanged" do
      args = ["", " ", "--", "-x", "--uid=0", "*", "$HOME", "a\nb", "ä", <<0xFF>>]
      script = ~S(for arg; do printf '[%s]' "$arg"; done)
      expected = Enum.map_join(args, &"[#{&1}]")
      assert MuonTrap.cmd("sh", ["-c", script, "sh" | args]) == {expected, 0}
    end

    test ":into" do
      assert {["a\n" | _], 0} = sh("echo a", into: [])
      assert {%MapSet{}, 0} = sh("echo a", into: MapSet.new())
    end

    @tag :tmp_dir
    test ":into a text device that takes whole characters", %{tmp_dir: directory} do
      script = "for i in 1 2 3; do seq -f 'é€%g' 1 5000; done"
      {expected, 0} = sh(script)
      {:ok, string} = StringIO.open("")
      path = Path.join(directory, "output")

      for into <- [IO.stream(string, :line), File.stream!(path, [:utf8])],
          do: assert({_into, 0} = sh(script, into: into))

      assert StringIO.flush(string) == expected
      assert File.read!(path) == expected
    end

    test ":lines" do
      # Also one byte at a time, since the lines must not depend on the chunks.
      for window <- [1, 10_240], max <- [1, 3, 1024] do
        collected = fn text ->
          sh("printf '#{text}'", into: [], lines: max, stdio_window: window)
        end

        assert collected.("a\\r\\nbcdefg\\r\\n\\nabcdef") == {["a", "bcdefg", "", "abcdef"], 0}
        assert collected.("abc\\r\\nab\\r\\r\\nx") == {["abc", "ab\r", "x"], 0}
        assert collected.("a\\rb\\n\\n") == {["a\rb", ""], 0}
        assert collected.("") == {[], 0}
      end

      assert sh("printf 'a\\nb'", lines: 1024) == {"ab", 0}
    end

    @tag :tmp_dir
    test ":cd", %{tmp_dir: directory} do
      assert sh("pwd -P", cd: directory) == System.cmd("sh", ["-c", "pwd -P"], cd: directory)
    end

    test ":env" do
      System.put_env("MUONTRAP_TEST_A", "inherited")
      System.put_env("MUONTRAP_TEST_B", "inherited")
      script = "echo $MUONTRAP_TEST_A ${MUONTRAP_TEST_B-unset} $MUONTRAP_TEST_C"
      env = [{"MUONTRAP_TEST_B", nil}, {"MUONTRAP_TEST_C", "ä 1"}]
      assert sh(script, env: env) == {"inherited unset ä 1\n", 0}
      assert sh(script, env: Map.new(env)) == {"inherited unset ä 1\n", 0}
    end

    test ":arg0" do
      script = ~S(tr '\0' '\n' </proc/$$/cmdline | head -n 1)
      assert {"-name\n", 0} = sh(script, arg0: "-name")
    end

    test ":stderr_to_stdout" do
      script = "for i in 1 2 3; do echo o$i; echo e$i >&2; done"
      assert sh(script, stderr_to_stdout: true) == {"o1\ne1\no2\ne2\no3\ne3\n", 0}
    end

    test ":capture_stderr_only" do
      assert sh("echo out; echo err >&2", capture_stderr_only: true) == {"err\n", 0}
    end

    @tag :tmp_dir
    test ":use_stdio", %{tmp_dir: directory} do
      mine = Enum.map(0..2, &File.read_link!("/proc/#{System.pid()}/fd/#{&1}"))
      file = Path.join(directory, "fds")
      script = ~s(for i in 0 1 2; do readlink /proc/$$/fd/$i; done >'#{file}')
      # The redirection applies to the loop alone, so the shell's own descriptors are read before.
      script = "exec 9>&1; #{script}; readlink /proc/$$/fd/9 >>'#{file}'"
      assert sh(script, use_stdio: false) == {"", 0}
      [stdin, _file, stderr, stdout] = file |> File.read!() |> String.split("\n", trim: true)
      assert [stdin, stdout, stderr] == mine
    end

    test ":parallelism" do
      for value <- [true, false], do: assert(sh("echo a", parallelism: value) == {"a\n", 0})
    end

    test "a missing program" do
      for command <- ["no_such_program", "/no/such/program", "./no_such_program"] do
        error = assert_raise ErlangError, fn -> MuonTrap.cmd(command, []) end
        assert error.original == :enoent
      end
    end

    @tag :tmp_dir
    test "a program that is not executable", %{tmp_dir: directory} do
      file = Path.join(directory, "file")
      File.write!(file, "#!/bin/sh\n")

      for path <- [file, directory] do
        error = assert_raise ErlangError, fn -> MuonTrap.cmd(path, []) end
        assert error.original == :eacces
      end
    end

    test "from Erlang" do
      source = ~c"'Elixir.MuonTrap':cmd(<<\"echo\">>, [<<\"hi\">>], [])."
      {:ok, tokens, _line} = :erl_scan.string(source)
      {:ok, expressions} = :erl_parse.parse_exprs(tokens)
      assert {:value, {"hi\n", 0}, _bindings} = :erl_eval.exprs(expressions, [])
    end
  end

  describe "exit statuses" do
    test "exit codes" do
      for code <- [0, 1, 2, 42, 125, 126, 127, 128, 255],
          do: assert(sh("exit #{code}") == {"", code})
    end

    test "signals" do
      for {name, number} <- [TERM: 15, KILL: 9, INT: 2, SEGV: 11] do
        assert sh("kill -#{name} $$") == {"", 128 + number}
      end
    end
  end

  describe "output" do
    test "is complete" do
      {output, 0} = MuonTrap.cmd("seq", ["1", "20000"])
      assert output == Enum.map_join(1..20_000, &"#{&1}\n")
    end

    test "is complete through a window of one byte" do
      assert MuonTrap.cmd("seq", ["1", "200"], stdio_window: 1) ==
               {Enum.map_join(1..200, &"#{&1}\n"), 0}
    end

    test "has the same bytes" do
      bytes = for _ <- 1..4, byte <- 0..255, into: "", do: <<byte>>
      octal = for <<byte <- bytes>>, into: "", do: "\\0" <> Integer.to_string(byte, 8)
      assert MuonTrap.cmd("printf", ["%b", octal]) == {bytes, 0}
    end

    test "of concurrent commands is not mixed" do
      1..50
      |> Task.async_stream(fn n -> {n, sh("echo #{n}")} end, max_concurrency: 50)
      |> Enum.each(fn {:ok, {n, result}} -> assert result == {"#{n}\n", 0} end)
    end

    test "is collected while the program runs" do
      owner = self()

      task =
        Task.async(fn ->
          {:ok, _collected} = await_first_line(owner)
        end)

      assert_receive {:chunk, "first\n"}
      send(task.pid, :go_on)
      assert Task.await(task, :infinity) == {:ok, {:done, 0}}
    end

    defp await_first_line(owner) do
      into = %MuonTrap.Test.Callback{
        fun: fn chunk ->
          send(owner, {:chunk, chunk})
          receive(do: (:go_on -> :ok))
        end
      }

      {:ok, MuonTrap.cmd("echo", ["first"], into: into)}
    end
  end

  describe "run/3" do
    test "reports the resources that the program used" do
      result =
        MuonTrap.run("sh", ["-c", "echo out; echo error >&2; exit 7"], stderr_to_stdout: true)

      assert %MuonTrap.Result{output: "out\nerror\n", exit_status: 7, signal: nil} = result
      assert result.stdout_bytes == 10
      assert result.wall_time_us > 0
      assert result.peak_rss_bytes > 0

      refute result.core_dumped or result.oom_killed or result.sigkill_needed or
               result.cgroup_left

      assert {result.swept, result.survivors} == {0, 0}
    end

    test "counts processes that were left behind" do
      assert MuonTrap.run("sh", ["-c", "sleep 1000 & sleep 1000 &"]).swept == 2
    end

    test "reports a timeout" do
      result = MuonTrap.run("sh", ["-c", "echo a; exec sleep 1000"], timeout: 3000)
      assert %{output: "a\n", exit_status: :timeout, signal: 15, sigkill_needed: false} = result
    end

    test "raises the errors of cmd/3" do
      error = assert_raise ErlangError, fn -> MuonTrap.run("no_such_program", []) end
      assert error.original == :enoent
      assert_raise ArgumentError, fn -> MuonTrap.run("true", [], uid: 0) end
    end
  end

  describe "MuonTrap.Error is raised for" do
    test "a missing directory" do
      error = assert_raise MuonTrap.Error, fn -> sh("true", cd: "/no/such/directory") end
      assert %{step: :cd, path: "/no/such/directory", errno: :enoent, exit_status: 125} = error
    end

    test "a missing user or group" do
      for {key, value} <- [uid: "no_such_user", gid: "no_such_group", groups: ["no_such_group"]] do
        error = assert_raise MuonTrap.Error, fn -> sh("true", [{key, value}]) end
        assert %{step: ^key, exit_status: 125} = error
        assert Exception.message(error) =~ "no_such_"
      end
    end

    @tag :tmp_dir
    test "a missing interpreter", %{tmp_dir: directory} do
      path = script(directory, "program", "#!/no/such/interpreter\n")
      error = assert_raise MuonTrap.Error, fn -> MuonTrap.cmd(path, []) end
      assert %{step: :exec, errno: :enoent, exit_status: 126} = error
    end

    @tag :tmp_dir
    test "a file that is not in an executable format", %{tmp_dir: directory} do
      for content <- ["", "echo a\n"] do
        path = script(directory, "program", content)
        error = assert_raise MuonTrap.Error, fn -> MuonTrap.cmd(path, []) end
        assert %{step: :exec, errno: :enoexec, exit_status: 126} = error
      end
    end

    test "too many arguments" do
      args = List.duplicate(String.duplicate("x", 100_000), 40)
      error = assert_raise MuonTrap.Error, fn -> MuonTrap.cmd("true", args) end
      assert %{step: :exec, errno: :e2big} = error
    end
  end

  @tag needs(:root)
  test "a program runs as another user" do
    assert MuonTrap.cmd("id", ["-u"], uid: 12_345) == {"12345\n", 0}
  end
end
