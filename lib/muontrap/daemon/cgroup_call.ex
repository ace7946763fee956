# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Daemon.CgroupCall do
  @moduledoc false

  # The calls about a daemon's cgroup, on both sides. Each is answered by a new process, so that the daemon
  # can handle the output of its program meanwhile: the kernel may take seconds.

  alias MuonTrap.{Cgroup, Error, Label, Session}
  alias MuonTrap.Cgroup.Values

  @type request ::
          {:cgget, controller :: term(), variable :: term()}
          | {:cgset, controller :: term(), variable :: term(), value :: term()}
          | :cgroup_config
          | {:statistics, MuonTrap.Daemon.statistics()}

  @doc "Reads a file."
  @spec get(GenServer.server(), controller :: term(), variable :: term()) ::
          {:ok, String.t()} | {:error, Error.t()}
  def get(server, controller, variable),
    do: GenServer.call(server, {:cgget, controller, variable})

  @doc "Writes a file."
  @spec set(GenServer.server(), controller :: term(), variable :: term(), value :: term()) ::
          :ok | {:error, Error.t()}
  def set(server, controller, variable, value),
    do: GenServer.call(server, {:cgset, controller, variable, value})

  @doc "An answer, with the error of the kernel alone if that is the reason."
  @spec posix(answer) :: answer | {:error, File.posix()} when answer: term()
  def posix({:error, %Error{step: step, errno: errno}}) when step != :helper and errno != nil,
    do: {:error, errno}

  def posix(other), do: other

  @doc "The value of an answer. Raises its error."
  @spec ok!({:ok, value} | {:error, Error.t()}) :: value when value: term()
  def ok!({:ok, value}), do: value
  def ok!({:error, error}), do: raise(error)

  @doc "Replies to a call, at once or from another process."
  @spec answer(request(), GenServer.from(), Session.t() | nil) :: :ok
  def answer(request, from, session) do
    case session do
      %{group: group} when group != nil ->
        _pid = :proc_lib.spawn(__MODULE__, :init, [request, from, group])
        :ok

      _without ->
        GenServer.reply(from, without(request))
    end
  end

  @doc false
  @spec init(request(), GenServer.from(), Cgroup.t()) :: :ok
  def init(request, from, group) do
    Label.set("MuonTrap: answers a call about the cgroup of a daemon")
    GenServer.reply(from, ask(request, group))
  end

  defp without({:statistics, statistics}), do: statistics
  defp without(:cgroup_config), do: {:ok, %{}}

  defp without(_get_or_set) do
    {:error, %Error{step: :cgroup, errno: :enoent, message: "the daemon has no cgroup"}}
  end

  defp ask({:statistics, statistics}, group) do
    case Cgroup.statistics(group) do
      {:ok, files} -> %{statistics | cgroup: Values.statistics(files)}
      {:error, _error} -> statistics
    end
  end

  defp ask(:cgroup_config, group) do
    with {:ok, files} <- Cgroup.settings(group), do: {:ok, Values.config(files)}
  end

  defp ask({:cgget, controller, variable}, group) do
    with :ok <- check([controller || "", variable]),
         do: Cgroup.get(group, controller, variable)
  end

  defp ask({:cgset, controller, variable, value}, group) do
    value = if is_integer(value), do: Integer.to_string(value), else: value

    with :ok <- check([controller || "", variable, value]),
         :ok <- check_name(variable),
         do: Cgroup.set(group, controller, variable, value)
  end

  # The helper takes UTF-8 without null bytes.
  defp check(words) do
    case Enum.reject(words, &word?/1) do
      [] -> :ok
      [bad | _more] -> {:error, invalid(bad)}
    end
  end

  defp word?(word),
    do: is_binary(word) and String.valid?(word) and not String.contains?(word, "\0")

  # The first equals sign separates name and value.
  defp check_name(variable) do
    if variable == "" or String.contains?(variable, "="),
      do: {:error, invalid(variable)},
      else: :ok
  end

  defp invalid(word) do
    %Error{
      step: :cgroup,
      errno: :einval,
      message: "not a valid name or value for a cgroup: #{inspect(word)}"
    }
  end
end
