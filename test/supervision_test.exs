# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.SupervisionTest do
  use ExUnit.Case, async: true

  alias MuonTrap.{Daemon, ForkServer, Label, Startup}

  test "the application has one supervisor, whose children have names" do
    assert [{ForkServer.Server, pid, :worker, [ForkServer.Server]}] =
             Supervisor.which_children(MuonTrap.Supervisor)

    assert Process.whereis(ForkServer.Server) == pid
  end

  test "the process of a daemon has an initial call and a label" do
    {:ok, daemon} = Daemon.start_link("sleep", ["60"])
    assert initial_call(daemon) == {Daemon.Server, :init, 1}
    assert label(daemon) in ["MuonTrap.Daemon: sleep", :none]
    GenServer.stop(daemon)
  end

  defp initial_call(pid), do: :proc_lib.translate_initial_call(pid)

  # Before OTP 27, there are no labels.
  defp label(pid) do
    if function_exported?(:proc_lib, :get_label, 1),
      do: apply(:proc_lib, :get_label, [pid]),
      else: :none
  end

  test "labels are those of OTP where it has them" do
    task = Task.async(fn -> {Label.set(:a_label), label(self())} end)
    expected = if function_exported?(:proc_lib, :set_label, 1), do: :a_label, else: :none
    assert Task.await(task, :infinity) == {:ok, expected}
  end

  test "starting a running application is no error" do
    assert Startup.ensure_started() == :ok
    assert :proc_lib.spawn(Startup, :init, []) |> Process.monitor() |> is_reference()
  end
end
