# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.JSONRPCClient do
  @moduledoc """
  A client of a JSON-RPC server over stdio, with the framing of language servers. It owns the handle on the server, and
  stops when the server ends, so that a supervisor starts both anew.
  """

  use GenServer

  @doc "Starts the server and its client."
  def start_link({command, args, name}),
    do: GenServer.start_link(__MODULE__, {command, args}, name: name)

  @doc "Sends a request, and waits for its answer, or for the end of the server."
  def request(client, method, params) do
    GenServer.call(client, {:request, method, params}, :infinity)
  catch
    :exit, {reason, _call} -> {:error, reason}
  end

  @doc "The handle on the server."
  def handle(client), do: GenServer.call(client, :handle, :infinity)

  @impl GenServer
  def init({command, args}) do
    # So that terminate/2 is called.
    Process.flag(:trap_exit, true)

    with {:ok, handle} <- MuonTrap.Process.start_link(command, args, active: true) do
      {:ok, %{handle: handle, buffer: "", callers: %{}, next: 1}}
    else
      {:error, reason} -> {:stop, reason}
    end
  end

  @impl GenServer
  def handle_call({:request, method, params}, from, state) do
    params = Enum.join(params, ",")
    body = ~s({"jsonrpc":"2.0","id":#{state.next},"method":"#{method}","params":[#{params}]})
    frame = ["Content-Length: #{byte_size(body)}\r\n\r\n", body]

    case MuonTrap.Process.write(state.handle, frame) do
      :ok ->
        callers = Map.put(state.callers, state.next, from)
        {:noreply, %{state | callers: callers, next: state.next + 1}}

      # The message about the exit stops this process.
      {:error, :closed} ->
        {:reply, {:error, :closed}, state}
    end
  end

  def handle_call(:handle, _from, state), do: {:reply, state.handle, state}

  @impl GenServer
  def handle_info({:muontrap, handle, {:stdout, data}}, %{handle: handle} = state),
    do: {:noreply, answer(%{state | buffer: state.buffer <> data})}

  def handle_info({:muontrap, handle, {:exit, result}}, %{handle: handle} = state),
    do: {:stop, {:server_exited, result.exit_status}, state}

  # The session of the server was killed.
  def handle_info({:EXIT, handle, reason}, %{handle: handle} = state),
    do: {:stop, reason, %{state | handle: nil}}

  # A supervisor that stops this process waits until the server is gone.
  @impl GenServer
  def terminate(_reason, %{handle: nil}), do: :ok
  def terminate(_reason, %{handle: handle}), do: MuonTrap.Process.stop(handle)

  defp answer(state) do
    with [header, rest] <- :binary.split(state.buffer, "\r\n\r\n"),
         "Content-Length: " <> length = header,
         length = String.to_integer(length),
         true <- byte_size(rest) >= length do
      {body, rest} = split(rest, length)
      {id, result} = parse(body)
      {from, callers} = Map.pop!(state.callers, id)
      GenServer.reply(from, {:ok, result})
      answer(%{state | buffer: rest, callers: callers})
    else
      _incomplete -> state
    end
  end

  defp split(binary, at),
    do: {binary_part(binary, 0, at), binary_part(binary, at, byte_size(binary) - at)}

  # This project has no dependency on a JSON library.
  defp parse(body) do
    [_body, id, result] = Regex.run(~r/"id": (\d+), "result": (\d+)/, body)
    {String.to_integer(id), String.to_integer(result)}
  end
end
