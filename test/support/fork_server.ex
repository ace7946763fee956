# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.ForkServer do
  @moduledoc """
  Which processes run the programs of a test: sessions of the fork server, or a helper for each program.
  """

  alias MuonTrap.Test.OS

  @doc """
  Has each program run by a helper of its own until the end of the test, by the one at `helper` if that is
  given. This is for the whole BEAM, and so not for tests that are `async`.
  """
  @spec without(Path.t() | nil) :: :ok
  def without(helper \\ nil) do
    restore_later(:fork_server)
    Application.put_env(:muontrap, :fork_server, false)

    if helper, do: use_helper(helper), else: :ok
  end

  @doc "Has the helper at this path executed until the end of the test."
  @spec use_helper(Path.t()) :: :ok
  def use_helper(helper) do
    restore_later(:helper)
    Application.put_env(:muontrap, :helper, helper)
  end

  defp restore_later(key) do
    before = Application.fetch_env(:muontrap, key)

    ExUnit.Callbacks.on_exit(fn ->
      case before do
        {:ok, value} -> Application.put_env(:muontrap, key, value)
        :error -> Application.delete_env(:muontrap, key)
      end
    end)
  end

  @doc "Whether programs are run by sessions of the fork server, as they are by default."
  @spec used?() :: boolean()
  defdelegate used?, to: MuonTrap.ForkServer

  @doc "Connects to a fork server as its client would, and returns what comes of it."
  @spec connect_as_stranger(binary(), binary()) :: {:ok, binary()} | {:error, atom()}
  def connect_as_stranger(address, token) do
    options = [:local, :binary, active: false]
    {:ok, socket} = :gen_tcp.connect({:local, address}, 0, options)
    hello = IO.iodata_to_binary(MuonTrap.Session.Start.hello(token))
    _ = :gen_tcp.send(socket, [<<byte_size(hello)::32>>, hello])
    :gen_tcp.recv(socket, 0, 10_000)
  end

  @doc "Runs this many commands, all at the same time, and returns their results, each once."
  @spec commands_at_once(pos_integer()) :: [term()]
  def commands_at_once(count) do
    tasks = for _ <- 1..count, do: Task.async(fn -> MuonTrap.cmd("echo", ["hi"]) end)
    tasks |> Task.await_many(:infinity) |> Enum.uniq()
  end

  @doc "Changes a variable and the directory, runs a program, and puts both back."
  @spec changed_for(String.t(), String.t() | nil, Path.t(), [String.t()]) :: term()
  def changed_for(name, value, directory, script) do
    before = System.get_env(name)
    {:ok, working_directory} = File.cwd()
    put(name, value)
    File.cd!(directory)
    result = MuonTrap.cmd("sh", ["-c" | script])
    File.cd!(working_directory)
    put(name, before)
    result
  end

  defp put(name, nil), do: System.delete_env(name)
  defp put(name, value), do: System.put_env(name, value)

  @doc "The pid of the fork server, which is started if there is none."
  @spec os_pid() :: pos_integer()
  def os_pid do
    {:ok, server} = MuonTrap.ForkServer.fetch()
    server.os_pid
  end

  @doc """
  Stops the fork server with SIGSTOP, and returns its pid. Only the next command finds out, by a check, since nothing
  that came before is waiting for the fork server.
  """
  @spec stop() :: pos_integer()
  def stop do
    OS.wait_until(fn -> match?(%{checks: [], watches: none} when none == %{}, state()) end)
    pid = os_pid()
    # A session that ends, such as that of the last command, would continue the fork server.
    OS.wait_until(fn -> pid |> OS.children() |> Enum.all?(&runs_program?/1) end)
    OS.kill(pid, "STOP")
    pid
  end

  defp runs_program?(session), do: OS.children(session) != []

  defp state, do: :sys.get_state(MuonTrap.ForkServer.Server, :infinity)
end
