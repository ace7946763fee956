# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.HelperTest do
  # Not async: where the helper is, is a setting of the whole BEAM.
  use ExUnit.Case

  import MuonTrap.Test.OS

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

  test "the configuration goes first, then the environment, then priv" do
    System.put_env("MUONTRAP_HELPER", "/bin/true")
    assert MuonTrap.muontrap_path() == "/bin/true"
    Application.put_env(:muontrap, :helper, "/bin/sh")
    assert MuonTrap.muontrap_path() == "/bin/sh"
    Application.delete_env(:muontrap, :helper)
    System.put_env("MUONTRAP_HELPER", "")
    in_priv = Path.join(:code.priv_dir(:muontrap), "muontrap")
    assert MuonTrap.Helper.find() == {:ok, in_priv}
  end

  test "a configuration that is no path is refused" do
    Application.put_env(:muontrap, :helper, ~c"/bin/sh")
    assert_raise ArgumentError, ~r/:muontrap, :helper/, fn -> MuonTrap.muontrap_path() end
  end

  @tag :tmp_dir
  test "a helper that cannot be started is an error of step :helper", %{tmp_dir: directory} do
    plain = Path.join(directory, "plain")
    File.write!(plain, "")

    for {path, errno} <- [{"/no/such/helper", :enoent}, {plain, :eacces}, {directory, :eacces}] do
      Application.put_env(:muontrap, :helper, path)

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
  test "so is something that is not the helper", %{tmp_dir: directory} do
    silent = script(directory, "silent", "#!/bin/sh\nexit 125\n")
    babbling = script(directory, "babbling", "#!/bin/sh\nprintf '\\0\\0\\0\\5hello'\ncat\n")
    no_program = script(directory, "no_program", "no program\n")

    for {path, message} <- [
          {silent, "ended before it started the program"},
          {babbling, "ended before it started the program"},
          {no_program, "muontrap could not be executed"}
        ] do
      Application.put_env(:muontrap, :helper, path)
      error = assert_raise MuonTrap.Error, fn -> MuonTrap.cmd("true", []) end
      assert error.step == :helper
      assert Exception.message(error) =~ message
    end

    assert mailbox() == []
  end

  @tag :capture_log
  test "a daemon needs the application to run, a command does not" do
    on_exit(fn -> {:ok, _started} = Application.ensure_all_started(:muontrap) end)
    :ok = Application.stop(:muontrap)
    assert MuonTrap.cmd("echo", ["hi"]) == {"hi\n", 0}

    assert {:error, %MuonTrap.Error{step: :helper} = error} =
             MuonTrap.Daemon.start_link("true", [])

    assert Exception.message(error) =~ "Application.ensure_all_started(:muontrap)"
    assert mailbox() == []
  end
end
