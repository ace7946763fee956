# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.OS do
  @moduledoc """
  Access to the operating system for tests: which processes are running, and functions that wait for
  them. Reads `/proc`, which distinguishes zombies.
  """

  import ExUnit.Assertions

  @poll_ms 2
  @deadline_ms 60_000
  # The number of bytes to read of a command line or an environment.
  @most_bytes 1_000_000

  @doc """
  Polls until `condition` returns a truthy value, and returns this value. Fails the test after
  `timeout` milliseconds.
  """
  @spec wait_until(function(), pos_integer()) :: term()
  def wait_until(condition, timeout \\ @deadline_ms) do
    poll(condition, System.monotonic_time(:millisecond) + timeout, timeout)
  end

  defp poll(condition, deadline, timeout) do
    cond do
      result = condition.() ->
        result

      System.monotonic_time(:millisecond) > deadline ->
        flunk("nothing came of waiting for #{timeout} ms")

      true ->
        receive do
        after
          @poll_ms -> poll(condition, deadline, timeout)
        end
    end
  end

  @doc "The state of a process as one letter, such as `\"S\"`, `\"T\"` or `\"Z\"`, or `nil` if it is gone."
  @spec state(pos_integer()) :: String.t() | nil
  def state(pid) do
    with {:ok, stat} <- File.read("/proc/#{pid}/stat") do
      # The name, in parentheses, may contain any character.
      stat |> String.split(")") |> List.last() |> String.split() |> hd()
    else
      {:error, _gone} -> nil
    end
  end

  @doc "The port whose process has this pid."
  @spec port_of(pos_integer()) :: port()
  def port_of(pid) do
    [port] = for port <- Port.list(), Port.info(port, :os_pid) == {:os_pid, pid}, do: port
    port
  end

  @doc "Returns whether a process exists and is not a zombie."
  @spec alive?(pos_integer()) :: boolean()
  def alive?(pid), do: state(pid) not in [nil, "Z", "X"]

  @doc """
  The running processes with `marker` in their command line or environment, except those of muontrap, which
  show the arguments of their programs and end just after them.
  """
  @spec marked(String.t()) :: [pos_integer()]
  def marked(marker), do: for(pid <- all_marked(marker), muontrap?(pid) == false, do: pid)

  @doc "Kills the processes with `marker` that a test has left. Some may end meanwhile."
  @spec kill_marked(String.t()) :: :ok
  def kill_marked(marker) do
    for pid <- marked(marker),
        do: System.cmd("sh", ["-c", "kill -KILL #{pid}"], stderr_to_stdout: true)

    :ok
  end

  @doc """
  The processes of muontrap, except fork servers, with `marker` in their command line, or with a child that has
  it in its command line or environment.
  """
  @spec helpers(String.t()) :: [pos_integer()]
  def helpers(marker) do
    all = all_marked(marker)
    parents = for pid <- all, {:ok, parent} <- [fetch_parent(pid)], do: parent
    for pid <- Enum.uniq(all ++ parents), session?(pid), do: pid
  end

  @doc "Returns whether this is a process of muontrap, or `nil` if it is gone."
  @spec muontrap?(pos_integer()) :: boolean() | nil
  def muontrap?(pid) do
    if name = name(pid), do: name == "muontrap" or String.starts_with?(name, "muontrap:")
  end

  # A name has at most 15 bytes.
  defp session?(pid), do: muontrap?(pid) == true and name(pid) != "muontrap: fork "

  defp all_marked(marker) do
    for entry <- File.ls!("/proc"),
        {pid, ""} <- [Integer.parse(entry)],
        Enum.any?(["cmdline", "environ"], &mentions?("/proc/#{pid}/#{&1}", marker)),
        alive?(pid),
        do: pid
  end

  @doc "The name of a process, or `nil` if it is gone."
  @spec name(pos_integer()) :: String.t() | nil
  def name(pid) do
    case File.read("/proc/#{pid}/comm") do
      {:ok, name} -> String.trim_trailing(name, "\n")
      {:error, _gone} -> nil
    end
  end

  # Raw, since File.read/1 uses one process for the whole BEAM, and many tests read many files at the same
  # time.
  defp mentions?(path, marker) do
    with {:ok, file} <- :file.open(path, [:raw, :read, :binary]) do
      content = :file.read(file, @most_bytes)
      :ok = :file.close(file)
      match?({:ok, _}, content) and String.contains?(elem(content, 1), marker)
    else
      {:error, _gone} -> false
    end
  end

  @doc "A unique word that marks processes."
  @spec marker() :: String.t()
  def marker do
    "marker-#{System.pid()}-#{System.os_time()}-#{System.unique_integer([:positive])}"
  end

  @doc "Writes an executable file, and returns its path."
  @spec script(Path.t(), String.t(), iodata()) :: Path.t()
  def script(directory, name, content) do
    path = Path.join(directory, name)
    File.write!(path, content)
    File.chmod!(path, 0o755)
    path
  end

  @doc """
  Writes a helper that runs `script` and says nothing, the first time, when it writes its pid to `pid_file`. Later it is
  the helper of this build, for what is to be done about the first one.
  """
  @spec silent_helper(Path.t(), Path.t(), String.t()) :: Path.t()
  def silent_helper(directory, pid_file, script) do
    script(directory, "muontrap", """
    #!/bin/sh
    [ -e '#{pid_file}' ] && exec '#{MuonTrap.muontrap_path()}' "$@"
    echo $$ >'#{pid_file}'
    #{script}
    """)
  end

  @doc "Waits until a program has written a pid and a newline to `path`, and returns the pid."
  @spec await_pid(Path.t()) :: pos_integer()
  def await_pid(path) do
    wait_until(fn ->
      with {:ok, content} <- File.read(path),
           {pid, "\n" <> _} <- Integer.parse(content) do
        pid
      else
        _not_yet -> nil
      end
    end)
  end

  @doc "Waits until a process is gone, or a zombie."
  @spec await_gone(pos_integer()) :: true
  def await_gone(pid), do: wait_until(fn -> not alive?(pid) end)

  @doc "Sends a signal, by name, to a process."
  @spec kill(pos_integer(), String.t()) :: :ok
  def kill(pid, signal) do
    {"", 0} = System.cmd("sh", ["-c", "kill -#{signal} #{pid}"])
    :ok
  end

  @doc "The parent of a process."
  @spec parent(pos_integer()) :: pos_integer()
  def parent(pid) do
    {:ok, parent} = fetch_parent(pid)
    parent
  end

  @doc "The running children of a process."
  @spec children(pos_integer()) :: [pos_integer()]
  def children(pid) do
    for entry <- File.ls!("/proc"),
        {child, ""} <- [Integer.parse(entry)],
        fetch_parent(child) == {:ok, pid},
        alive?(child),
        do: child
  end

  defp fetch_parent(pid) do
    with {:ok, status} <- File.read("/proc/#{pid}/status") do
      [_, parent] = Regex.run(~r/^PPid:\s*(\d+)/m, status)
      {:ok, String.to_integer(parent)}
    end
  end

  @doc "Returns whether the BEAM runs as root."
  @spec root?() :: boolean()
  def root?, do: System.cmd("id", ["-u"]) == {"0\n", 0}

  @doc "The messages in the mailbox of the calling process."
  @spec mailbox() :: [term()]
  def mailbox do
    {:messages, messages} = Process.info(self(), :messages)
    messages
  end
end
