# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Cgroup do
  @moduledoc false

  # The cgroup options. The helper finds the hierarchies, and translates settings to the version
  # that this host has; here they only get their form.

  import MuonTrap.Options.Text, only: [text?: 1, utf8?: 1]

  @type setting :: {name :: String.t(), value :: String.t()}

  @typep invalid :: :error | {:error, String.t()}

  @longest_path 2048
  @longest_name 255

  @doc "A path below a cgroup hierarchy's mount point."
  @spec parse_path(term()) :: {:ok, String.t()} | invalid()
  def parse_path("/"), do: {:ok, "/"}

  def parse_path(path) do
    if text?(path) and path != "" and not mounted?(path),
      do: check_names(path, path |> String.replace_prefix("/", "") |> String.split("/")),
      else: :error
  end

  # Paths are within the hierarchy: one that has the mount point in front is a mistake.
  defp mounted?(path), do: Path.split("/" <> path) |> Enum.take(4) == ["/", "sys", "fs", "cgroup"]

  defp check_names(path, names) do
    cond do
      not String.valid?(path) -> {:error, "it is not valid UTF-8"}
      Enum.any?(names, &(&1 in [".", ".."])) -> :error
      "" in names -> {:error, "there must be one slash between two names, and none at the end"}
      path =~ ~r/[\x00-\x1F\x7F]/ -> {:error, "it has a control character in it"}
      Enum.any?(names, &(byte_size(&1) > @longest_name)) -> {:error, "a name is over 255 bytes"}
      byte_size(path) > @longest_path -> {:error, "it is over 2048 bytes"}
      true -> {:ok, path}
    end
  end

  @doc "A list of controller names such as `\"memory\"`."
  @spec parse_controllers(term()) :: {:ok, [String.t()]} | :error
  def parse_controllers(controllers) when is_list(controllers) do
    if Enum.all?(controllers, &controller?/1), do: {:ok, Enum.uniq(controllers)}, else: :error
  end

  def parse_controllers(_other), do: :error

  defp controller?(controller) do
    text?(controller) and controller =~ ~r/\A[A-Za-z][A-Za-z0-9_.=-]*\z/
  end

  @doc """
  A list of `{controller, setting, value}`, as the controllers and the settings that it names.
  """
  @spec parse_sets(term()) :: {:ok, [String.t()], [setting()]} | invalid()
  def parse_sets(sets) when is_list(sets) do
    with true <- Enum.all?(sets, &set?/1),
         names = for({_controller, name, _value} <- sets, do: name),
         :ok <- each(names, &check_name/1),
         :ok <- each(names -- Enum.uniq(names), &check_repeated/1) do
      controllers = for {controller, _name, _value} <- sets, uniq: true, do: controller
      {:ok, controllers, for({_controller, name, value} <- sets, do: {name, to_string(value)})}
    else
      false -> :error
      {:error, _why} = error -> error
    end
  end

  def parse_sets(_other), do: :error

  defp set?({controller, name, value}) do
    controller?(controller) and text?(name) and
      (is_integer(value) or (utf8?(value) and value != "" and not String.contains?(value, "\n")))
  end

  defp set?(_other), do: false

  defp each(names, check), do: Enum.find_value(names, :ok, &with(:ok <- check.(&1), do: nil))

  # What they say is which processes are in the group, or whether any can be.
  @not_settings ~w(cgroup.procs cgroup.threads cgroup.kill cgroup.type cgroup.subtree_control)

  defp check_name(name) do
    cond do
      name in @not_settings -> {:error, "#{inspect(name)} is not for others to write"}
      name =~ ~r/\A[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\z/ -> :ok
      true -> {:error, "#{inspect(name)} is not the name of a setting such as \"memory.max\""}
    end
  end

  # Those of devices take one at a time.
  @by_device ~w(io. blkio. devices. rdma. misc. dmem. net_prio.)

  defp check_repeated(name) do
    if String.starts_with?(name, @by_device),
      do: :ok,
      else: {:error, "#{inspect(name)} is set more than once"}
  end

  @doc "A map of limits, as settings of cgroup v2."
  @spec parse_limits(term()) :: {:ok, [setting()]} | {:error, key :: term()} | :error
  def parse_limits(limits) when is_map(limits) and not is_struct(limits) do
    limits
    |> Enum.sort()
    |> Enum.reduce_while({:ok, []}, fn {key, value}, {:ok, settings} ->
      case parse_limit(key, value) do
        {:ok, texts} -> {:cont, {:ok, settings ++ settings(key, List.wrap(texts))}}
        :error -> {:halt, {:error, key}}
      end
    end)
  end

  def parse_limits(_other), do: :error

  # Only after the key was recognised: `cpuset_cpus` is "cpuset.cpus", `memory_swap_max` is
  # "memory.swap.max", and `memory_oom_group` "memory.oom.group".
  defp settings(key, texts) do
    name = key |> Atom.to_string() |> String.replace("_", ".")
    for text <- texts, do: {name, text}
  end

  @maxima [:memory_min, :memory_low, :memory_high, :memory_max, :memory_swap_max, :pids_max]

  defp parse_limit(key, :max) when key in @maxima, do: {:ok, "max"}
  defp parse_limit(key, value) when key in @maxima, do: natural(value)
  defp parse_limit(:memory_oom_group, value), do: boolean(value)
  defp parse_limit(:cpu_idle, value), do: boolean(value)
  defp parse_limit(:cpu_weight, value) when value in 1..10_000, do: natural(value)
  defp parse_limit(:cpu_max, value), do: parse_cpu_max(value)
  defp parse_limit(:io_weight, value) when value in 1..10_000, do: natural(value)
  defp parse_limit(:io_weight, %{} = weights), do: by_device(weights, &device_weight/1)
  defp parse_limit(:io_max, %{} = limits), do: by_device(limits, &device_limits/1)
  defp parse_limit(key, value) when key in [:io_weight, :io_max], do: text(value)
  defp parse_limit(key, value) when key in [:cpuset_cpus, :cpuset_mems], do: text(value)
  defp parse_limit(_key, _value), do: :error

  defp parse_cpu_max(:max), do: {:ok, "max"}

  defp parse_cpu_max(quota) when is_integer(quota) and quota > 0,
    do: {:ok, Integer.to_string(quota)}

  defp parse_cpu_max({quota, period})
       when (is_integer(quota) or quota == :max) and is_integer(period) and period > 0 do
    with {:ok, quota} <- parse_cpu_max(quota), do: {:ok, "#{quota} #{period}"}
  end

  defp parse_cpu_max(_other), do: :error

  # One setting for each device: the kernel takes one at a time.
  defp by_device(map, to_text) when not is_struct(map) do
    texts = for {device, value} <- Enum.sort(map), do: {device, to_text.({device, value})}
    if Enum.all?(texts, fn {_, text} -> text != :error end), do: {:ok, join(texts)}, else: :error
  end

  defp by_device(_struct, _to_text), do: :error

  defp join(texts), do: for({device, text} <- texts, text != "", do: "#{device} #{text}")

  defp device_weight({device, weight}) when weight in 1..10_000 do
    if device == :default or device?(device), do: Integer.to_string(weight), else: :error
  end

  defp device_weight(_other), do: :error

  @rates [:rbps, :wbps, :riops, :wiops]

  defp device_limits({device, limits}) when is_map(limits) and not is_struct(limits) do
    if device?(device) and Enum.all?(limits, &rate?/1),
      do: Enum.map_join(limits, " ", fn {key, rate} -> "#{key}=#{rate}" end),
      else: :error
  end

  defp device_limits(_other), do: :error

  defp rate?({key, rate}), do: key in @rates and (rate == :max or (is_integer(rate) and rate > 0))

  defp device?(device), do: text?(device) and device =~ ~r/\A\d+:\d+\z/

  defp natural(value) when is_integer(value) and value >= 0, do: {:ok, Integer.to_string(value)}
  defp natural(_other), do: :error

  defp boolean(true), do: {:ok, "1"}
  defp boolean(false), do: {:ok, "0"}
  defp boolean(value) when value in [0, 1], do: {:ok, Integer.to_string(value)}
  defp boolean(_other), do: :error

  defp text(value), do: if(utf8?(value) and value != "", do: {:ok, value}, else: :error)
end
