# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Request do
  @moduledoc false

  # Sends one request to a new session, and waits for the reply. A new process does it,
  # so that frames of the session, also late ones, do not reach the caller's mailbox.

  alias MuonTrap.{Deadline, Error, ForkServer, Helper, Label}
  alias MuonTrap.Session.{Guard, Start, Transport}

  @request 1

  # Added to the timeout of the other helper: for its start, and for a last second of killing.
  @margin_ms 2_000
  # The longest timeout of `receive`.
  @longest_ms 0xFFFFFFFF

  @typedoc "Values by name."
  @type answer :: %{optional(String.t()) => String.t()}

  @names [:get, :set, :statistics, :config, :clean, :kill_leftovers, :usage]
  @type name :: :get | :set | :statistics | :config | :clean | :kill_leftovers | :usage

  @doc "Sends a request, and waits for the reply for `timeout` milliseconds at most."
  @spec run(name(), [{Start.field_name(), binary() | non_neg_integer()}], pos_integer()) ::
          {:ok, answer()} | {:error, Error.t()}
  def run(name, fields, timeout) when name in @names do
    reply_to = {self(), make_ref()}
    arguments = [reply_to, name, fields, timeout]
    {pid, monitor} = :proc_lib.spawn_opt(__MODULE__, :init, arguments, [:monitor])
    await_answer(reply_to, pid, monitor)
  end

  @doc "Has another helper kill what one has left behind. Returns what to say when that does not work."
  @spec kill_leftovers(Guard.left()) :: String.t() | nil
  def kill_leftovers(left) do
    case ask_to_kill(left) do
      {:ok, %{"survivors" => "0"}} -> nil
      _left_or_failed -> "it may still be running"
    end
  end

  defp ask_to_kill(%{helper_pid: nil}), do: :unknown

  defp ask_to_kill(left) do
    program = if left.program_pid, do: [program_pid: left.program_pid], else: []
    fields = [helper: left.helper_pid, timeout: left.patience] ++ program
    run(:kill_leftovers, fields, min(left.patience + @margin_ms, @longest_ms))
  end

  defp await_answer({_self, ref}, pid, monitor) do
    receive do
      {^ref, answer} ->
        Process.demonitor(monitor, [:flush])
        answer

      {:DOWN, ^monitor, :process, ^pid, reason} ->
        {:error, Helper.start_error(nil, reason)}
    end
  end

  @doc false
  @spec init({pid(), reference()}, name(), list(), pos_integer()) :: :ok
  def init({caller, ref}, name, fields, timeout) do
    Label.set("MuonTrap: request to #{purpose(name)}")
    send(caller, {ref, ask(name, fields, timeout)})
    :ok
  end

  defp ask(name, fields, timeout) do
    purpose = %{
      fork_server?: ForkServer.used?(),
      key: nil,
      group: nil,
      patience: timeout,
      use_stdio: true,
      parallelism: nil,
      crowded?: false,
      active: false,
      acks_by_reading?: false,
      deadline: Deadline.new(timeout)
    }

    frame = Start.request(name, @request, fields)
    first_frame = fn _environment, _client_directory? -> {:ok, frame} end

    with {:ok, stream} <-
           Transport.open(purpose, first_frame, &__MODULE__.kill_leftovers/1) do
      {event, stream} = stream.__struct__.first(stream, purpose.deadline)
      # A session that is stuck in the kernel exits when the system call returns.
      :ok = stream.__struct__.close(stream)
      answer(event, name)
    else
      not_opened -> answer(not_opened, name)
    end
  end

  defp answer({:frame, {:answer, @request, values}}, _name), do: {:ok, values}

  defp answer({:frame, {:refused, @request, failed}}, _name),
    do: {:error, Error.from_failed(failed)}

  defp answer({:frame, {:failed, failed}}, _name), do: {:error, Error.from_failed(failed)}
  defp answer({:error, error}, _name), do: {:error, error}
  defp answer({:lost, status}, name), do: {:error, no_answer(name, nil, status)}
  defp answer(:timeout, name), do: {:error, no_answer(name, :etimedout, nil)}
  defp answer(_other, name), do: {:error, no_answer(name, nil, nil)}

  defp no_answer(name, errno, status) do
    %Error{
      step: :helper,
      message: "muontrap did not answer a request to #{purpose(name)}",
      errno: errno,
      exit_status: status
    }
  end

  defp purpose(:get), do: "read a file of a cgroup"
  defp purpose(:set), do: "change a cgroup"
  defp purpose(:statistics), do: "read the statistics of a cgroup"
  defp purpose(:config), do: "read the settings of a cgroup"
  defp purpose(:clean), do: "remove a cgroup"
  defp purpose(:kill_leftovers), do: "kill what a helper has left behind"
  defp purpose(:usage), do: "read what programs use"
end
