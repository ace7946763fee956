# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Session.Frame do
  @moduledoc false

  # What a session sends, decoded, and what it is sent, except for its first two frames, which MuonTrap.Session.Start
  # makes. docs/protocol.md describes the bytes.

  @ack 0x01
  @signal 0x02
  @stop 0x03
  @input 0x04
  @input_eof 0x05
  @discard 0x06
  @resize 0x10
  @notify_ack 0x11
  @ack_by_reading 0x12

  @started 0x81
  @stdout 0x82
  @stderr 0x83
  @input_ack 0x84
  @exited 0x85
  @failed 0x86
  @answer 0x87
  @refused 0x88
  @environment_wanted 0x89
  @notify 0x8A
  @acked_by_reading 0x8B

  @unknown_peak 0xFFFFFFFFFFFFFFFF

  @typedoc "The exit report, with the keys of `MuonTrap.Result` less the output."
  @type report :: %{required(atom()) => term()}

  @type t ::
          {:started,
           %{
             session_pid: pos_integer(),
             program_pid: pos_integer(),
             start_time: non_neg_integer()
           }}
          | {:stdout, binary()}
          | {:stderr, binary()}
          | {:input_ack, written :: non_neg_integer(), dropped :: non_neg_integer()}
          | {:exited, report()}
          | {:failed, map()}
          | {:answer, request :: non_neg_integer(), %{optional(String.t()) => String.t()}}
          | {:refused, request :: non_neg_integer(), map()}
          | :environment_wanted
          | {:notify, datagram :: binary()}
          | :acked_by_reading
          | {:unknown, binary()}

  @typedoc """
  What a running session is sent. The name of a frame without values stands for it:

    * `:stop` - stops the program. Its output goes on until EXITED
    * `:discard` - throws all further output away, which then needs no acknowledgement
    * `{:ack, bytes}` - so many bytes of output were handled
    * `:ack_by_reading` - from now on, output counts as handled once it was read. Until `:acked_by_reading` comes, it has to be
      acknowledged as before
    * `{:input, data}`, `:input_eof` - for the program's stdin. INPUT_ACK says when the data was written
    * `{:signal, number}` - a signal for the program
    * `{:resize, rows, cols}` - the size of the program's terminal, if it has one
    * `:notify_ack` - asks for the next notification of the program
  """
  @type sent ::
          :stop
          | :discard
          | {:ack, bytes :: non_neg_integer()}
          | :ack_by_reading
          | {:input, iodata()}
          | :input_eof
          | {:signal, 1..64}
          | {:resize, rows :: 1..65_535, cols :: 1..65_535}
          | :notify_ack

  @doc "Encodes a frame."
  @spec encode(sent()) :: iodata()
  def encode({:ack, bytes}), do: <<@ack, bytes::32>>
  def encode(:ack_by_reading), do: <<@ack_by_reading>>
  def encode({:input, data}), do: [@input, data]
  def encode(:input_eof), do: <<@input_eof>>
  def encode(:stop), do: <<@stop>>
  def encode(:discard), do: <<@discard>>
  def encode(:notify_ack), do: <<@notify_ack>>
  def encode({:signal, number}), do: <<@signal, number>>
  def encode({:resize, rows, cols}), do: <<@resize, rows::16, cols::16>>

  @doc "Puts the length in front of an encoded frame, where the socket does not."
  @spec with_length(iodata()) :: iodata()
  def with_length(frame), do: [<<IO.iodata_length(frame)::32>> | frame]

  @doc "Decodes a frame. Bytes of output are not copied."
  @spec decode(binary()) :: t()
  def decode(<<@stdout, data::binary>>), do: {:stdout, data}
  def decode(<<@stderr, data::binary>>), do: {:stderr, data}
  def decode(<<@input_ack, written::32, dropped::32>>), do: {:input_ack, written, dropped}

  # The directories of the cgroup follow. Only other clients need them.
  def decode(<<@started, session::32, program::32, start_time::64, _cgroup::binary>>),
    do: {:started, %{session_pid: session, program_pid: program, start_time: start_time}}

  def decode(<<@exited, report::binary>>), do: decode_exited(report)
  def decode(<<@failed, failed::binary>>), do: decode_failed(failed)
  def decode(<<@answer, request::32, values::binary>>), do: decode_answer(request, values, %{})

  def decode(<<@refused, request::32, failed::binary>>) do
    with {:failed, failed} <- decode_failed(failed), do: {:refused, request, failed}
  end

  def decode(<<@environment_wanted>>), do: :environment_wanted
  def decode(<<@notify, datagram::binary>>), do: {:notify, datagram}
  def decode(<<@acked_by_reading>>), do: :acked_by_reading
  def decode(other), do: {:unknown, other}

  defp decode_exited(
         <<how, code, flags, user::64, system::64, peak_rss::64, wall::64, stdout::64, stderr::64,
           swept::32, survivors::32, cgroup_peak::64>>
       ) do
    <<_unused::3, cgroup_left::1, sigkill::1, _stopped::1, oom::1, core::1>> = <<flags>>

    report = %{
      exit_status: if(how == 1, do: 128 + code, else: code),
      signal: if(how == 1, do: code),
      core_dumped: core == 1,
      oom_killed: oom == 1,
      sigkill_needed: sigkill == 1,
      cgroup_left: cgroup_left == 1,
      user_time_us: user,
      system_time_us: system,
      peak_rss_bytes: peak_rss,
      wall_time_us: wall,
      stdout_bytes: stdout,
      stderr_bytes: stderr,
      swept: swept,
      survivors: survivors,
      cgroup_peak_bytes: if(cgroup_peak != @unknown_peak, do: cgroup_peak)
    }

    {:exited, report}
  end

  defp decode_exited(other), do: {:unknown, other}

  defp decode_failed(
         <<exit_status, errno::32, step_size::16, step::binary-size(step_size), path_size::16,
           path::binary-size(path_size), message_size::16, message::binary-size(message_size),
           advice_size::16, advice::binary-size(advice_size)>>
       ) do
    failed = %{
      exit_status: exit_status,
      errno: errno,
      step: step,
      path: path,
      message: message,
      advice: advice
    }

    {:failed, failed}
  end

  defp decode_failed(other), do: {:unknown, other}

  defp decode_answer(request, "", values), do: {:answer, request, values}

  defp decode_answer(
         request,
         <<size::16, name::binary-size(size), value_size::32, value::binary-size(value_size),
           rest::binary>>,
         values
       ) do
    decode_answer(request, rest, Map.put(values, name, value))
  end

  defp decode_answer(_request, other, _values), do: {:unknown, other}
end
