# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ForkServer.Control do
  @moduledoc false

  # The frames between MuonTrap.ForkServer.Server and its operating-system process: the control stream of
  # docs/protocol.md.

  alias MuonTrap.Session.{Frame, Start}

  @config 0x41
  @environment 0x42
  @watch 0x43
  @count 0x44

  @ready 0xC1
  @session_ended 0xC2
  @counts 0xC3
  @failed 0x86

  @token 1
  @client 2
  @predecessor 3

  # The fields of READY.
  @variable 6
  @client_directory 12

  @typedoc "How the process of a session ended, and what it left."
  @type session_end :: %{
          how: :exited | :signaled | :unknown,
          code: 0..255,
          swept: non_neg_integer(),
          survivors: non_neg_integer()
        }

  @type t ::
          {:ready,
           %{
             os_pid: pos_integer(),
             version: String.t(),
             address: binary(),
             client_directory?: boolean(),
             variables: [binary()]
           }}
          | {:session_ended, connection :: non_neg_integer(), session_end()}
          | {:counts, binary()}
          | {:failed, map()}
          | {:unknown, binary()}

  @spec config(binary(), pos_integer() | nil) :: iodata()
  def config(token, predecessor) do
    client = String.to_integer(System.pid())

    [
      <<@config, Start.protocol()::16>>,
      Start.raw_field(@token, token),
      Start.raw_field(@client, <<client::32>>),
      if(predecessor, do: Start.raw_field(@predecessor, <<predecessor::32>>), else: [])
    ]
  end

  @spec environment(pos_integer(), iodata()) :: iodata()
  def environment(number, variables), do: [<<@environment, number::64>>, variables]

  @spec watch(pos_integer(), pos_integer() | nil, timeout()) :: iodata()
  def watch(connection, pid, timeout),
    do: <<@watch, connection::64, pid || 0::32, milliseconds(timeout)::32>>

  # 0 stands for no limit.
  defp milliseconds(:infinity), do: 0
  defp milliseconds(timeout), do: max(timeout, 1)

  @spec count() :: iodata()
  def count, do: <<@count>>

  @spec decode(binary()) :: t()
  def decode(
        <<@ready, _protocol::16, os_pid::32, size::16, version::binary-size(size),
          address_size::16, address::binary-size(address_size), fields::binary>>
      ) do
    fields = fields(fields)

    {:ready,
     %{
       os_pid: os_pid,
       version: version,
       address: address,
       client_directory?: {@client_directory, <<1::32>>} in fields,
       variables: for({@variable, variable} <- fields, do: variable)
     }}
  end

  def decode(<<@session_ended, connection::64, _pid::32, how, code, swept::32, survivors::32>>) do
    how = elem({:exited, :signaled, :unknown}, min(how, 2))
    {:session_ended, connection, %{how: how, code: code, swept: swept, survivors: survivors}}
  end

  def decode(<<@counts, counts::binary>>), do: {:counts, counts}
  def decode(<<@failed, _failed::binary>> = frame), do: Frame.decode(frame)
  def decode(other), do: {:unknown, other}

  defp fields(<<field::16, size::32, value::binary-size(size), rest::binary>>),
    do: [{field, value} | fields(rest)]

  defp fields(_end), do: []
end
