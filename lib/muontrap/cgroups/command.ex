# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Cgroups.Command do
  @moduledoc false

  # Runs a sub-command of the helper, which answers with one frame. In a process of its own: the
  # caller's mailbox stays as it is, and an answer that comes too late goes nowhere.

  alias MuonTrap.{Error, Frame, Helper}

  @typedoc "Values by name."
  @type answer :: %{optional(String.t()) => String.t()}

  @doc "Runs `muontrap command args`, and waits for its answer for `timeout` milliseconds at most."
  @spec run(binary(), String.t(), [binary()], pos_integer()) ::
          {:ok, answer()} | {:error, Error.t()}
  def run(helper, command, args, timeout) do
    {pid, ref} = spawn_monitor(fn -> exit({:answer, ask(helper, command, args, timeout)}) end)

    receive do
      {:DOWN, ^ref, :process, ^pid, {:answer, answer}} -> answer
      {:DOWN, ^ref, :process, ^pid, reason} -> {:error, Helper.start_error(helper, reason)}
    end
  end

  defp ask(helper, command, args, timeout) do
    case open(helper, [command, "--framed" | args]) do
      {:ok, port} -> await(port, command, timeout)
      {:error, reason} -> {:error, Helper.start_error(helper, reason)}
    end
  end

  defp open(helper, args) do
    options = [:binary, {:packet, 4}, :exit_status, :hide, args: args]
    {:ok, Port.open({:spawn_executable, helper}, options)}
  catch
    :error, reason -> {:error, reason}
  end

  defp await(port, command, timeout) do
    receive do
      {^port, {:data, data}} -> answer(Frame.decode(data), command)
      {^port, {:exit_status, status}} -> {:error, no_answer(command, nil, status)}
    after
      # It is stuck in the kernel. It ends when that lets go of it.
      timeout -> {:error, no_answer(command, :etimedout, nil)}
    end
  end

  defp answer({:answer, values}, _command), do: {:ok, values}
  defp answer({:failed, failed}, _command), do: {:error, Error.from_failed(failed)}
  defp answer(_other, command), do: {:error, no_answer(command, nil, nil)}

  defp no_answer(command, errno, status) do
    %Error{
      step: :helper,
      message: "muontrap #{command} did not answer",
      errno: errno,
      exit_status: status
    }
  end
end
