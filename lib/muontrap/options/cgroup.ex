# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Cgroup do
  @moduledoc false

  # Paths, controllers and settings of cgroups. The helper finds the hierarchies, and translates
  # settings to the version that the host has. What is checked here does not depend on the host.

  import MuonTrap.Options.Text, only: [text?: 1, utf8?: 1]

  @behaviour MuonTrap.Options.Type

  @typedoc "What is written to a file of a cgroup, by the file's name."
  @type setting :: {name :: String.t(), value :: String.t()}

  @longest_path 2048
  @longest_name 255

  @impl MuonTrap.Options.Type
  def expected(kind) when kind in [:base, :path] do
    "a path within the cgroup hierarchy such as \"muontrap/web\", without \".\", \"..\" and the mount " <>
      "point in front"
  end

  def expected(:controller), do: "the name of a controller"

  def expected(:sets) do
    "a list of {controller, setting, value}, such as [{\"memory\", \"memory.max\", 1_000_000}]"
  end

  @impl MuonTrap.Options.Type
  def typespec(kind, _stage) when kind in [:base, :path, :controller],
    do: quote(do: String.t())

  def typespec(:sets, :given) do
    quote(do: [{controller :: String.t(), setting :: String.t(), String.t() | integer()}])
  end

  def typespec(:sets, :parsed), do: quote(do: [{name :: String.t(), value :: String.t()}])

  @impl MuonTrap.Options.Type
  def parse("/", :base), do: {:ok, "/"}

  def parse("/", :path),
    do: {:error, "the root group cannot be used: give one below it, such as \"muontrap\""}

  def parse(path, kind) when kind in [:base, :path] do
    with true <- text?(path) and path != "",
         names = path |> without_slash() |> :binary.split("/", [:global]),
         false <- mounted?(names) do
      check_names(path, names)
    else
      _ -> :error
    end
  end

  def parse(name, :controller) do
    if text?(name) and name =~ ~r/\A[A-Za-z][A-Za-z0-9_.=-]*\z/, do: {:ok, name}, else: :error
  end

  # Returns the controllers and the settings that the list names.
  def parse(sets, :sets) when is_list(sets) do
    with true <- Enum.all?(sets, &set?/1),
         names = for({_controller, name, _value} <- sets, do: name),
         :ok <- each(names, &check_name/1),
         :ok <- each(names -- Enum.uniq(names), &check_repeated/1) do
      controllers = for {controller, _name, _value} <- sets, uniq: true, do: controller
      {:ok, {controllers, for({_controller, name, value} <- sets, do: {name, to_string(value)})}}
    else
      false -> :error
      {:error, _reason} = error -> error
    end
  end

  def parse(_other, :sets), do: :error

  # Paths begin at the mount point: one that contains it is a mistake.
  defp mounted?(["" | names]), do: mounted?(names)
  defp mounted?(names), do: match?(["sys", "fs", "cgroup" | _names], names)

  defp without_slash("/" <> path), do: path
  defp without_slash(path), do: path

  defp check_names(path, names) do
    cond do
      not String.valid?(path) -> {:error, "it is not valid UTF-8"}
      "." in names or ".." in names -> :error
      "" in names -> {:error, "there must be one slash between two names, and none at the end"}
      control?(path) -> {:error, "it has a control character in it"}
      Enum.any?(names, &(byte_size(&1) > @longest_name)) -> {:error, "a name is over 255 bytes"}
      byte_size(path) > @longest_path -> {:error, "it is over 2048 bytes"}
      true -> {:ok, path}
    end
  end

  defp control?(<<byte, _rest::binary>>) when byte < 0x20 or byte == 0x7F, do: true
  defp control?(<<_byte, rest::binary>>), do: control?(rest)
  defp control?(""), do: false

  defp set?({controller, name, value}) do
    parse(controller, :controller) != :error and text?(name) and
      (is_integer(value) or (utf8?(value) and value != "" and not String.contains?(value, "\n")))
  end

  defp set?(_other), do: false

  defp each(names, check), do: Enum.find_value(names, :ok, &with(:ok <- check.(&1), do: nil))

  # These files say which processes are in the group, or whether any can be.
  @not_settings ~w(cgroup.procs cgroup.threads cgroup.kill cgroup.type cgroup.subtree_control)

  defp check_name(name) do
    cond do
      name in @not_settings -> {:error, "#{inspect(name)} is reserved for MuonTrap"}
      name =~ ~r/\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\z/ -> :ok
      true -> {:error, "#{inspect(name)} is not the name of a setting such as \"memory.max\""}
    end
  end

  # These take one line for each device.
  @by_device ~w(io. blkio. devices. rdma. misc. dmem. net_prio.)

  defp check_repeated(name) do
    if String.starts_with?(name, @by_device),
      do: :ok,
      else: {:error, "#{inspect(name)} is set more than once"}
  end
end
