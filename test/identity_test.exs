# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.IdentityTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.Needs

  alias MuonTrap.{Daemon, Error}

  defp status(output) do
    for line <- String.split(output, "\n", trim: true), into: %{} do
      [key, value] = String.split(line, ":", parts: 2)
      {key, String.split(value)}
    end
  end

  # The output of a program about itself.
  defp output(command, args, opts) do
    assert {output, 0} = MuonTrap.cmd(command, args, opts)
    output
  end

  defp own_status(opts), do: status(output("cat", ["/proc/self/status"], opts))

  describe "a program of another user keeps nothing of root" do
    for uid <- ["nobody", 65_534, 12_345] do
      @tag needs(:root)
      test "with uid: #{inspect(uid)}, according to id(1)" do
        id = output("id", [], uid: unquote(uid))
        number = number_of(unquote(uid))
        assert id =~ ~r/\Auid=#{number}\b/
        refute id =~ ~r/\b0\(|root|=0\b|,0\b/
      end

      # Real, effective, saved and file system ids, which id(1) does not show.
      @tag needs(:root)
      test "with uid: #{inspect(uid)}, according to the kernel" do
        status = own_status(uid: unquote(uid))
        number = number_of(unquote(uid))
        assert status["Uid"] == List.duplicate("#{number}", 4)
        assert [gid, gid, gid, gid] = status["Gid"]
        assert gid != "0" and "0" not in status["Groups"]
        for set <- ~w(CapInh CapPrm CapEff CapAmb), do: assert(hex(status[set]) == 0)
      end
    end

    # Also if the BEAM has more groups than root. They are inherited by a second helper, which the first one
    # runs.
    @tag needs(:root)
    test "if root has more groups" do
      args = ["--uid", "12345", "--", "cat", "/proc/self/status"]
      status = status(output(MuonTrap.muontrap_path(), args, groups: [4, 5, 6]))
      assert %{"Groups" => [], "Uid" => ["12345" | _], "Gid" => ["65534" | _]} = status
      assert %{"Groups" => ~w(4 5 6)} = own_status(groups: [4, 5, 6])
    end

    @tag needs(:root)
    test "with the options :gid and :groups" do
      opts = [uid: 12_345, gid: 23_456, groups: [34_567, 45_678]]
      assert %{"Gid" => gids, "Groups" => groups} = own_status(opts)
      assert gids == List.duplicate("23456", 4)
      assert Enum.sort(groups -- ["23456"]) == ["34567", "45678"]
    end

    @tag needs(:root)
    test "in a daemon" do
      {:ok, daemon} = Daemon.start_link("sleep", ["1000"], uid: "nobody")
      program = Daemon.program_os_pid(daemon)
      status = status(File.read!("/proc/#{program}/status"))
      assert status["Uid"] == List.duplicate("#{number_of("nobody")}", 4)
      assert "0" not in (status["Gid"] ++ status["Groups"])
      GenServer.stop(daemon)
    end

    defp number_of(uid) when is_integer(uid), do: uid

    defp number_of(name) do
      {uid, 0} = System.cmd("id", ["-u", name])
      uid |> String.trim() |> String.to_integer()
    end

    defp hex([number]), do: String.to_integer(number, 16)
  end

  describe "a BEAM that does not run as root" do
    for opts <- [
          [uid: 12_345],
          [uid: "daemon"],
          [gid: 12_345],
          [groups: [12_345]],
          [uid: 12_345, gid: 23_456, groups: [34_567]]
        ] do
      @tag needs(:ordinary_user)
      test "cannot switch with #{inspect(opts)}" do
        opts = unquote(opts)
        error = assert_raise Error, fn -> MuonTrap.cmd("true", [], opts) end
        assert %{step: step, errno: :eperm, exit_status: 125} = error
        assert step in [:uid, :gid, :groups]
        assert Exception.message(error) =~ "only root"
        assert {:error, ^error} = Daemon.start_link("true", [], opts)
      end
    end

    @tag needs(:ordinary_user)
    test "can run programs as its own user" do
      {uid, 0} = System.cmd("id", ["-u"])
      opts = [uid: uid |> String.trim() |> String.to_integer()]
      assert MuonTrap.cmd("id", ["-u"], opts) == {uid, 0}
    end
  end

  describe "the program gets" do
    # Uses builtins only. The glob opens a descriptor, but closes it before the output.
    @descriptors """
    list=
    for fd in /proc/$$/fd/*; do [ -L $fd ] && list="$list ${fd##*/}"; done
    echo $list >"$0"
    """

    @tag :tmp_dir
    test "descriptors 0, 1 and 2 and no others", %{tmp_dir: directory} do
      # Descriptors that could be inherited.
      {:ok, _socket} = :gen_tcp.listen(0, [])
      for n <- 1..20, do: {:ok, _file} = File.open("#{directory}/#{n}", [:write])

      for opts <- [[], [stderr_to_stdout: true], [capture_stderr_only: true], [use_stdio: false]] do
        file = Path.join(directory, "descriptors")
        assert MuonTrap.cmd("sh", ["-c", @descriptors, file], opts) == {"", 0}
        assert {opts, File.read!(file)} == {opts, "0 1 2\n"}
      end
    end

    test "default signal dispositions and an empty mask" do
      {output, 0} = MuonTrap.cmd("cat", ["/proc/self/status"])
      status = status(output)
      for set <- ~w(SigBlk SigIgn SigCgt SigPnd), do: assert({set, hex(status[set])} == {set, 0})
    end

    test "a process group of its own" do
      {output, 0} = MuonTrap.cmd("cat", ["/proc/self/stat"])
      [pid, _name, _state, _parent, group | _rest] = String.split(output)
      assert pid == group
    end

    test "the same environment as with System.cmd/3" do
      System.put_env("MUONTRAP_IDENTITY_TEST", "inherited")

      # System.cmd/3 removes empty variables, and encodes others according to the locale.
      for env <- [[], [{"A", "1"}, {"B", "a\nb"}, {"MUONTRAP_IDENTITY_TEST", nil}]] do
        {expected, 0} = System.cmd("env", ["-0"], env: env)
        {output, 0} = MuonTrap.cmd("env", ["-0"], env: env)
        assert variables(output) == variables(expected)
      end
    end

    defp variables(output), do: output |> String.split("\0", trim: true) |> Enum.sort()
  end
end
