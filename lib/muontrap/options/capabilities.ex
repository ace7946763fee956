# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Capabilities do
  @moduledoc false

  # The names of the option :capabilities: capabilities(7).

  alias MuonTrap.Options.Nearest

  @behaviour MuonTrap.Options.Type

  @names [
    :chown,
    :dac_override,
    :dac_read_search,
    :fowner,
    :fsetid,
    :kill,
    :setgid,
    :setuid,
    :setpcap,
    :linux_immutable,
    :net_bind_service,
    :net_broadcast,
    :net_admin,
    :net_raw,
    :ipc_lock,
    :ipc_owner,
    :sys_module,
    :sys_rawio,
    :sys_chroot,
    :sys_ptrace,
    :sys_pacct,
    :sys_admin,
    :sys_boot,
    :sys_nice,
    :sys_resource,
    :sys_time,
    :sys_tty_config,
    :mknod,
    :lease,
    :audit_write,
    :audit_control,
    :setfcap,
    :mac_override,
    :mac_admin,
    :syslog,
    :wake_alarm,
    :block_suspend,
    :audit_read,
    :perfmon,
    :bpf,
    :checkpoint_restore
  ]

  @by_text Map.new(@names, &{Atom.to_string(&1), &1})

  @doc "All names."
  @spec names() :: [atom(), ...]
  def names, do: @names

  @impl MuonTrap.Options.Type
  def expected(:name),
    do: "the name of a capability such as :net_bind_service or \"CAP_NET_BIND_SERVICE\""

  @impl MuonTrap.Options.Type
  def typespec(:name, :given), do: quote(do: atom() | String.t())
  def typespec(:name, :parsed), do: quote(do: String.t())

  # Returns the name in lower case and without "cap_".
  @impl MuonTrap.Options.Type
  def parse(name, :name) when is_atom(name) and name not in [nil, true, false],
    do: name |> Atom.to_string() |> parse(:name)

  def parse(name, :name) when is_binary(name) do
    text = if String.valid?(name), do: String.downcase(name), else: ""
    text = String.replace_prefix(text, "cap_", "")

    cond do
      is_map_key(@by_text, text) -> {:ok, text}
      text == "" -> :error
      true -> {:error, "there is no capability #{inspect(name)}" <> suggestion(text)}
    end
  end

  def parse(_other, :name), do: :error

  # Not all names, when none is similar.
  defp suggestion(text) do
    case Nearest.suggestion(text, @names) do
      ". Did you mean" <> _names = question -> question
      _all -> ". capabilities(7) lists them"
    end
  end
end
