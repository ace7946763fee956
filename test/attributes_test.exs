# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.AttributesTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.{Needs, Options}

  alias MuonTrap.{Daemon, Error}
  alias MuonTrap.Options.Capabilities

  # A file of the program in /proc.
  defp shown(file, opts) do
    assert {text, 0} = MuonTrap.cmd("cat", ["/proc/self/#{file}"], opts)
    text
  end

  defp field(status, name) do
    [_line, value] = Regex.run(~r/^#{name}:\s*(.*)$/m, status)
    value
  end

  # Soft and hard limit.
  defp limit(limits, name) do
    [_line, soft, hard] = Regex.run(~r/^#{name} +(\w+) +(\w+)/m, limits)
    {soft, hard}
  end

  defp niceness(stat),
    do: stat |> String.split(") ") |> List.last() |> String.split() |> Enum.at(16)

  # The error with which the program is refused, everywhere the same.
  defp refused_by_host(opts) do
    error = assert_raise Error, fn -> MuonTrap.cmd("true", [], opts) end
    assert {:error, ^error} = Daemon.start_link("true", [], opts)
    assert error.exit_status == 125
    refute Exception.message(error) =~ "--"
    error
  end

  test "the niceness, the umask and the score when memory runs out" do
    assert niceness(shown("stat", nice: 19)) == "19"
    assert field(shown("status", umask: 0o027), "Umask") == "0027"
    assert shown("oom_score_adj", oom_score_adj: 700) == "700\n"
  end

  test "resource limits" do
    limits = [nofile: {8, 9}, core: 0, cpu: {70, 80}, fsize: 1_000_000]
    limits = shown("limits", rlimits: limits)
    assert limit(limits, "Max open files") == {"8", "9"}
    assert limit(limits, "Max core file size") == {"0", "0"}
    assert limit(limits, "Max cpu time") == {"70", "80"}
    assert limit(limits, "Max file size") == {"1000000", "1000000"}
    assert limit(shown("limits", rlimits: []), "Max file size") == {"unlimited", "unlimited"}
  end

  test "a limit ends a program that exceeds it" do
    assert MuonTrap.run("sh", ["-c", "while :; do :; done"], rlimits: [cpu: 1]).signal == 9
    assert {"", 139} = MuonTrap.cmd("true", [], rlimits: [as: 4096])
  end

  test "no_new_privs" do
    assert field(shown("status", no_new_privs: true), "NoNewPrivs") == "1"
    assert field(shown("status", no_new_privs: false), "NoNewPrivs") == "0"
  end

  test "for streams, run/3, handles and daemons" do
    args = ["/proc/self/oom_score_adj"]
    opts = [oom_score_adj: 900]
    assert MuonTrap.run("cat", args, opts).output == "900\n"
    assert MuonTrap.stream!("cat", args, opts) |> Enum.join() == "900\n"

    {:ok, process} = MuonTrap.Process.start_link("cat", args, opts)
    assert MuonTrap.Process.read(process) == {:ok, {:stdout, "900\n"}}
    assert {:ok, %{exit_status: 0}} = MuonTrap.Process.await_exit(process)

    {:ok, daemon} = Daemon.start_link("sleep", ["1000"], opts ++ [nice: 7, rlimits: [core: 3]])
    pid = Daemon.program_os_pid(daemon)
    assert File.read!("/proc/#{pid}/oom_score_adj") == "900\n"
    assert niceness(File.read!("/proc/#{pid}/stat")) == "7"
    assert limit(File.read!("/proc/#{pid}/limits"), "Max core file size") == {"3", "3"}
    GenServer.stop(daemon)
  end

  describe "capabilities" do
    @sets ~w(CapInh CapPrm CapEff CapBnd CapAmb)

    for opts <- [[], [uid: "nobody"], [uid: 12_345, no_new_privs: true]] do
      @tag needs(:root)
      test "are the given ones in all sets with #{inspect(opts)}" do
        for {names, value} <- [{[], "0"}, {[:kill, "CAP_SYS_NICE", "cap_chown"], "800021"}] do
          status = shown("status", [capabilities: names] ++ unquote(opts))
          value = String.pad_leading(value, 16, "0")
          for set <- @sets, do: assert({set, field(status, set)} == {set, value})
        end
      end
    end

    @tag needs(:root)
    test "are all known to the helper" do
      held = "status" |> shown([]) |> field("CapPrm") |> String.to_integer(16)

      for {name, number} <- Enum.with_index(Capabilities.names()) do
        mask = Bitwise.bsl(1, number)

        if Bitwise.band(held, mask) != 0 do
          status = shown("status", capabilities: [name])
          assert {name, String.to_integer(field(status, "CapEff"), 16)} == {name, mask}
        else
          assert %{step: :capabilities} = refused_by_host(capabilities: [name])
        end
      end
    end

    @tag needs(:root)
    test "are of use to another user" do
      opts = [uid: "nobody", stderr: :discard]
      chown = &MuonTrap.cmd("chown", ["root", &1], opts ++ &2)
      path = Path.join(System.tmp_dir!(), "muontrap-attributes-#{System.pid()}")
      File.write!(path, "")
      assert {"", 1} = chown.(path, [])
      assert {"", 0} = chown.(path, capabilities: [:chown])
      File.rm!(path)
    end
  end

  describe "without privileges" do
    for {opts, errno} <- [
          {[nice: -1], :eacces},
          {[oom_score_adj: -1000], :eacces},
          {[rlimits: [nofile: 4_000_000_000]], :eperm},
          {[capabilities: []], :eperm}
        ] do
      @tag needs(:ordinary_user)
      test "#{inspect(opts)} is refused" do
        opts = unquote(opts)
        step = opts |> Keyword.keys() |> hd()
        error = refused_by_host(opts)
        assert %{step: ^step, errno: unquote(errno)} = error
        assert Exception.message(error) =~ "only root"
      end
    end
  end

  describe "the environment" do
    test "is only the given one with clear_env: true" do
      for env <- [[], [{"A", "1"}]] do
        opts = [clear_env: true, env: env]
        expected = Enum.map_join(env, fn {name, value} -> "#{name}=#{value}\n" end)
        assert MuonTrap.cmd("env", [], opts) == {expected, 0}
      end

      # PATH is the BEAM's, whatever the program gets.
      assert MuonTrap.cmd("env", [], clear_env: true, env: %{"PATH" => "/nowhere"}) ==
               {"PATH=/nowhere\n", 0}
    end

    @tag needs(:root)
    test "is that of a login with login_env: true" do
      {entry, 0} = System.cmd("getent", ["passwd", "nobody"])
      [_, _, _, _, _, home, shell] = entry |> String.trim() |> String.split(":")
      opts = [uid: "nobody", login_env: true, clear_env: true]

      assert variables(opts) ==
               %{"HOME" => home, "SHELL" => shell, "USER" => "nobody", "LOGNAME" => "nobody"}

      # :env has the last word.
      env = [{"HOME", "/tmp"}, {"USER", nil}]

      assert variables([env: env] ++ opts) ==
               %{"HOME" => "/tmp", "SHELL" => shell, "LOGNAME" => "nobody"}

      inherited = variables(uid: "nobody", login_env: true)
      assert inherited["PATH"] == System.get_env("PATH")
      assert inherited["HOME"] == home
    end

    @tag needs(:root)
    test "of a login needs a user" do
      error = refused_by_host(uid: 12_345, login_env: true)
      assert %{step: :login_env, path: "12345"} = error
      assert Exception.message(error) =~ "there is no user with the id 12345"
    end

    defp variables(opts) do
      assert {output, 0} = MuonTrap.cmd("env", [], opts)

      for line <- String.split(output, "\n", trim: true), into: %{} do
        [name, value] = String.split(line, "=", parts: 2)
        {name, value}
      end
    end
  end

  describe "what is wrong everywhere is an ArgumentError:" do
    test "values" do
      refuses(:nice, [-21, 20, "5", nil, 1.0])
      refuses(:umask, [-1, 0o1000, "022", nil])
      refuses(:oom_score_adj, [-1001, 1001, :max, nil])
      refuses(:no_new_privs, [1, nil, "true"])
      refuses(:clear_env, [1, nil])
      refuses(:login_env, [1, nil])
      refuses(:rlimits, [nil, %{nofile: 1}, [:nofile], [{"nofile", 1}]])

      for limit <- [-1, {2, 1}, {:unlimited, 1}, {1}, nil, 0xFFFFFFFFFFFFFFFF, {{1, 2}, 3}],
          do: refuses(:rlimits, [[nofile: limit]])

      refuses(:capabilities, [
        nil,
        :kill,
        [nil],
        [1],
        [""],
        [:cap_],
        [:kill | :chown],
        ["kill,chown"]
      ])
    end

    test "names, with the nearest one" do
      assert refused(:rlimits, nofiles: 1) =~
               "there is no resource limit :nofiles. Did you mean :nofile?"

      assert refused(:rlimits, zzz: 1) =~ ". There are :as, :core"

      assert refused(:rlimits, nofile: {2, 1}) =~
               "the resource limit :nofile takes a number, {soft, hard}"

      assert refused(:capabilities, [:net_bindservice]) =~ "Did you mean :net_bind_service?"
      assert refused(:capabilities, ["CAP_ZZZ"]) =~ "capabilities(7) lists them"
    end

    test "login_env: true without a user" do
      assert_raise ArgumentError, ~r/needs the option :uid/, fn -> valid(login_env: true) end
    end
  end

  test "accepted values" do
    accepts(:rlimits, [
      {[nofile: 5, core: :unlimited], %{nofile: "5 5", core: "unlimited unlimited"}},
      {[stack: {1, :unlimited}], %{stack: "1 unlimited"}}
    ])

    accepts(:capabilities, [
      {[:KILL, "Cap_Net_Raw", :cap_chown], ["kill", "net_raw", "chown"]},
      {[], []}
    ])
  end
end
