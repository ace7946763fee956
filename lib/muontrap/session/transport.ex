# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Transport do
  @moduledoc false

  # Opens the stream of a session: a connection to the fork server, or the port of a helper of its own.

  alias MuonTrap.{Cgroup, Deadline, Error, ForkServer, Predecessors}
  alias MuonTrap.Session.{Guard, Pipe, Socket, Start}

  @typedoc """
  For whom a stream is opened. `key`: a daemon, which may have a successor with the same one. `crowded?`: its mailbox is
  not to be searched.
  """
  @type purpose :: %{
          key: Predecessors.key() | nil,
          group: Cgroup.t() | nil,
          patience: non_neg_integer(),
          use_stdio: boolean(),
          parallelism: boolean() | nil,
          crowded?: boolean(),
          deadline: Deadline.t()
        }

  @typedoc """
  Makes the frame that follows HELLO. `client_directory?`: the session can find out the working directory by itself.
  """
  @type first_frame ::
          (Start.environment(), client_directory? :: boolean() ->
             {:ok, iodata()} | {:error, Error.t()})

  @doc "Opens a stream, with HELLO and one more frame on it. `clean_up` is for a helper of its own that is killed."
  @spec open(purpose(), first_frame(), Guard.clean_up()) ::
          {:ok, Socket.t() | Pipe.t()} | {:error, Error.t()} | :timeout
  def open(purpose, frame, clean_up) do
    if ForkServer.used?(),
      do: Socket.open(purpose, frame),
      else: Pipe.open(purpose, frame, clean_up)
  end
end
