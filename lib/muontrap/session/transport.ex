# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Transport do
  @moduledoc false

  # Opens the stream of a session: a connection to the fork server, or the port of a helper of its own.

  alias MuonTrap.{Cgroup, Deadline, Error, Predecessors}
  alias MuonTrap.Session.{Guard, Pipe, Socket, Start}

  @typedoc """
  What a stream is opened for. `fork_server?`: whether the fork server runs the session. `key` identifies a daemon: its
  successor has the same key, and waits for it. `crowded?`: the caller has many messages in its mailbox, which are not to
  be searched for each frame. `active`: whether it takes frames as messages, or how many, as the option of
  `:inet.setopts/2`. `acks_by_reading?`: whether to ask the session to take output as
  acknowledged once it was read, when much of it comes quickly.
  """
  @type purpose :: %{
          fork_server?: boolean(),
          key: Predecessors.key() | nil,
          group: Cgroup.t() | nil,
          patience: non_neg_integer(),
          use_stdio: boolean(),
          parallelism: boolean() | nil,
          crowded?: boolean(),
          active: boolean() | pos_integer(),
          acks_by_reading?: boolean(),
          deadline: Deadline.t()
        }

  @typedoc """
  Encodes the frame that follows HELLO. `client_directory?`: the session can find out the working directory by itself.
  """
  @type first_frame ::
          (Start.environment(), client_directory? :: boolean() ->
             {:ok, iodata()} | {:error, Error.t()})

  @doc """
  Opens a stream, and sends HELLO and one more frame. `clean_up` is called if the session has a helper of its own, and
  that is killed.
  """
  @spec open(purpose(), first_frame(), Guard.clean_up()) ::
          {:ok, Socket.t() | Pipe.t()} | {:error, Error.t()} | :timeout
  def open(purpose, frame, clean_up) do
    if purpose.fork_server?,
      do: Socket.open(purpose, frame),
      else: Pipe.open(purpose, frame, clean_up)
  end
end
