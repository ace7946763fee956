# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.HelperTest do
  # Not async: the path of the helper is a setting of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

  alias MuonTrap.Test.{ForkServer, SecondBeam}

  setup do
    variable = System.get_env("MUONTRAP_HELPER")

    on_exit(fn ->
      Application.delete_env(:muontrap, :helper)

      if variable,
        do: System.put_env("MUONTRAP_HELPER", variable),
        else: System.delete_env("MUONTRAP_HELPER")
    end)

    %{real: MuonTrap.muontrap_path()}
  end

  test "the configuration takes precedence, then the environment, then priv" do
    System.put_env("MUONTRAP_HELPER", "/bin/true")
    assert MuonTrap.muontrap_path() == "/bin/true"
    Application.put_env(:muontrap, :helper, "/bin/sh")
    assert MuonTrap.muontrap_path() == "/bin/sh"
    Application.delete_env(:muontrap, :helper)
    System.put_env("MUONTRAP_HELPER", "")
    in_priv = Path.join(:code.priv_dir(:muontrap), "muontrap")
    assert MuonTrap.Helper.find() == {:ok, in_priv}
  end

  @tag :tmp_dir
  test "a folder of helpers is for mix compile, which puts one of them in priv", context do
    in_priv = Path.join(:code.priv_dir(:muontrap), "muontrap")
    System.put_env("MUONTRAP_HELPER", context.tmp_dir)
    assert MuonTrap.Helper.find() == {:ok, in_priv}
    Application.put_env(:muontrap, :helper, context.tmp_dir)
    assert MuonTrap.Helper.find() == {:ok, in_priv}
  end

  test "a configured helper that is no path is refused" do
    Application.put_env(:muontrap, :helper, ~c"/bin/sh")
    assert_raise ArgumentError, ~r/:muontrap, :helper/, fn -> MuonTrap.muontrap_path() end
  end

  test "a configured fork server that is no boolean is refused" do
    ForkServer.without()
    Application.put_env(:muontrap, :fork_server, "no")
    assert_raise ArgumentError, ~r/:muontrap, :fork_server/, fn -> MuonTrap.cmd("true", []) end
  end

  test "a Collectable is halted when the attempt to start the program raises" do
    ForkServer.without()
    Application.put_env(:muontrap, :fork_server, "no")
    into = %MuonTrap.Test.Callback{fun: & &1, owner: self()}
    assert_raise ArgumentError, fn -> MuonTrap.cmd("true", [], into: into) end
    assert_received :halted
  end

  @tag :tmp_dir
  test "a helper that cannot be started is an error of step :helper", %{tmp_dir: directory} do
    plain = Path.join(directory, "plain")
    File.write!(plain, "")

    for {path, errno} <- [{"/no/such/helper", :enoent}, {plain, :eacces}] do
      ForkServer.without(path)

      for run <- [
            &MuonTrap.muontrap_path/0,
            fn -> MuonTrap.cmd("true", []) end,
            fn -> MuonTrap.run("true", []) end
          ] do
        error = assert_raise MuonTrap.Error, run
        assert %{step: :helper, path: ^path, errno: ^errno} = error
      end

      assert {:error, %MuonTrap.Error{step: :helper, path: ^path, errno: ^errno}} =
               MuonTrap.Daemon.start_link("true", [])
    end

    assert mailbox() == []
  end

  @tag :tmp_dir
  test "another program in place of the helper is an error of step :helper", %{tmp_dir: directory} do
    silent = script(directory, "silent", "#!/bin/sh\nexit 125\n")
    babbling = script(directory, "babbling", "#!/bin/sh\nprintf '\\0\\0\\0\\5hello'\ncat\n")
    no_program = script(directory, "no_program", "no program\n")

    for {path, message} <- [
          {silent, "ended before it started the program"},
          {babbling, "ended before it started the program"},
          {no_program, "muontrap could not be executed"}
        ] do
      ForkServer.without(path)
      error = assert_raise MuonTrap.Error, fn -> MuonTrap.cmd("true", []) end
      assert error.step == :helper
      assert Exception.message(error) =~ message
    end

    assert mailbox() == []
  end

  @tag :capture_log
  test "a command and a daemon start the application" do
    on_exit(fn -> {:ok, _started} = Application.ensure_all_started(:muontrap) end)

    for run <- [
          fn -> MuonTrap.cmd("true", []) end,
          fn -> MuonTrap.run("true", []) end,
          fn -> await_end(MuonTrap.Daemon.start_link("true", [])) end
        ] do
      :ok = Application.stop(:muontrap)
      run.()
      assert started?()
    end
  end

  @tag :capture_log
  test "a daemon with :wait_for starts the application" do
    on_exit(fn -> {:ok, _started} = Application.ensure_all_started(:muontrap) end)
    me = self()

    wait_for = fn ->
      send(me, {:waiter, self()})
      receive(do: (:go_on -> :ok))
    end

    daemon = MuonTrap.Daemon.start_link("true", [], wait_for: wait_for)
    assert_receive {:waiter, waiter}
    :ok = Application.stop(:muontrap)
    send(waiter, :go_on)
    await_end(daemon)
    assert started?()
  end

  defp await_end({:ok, daemon}) do
    ref = Process.monitor(daemon)

    assert_receive {:DOWN, ^ref, :process, ^daemon, reason} when reason in [:normal, :noproc]
  end

  defp started?, do: :muontrap in Enum.map(Application.started_applications(), &elem(&1, 0))

  @tag :tmp_dir
  test "a deleted working directory of the BEAM is reported as such", context do
    second = SecondBeam.start(marker())
    :ok = SecondBeam.call(second, File, :cd!, [context.tmp_dir])
    File.rmdir!(context.tmp_dir)

    for function <- [:cmd, :run] do
      error = catch_error(SecondBeam.call(second, MuonTrap, function, ["true", []]))
      assert %MuonTrap.Error{step: :cd, errno: :enoent} = error
      assert Exception.message(error) =~ "the working directory of the BEAM does not exist"
    end

    for opts <- [[], [ready: {:file, "file"}], [ready: {:unix, "socket"}, cd: "directory"]] do
      assert {:error, %MuonTrap.Error{step: :cd}} =
               SecondBeam.call(second, MuonTrap.Daemon, :start_link, ["true", [], opts])
    end
  end
end
