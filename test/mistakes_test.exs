# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.MistakesTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Daemon

  # Common mistakes, and what the message has to say: what is wrong, and how to fix it.
  defp mistakes do
    cmd = &MuonTrap.cmd/3
    daemon = &Daemon.start_link/3
    secret = "hunter2"

    [
      # The arguments.
      {fn -> cmd.(~c"ls", [], []) end, ~r/command to be a string.*charlist/, ~r/"ls"/},
      {fn -> cmd.(:ls, [], []) end, ~r/command to be a string.*:ls/, ~r/such as "echo"/},
      {fn -> cmd.("ls -l", [], []) end, ~r/no program "ls -l" in PATH/,
       ~r/arguments go into the list: MuonTrap.cmd\("ls", \["-l"\]\)/},
      {fn -> cmd.("echo a | cat", [], []) end, ~r/no program "echo a \| cat" in PATH/,
       ~r/no shell unless it is run: MuonTrap.cmd\("sh", \["-c", "echo a \| cat"\]\)/},
      {fn -> cmd.("ls", "-l", []) end, ~r/arguments to be a list of strings, got: "-l"/,
       ~r/write \["-l"\]/},
      {fn -> cmd.("ls", [1], []) end, ~r/arguments for MuonTrap.cmd\/3 must be binaries, got: 1/,
       ~r/write "1"/},
      {fn -> cmd.("ls", [:l], []) end, ~r/arguments .* must be binaries, got: :l/, ~r/write "l"/},
      {fn -> cmd.("ls", ["-l" | "-a"], []) end, ~r/arguments .* improper list/,
       ~r/binaries in a list/},
      {fn -> cmd.("ls", [env: [{"A", secret}]], []) end, ~r/arguments .*, got: options/,
       ~r/list of arguments goes before them: \[\], env: .../},
      {fn -> cmd.("ls", [], %{env: secret}) end, ~r/keyword list for MuonTrap.cmd\/3, got: a map/,
       ~r/write \[cd: "\/"\]/},
      {fn -> cmd.("ls", [], [:stderr_to_stdout]) end, ~r/no pair: :stderr_to_stdout/,
       ~r/write stderr_to_stdout: value/},
      {fn -> cmd.("ls", [], [{:cd, "/"} | secret]) end, ~r/got: an improper list/,
       ~r/expected options to be a keyword list/},

      # Names of options.
      {fn -> cmd.("ls", [], timout: 100) end,
       ~r/option :timout: MuonTrap.cmd\/3 has no such option/, ~r/Did you mean :timeout\?/},
      {fn -> cmd.("ls", [], envs: [{"A", secret}]) end, ~r/:envs.* has no such option/,
       ~r/Did you mean :env\?/},
      {fn -> cmd.("ls", [], cwd: "/") end, ~r/:cwd.* has no such option/, ~r/Did you mean :cd\?/},
      {fn -> cmd.("ls", [], nonsense: secret) end, ~r/:nonsense.* has no such option/,
       ~r/There are :arg0, .* and :use_stdio/},
      {fn -> cmd.("ls", [], log_output: :info) end, ~r/only MuonTrap.Daemon.start_link\/3 has it/,
       ~r/run the program with MuonTrap.Daemon/},
      {fn -> daemon.("ls", [], timeout: 100) end,
       ~r/only MuonTrap.cmd\/3, .* and MuonTrap.stream!\/3 have it/, ~r/leave it out/},
      {fn -> daemon.("ls", [], into: "") end, ~r/:into with value "": only MuonTrap.cmd\/3/,
       ~r/use :logger_fun/},
      {fn -> daemon.("ls", [], restart: :transient) end,
       ~r/:restart: it belongs to the child spec/,
       ~r/Supervisor.child_spec\({MuonTrap.Daemon, \[command, args, opts\]}, restart: ...\)/},
      {fn -> daemon.("ls", [], id: :a) end, ~r/:id: it belongs to the child spec/, ~r/, id: .../},

      # Values of options.
      {fn -> cmd.("ls", [], timeout: 0) end, ~r/:timeout with value 0/,
       ~r/milliseconds from 1 to 4294967295, or :infinity/},
      {fn -> cmd.("ls", [], timeout: "100") end, ~r/:timeout with value "100"/,
       ~r/without quotes/},
      # Without quotes alone, 077 would be the decimal 77.
      {fn -> cmd.("ls", [], umask: "077") end,
       ~r/:umask with value "077": expected permission bits from 0 to 0o777/, ~r/write 0o077/},
      {fn -> cmd.("ls", [], stderr: :stdout) end, ~r/:stderr with value :stdout/,
       ~r/expected :inherit, :to_stdout, :discard, :capture, {:file, path}, or/},
      {fn -> cmd.("ls", [], uid: 0) end, ~r/:uid with value 0: root is refused, as programs/,
       ~r/leave the option out/},
      {fn -> cmd.("ls", [], groups: ["root"]) end,
       ~r/:groups with value \["root"\]: root is refused/, ~r/leave/},
      {fn -> cmd.("ls", [], uid: :nobody) end, ~r/:uid with value :nobody/, ~r/write "nobody"/},
      {fn -> cmd.("ls", [], cd: ~c"/") end, ~r/:cd with value .*charlist/,
       ~r/a string has double quotes/},
      {fn -> cmd.("ls", [], cd: "") end, ~r/:cd with value ""/, ~r/a path: .* not empty/},
      {fn -> cmd.("ls", [], env: [PASSWORD: secret]) end,
       ~r/:env: :PASSWORD cannot be the name of a variable/, ~r/write "PASSWORD"/},
      {fn -> cmd.("ls", [], env: ["PASSWORD=" <> secret]) end,
       ~r/:env: .* element that is no pair/, ~r/pairs of strings such as {"NAME", "value"}/},
      {fn -> cmd.("ls", [], stop_signal: :sigfoo) end, ~r/:stop_signal with value :sigfoo/,
       ~r/1 to 64, or a name such as :sigterm/},
      {fn -> cmd.("ls", [], stop: [sigterm: 1, sigfoo: 1]) end,
       ~r/:stop with value \[sigterm: 1, sigfoo: 1\]: .*, got: :sigfoo/,
       ~r/1 to 64, or a name such as :sigterm/},
      {fn -> cmd.("ls", [], input: :nul) end, ~r/:input with value :nul: expected/,
       ~r/:null or :open/},
      {fn -> cmd.("ls", [], cgroup_base: "a", cgroup: %{memory: 1}) end,
       ~r/there is no limit :memory/, ~r/Did you mean .*:memory_max/},
      {fn -> daemon.("ls", [], logger_fun: fn -> :ok end) end,
       ~r/:logger_fun with value #Function/, ~r/a function of one argument, {module, function}/},

      # Children of supervisors.
      {fn -> Daemon.child_spec(["sleep", "1000"]) end,
       ~r/child_spec\/1 expects the arguments to be a list of strings, got: "1000"/,
       ~r/write \["1000"\]/},
      {fn -> Daemon.child_spec("sleep") end, ~r/expects \[command, args\].*, got: "sleep"/,
       ~r/write {MuonTrap.Daemon, \["sleep", \[\]\]}/},
      {fn -> Daemon.child_spec(["sleep", ["1"], restart: secret]) end,
       ~r/keyword list for MuonTrap.Daemon.child_spec\/1, got: a tuple/,
       ~r/write \[restart: ...\], with brackets of its own/},
      {fn -> Daemon.child_spec(["sleep", ["1"], name: A, env: secret]) end,
       ~r/expects \[command, args\].*, got: a list of 4/,
       ~r/write {MuonTrap.Daemon, \["sleep", \[...\], \[name: ..., ...\]\]}/}
    ]
  end

  test "the message for each of 41 mistakes says what is wrong and how to fix it" do
    assert length(mistakes()) == 41

    scores =
      for {mistake, wrong, fix} <- mistakes() do
        message = message(mistake)
        refute message =~ "hunter2"
        # The user has written options, not flags of the helper.
        refute message =~ "--"
        points = for regex <- [wrong, fix], do: if(message =~ regex, do: 1, else: 0)
        if points != [1, 1], do: IO.puts("#{inspect(points)} #{message}")
        points
      end

    assert scores |> List.flatten() |> Enum.sum() == 82
  end

  defp message(mistake) do
    mistake.()
  rescue
    error in [ArgumentError, ErlangError] -> Exception.message(error)
  else
    other -> flunk("no error, but #{inspect(other)}")
  end

  test "every option or argument of a wrong type raises an ArgumentError that names it" do
    values = [
      nil,
      :x,
      1.5,
      -1,
      ~c"abc",
      "",
      "a\0",
      %{},
      [1 | 2],
      [[]],
      {1},
      fn -> 1 end,
      self()
    ]

    for {context, run} <- [
          cmd: &MuonTrap.cmd/3,
          run: &MuonTrap.run/3,
          daemon: &Daemon.start_link/3
        ] do
      for name <- MuonTrap.Options.Table.names(context),
          value <- values,
          {:error, error} <- [validate(context, [{name, value}])] do
        assert %ArgumentError{message: message} = error
        assert message =~ inspect(name) or message =~ "cgroup", message
      end

      for value <- values -- ["", "a\0"] do
        assert_raise ArgumentError, fn -> run.(value, [], []) end
      end

      for value <- values do
        assert_raise ArgumentError, fn -> run.("true", value, []) end
        assert_raise ArgumentError, fn -> run.("true", [], value) end
        assert_raise ArgumentError, fn -> run.("true", [], [{:cd, "/"}, value]) end
      end
    end

    for value <- values ++ [[], ["a"], ["a", []] ++ "b", ["a", [], [], []], [a: 1, b: 2]] do
      assert_raise ArgumentError, fn -> Daemon.child_spec(value) end
    end
  end

  defp validate(context, opts) do
    {:ok, MuonTrap.Options.validate(context, "true", [], opts)}
  rescue
    error -> {:error, error}
  end

  test "for a missing program, the error has the reason of System.cmd/3 and says where the program was looked up" do
    for run <- [&MuonTrap.cmd/3, &MuonTrap.run/3] do
      for {command, reason, text} <- [
            {"no_such_program", :enoent, ~r/no program "no_such_program" in PATH, which is "\//},
            {"/no/such/program", :enoent, ~r/there is no program "\/no\/such\/program"/},
            {"/etc/passwd", :eacces, ~r/"\/etc\/passwd" is not executable/}
          ] do
        {error, stacktrace} = caught(fn -> run.(command, [], env: [{"A", "hunter2"}]) end)
        assert error == reason
        text_of_error = Exception.format(:error, error, stacktrace)
        assert text_of_error =~ text
        refute text_of_error =~ "hunter2"
      end
    end
  end

  defp caught(fun) do
    fun.()
  catch
    :error, error -> {error, __STACKTRACE__}
  end

  test "list items in the documentation have no backslash, which IEx would omit" do
    for module <- [
          MuonTrap,
          Daemon,
          MuonTrap.Error,
          MuonTrap.ExitError,
          MuonTrap.Options,
          MuonTrap.Process,
          MuonTrap.Result
        ],
        {_, _, _, _, module_doc, _, docs} = Code.fetch_docs(module),
        %{"en" => text} <- [module_doc | Enum.map(docs, &elem(&1, 3))],
        item <- Regex.scan(~r/^ *(?:\*|\d+\.) .*(?:\n +\S.*)*/m, text) do
      refute hd(item) =~ "\\"
    end
  end

  test "each option is in the documentation of its functions" do
    for {context, module, name} <- [{:cmd, MuonTrap, :cmd}, {:daemon, Daemon, nil}] do
      {_, _, _, _, module_doc, _, docs} = Code.fetch_docs(module)

      text =
        if name,
          do:
            Enum.find_value(
              docs,
              &(match?({{:function, ^name, _}, _, _, _, _}, &1) && elem(&1, 3))
            ),
          else: module_doc

      for option <- MuonTrap.Options.Table.names(context),
          context == :cmd or option not in MuonTrap.Options.Table.names(:cmd),
          do: assert(text["en"] =~ "`:#{option}`")
    end
  end
end
