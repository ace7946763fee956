# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Cgroup do
  @moduledoc """
  Access to control groups for tests. Reads the kernel's files itself, so that an error of MuonTrap cannot
  hide here, too.
  """

  import ExUnit.Assertions
  import MuonTrap.Test.OS

  alias MuonTrap.Test.Needs

  @typedoc "The mount point of each hierarchy, by controller; that of v2 is under `:v2`."
  @type mounts :: %{optional(String.t() | :v2) => Path.t()}

  @doc "The mounted hierarchies."
  @spec mounts() :: mounts()
  def mounts do
    for line <- File.stream!("/proc/self/mountinfo"),
        [place, kind] = String.split(line, " - "),
        point = place |> String.split() |> Enum.at(4),
        ["cgroup" <> version, _source, options] <- [String.split(kind)],
        name <- if(version == "2", do: [:v2], else: String.split(options, ",")),
        into: %{},
        do: {name, point}
  end

  @doc "The controllers that v1 has on this host."
  @spec v1_controllers() :: [String.t()]
  def v1_controllers do
    mounts = mounts()

    # The options of a mount contain more than its controllers.
    for line <- File.stream!("/proc/cgroups"),
        [name | _numbers] = String.split(line),
        Map.has_key?(mounts, name),
        do: name
  end

  @doc "The version that a controller belongs to on this host, or `nil` if there is none."
  @spec version(String.t()) :: :v1 | :v2 | nil
  def version(controller) do
    mounts = mounts()
    v1_name = if controller == "io", do: "blkio", else: controller

    cond do
      Map.has_key?(mounts, v1_name) -> :v1
      controller in v2_controllers(mounts) -> :v2
      true -> nil
    end
  end

  defp v2_controllers(%{v2: point}),
    do: [point, "cgroup.controllers"] |> Path.join() |> File.read!() |> String.split()

  defp v2_controllers(_none), do: []

  @doc "The directories of a group that exist."
  @spec directories(String.t()) :: [Path.t()]
  def directories(group) do
    for point <- mounts() |> Map.values() |> Enum.uniq(),
        path = Path.join(point, group),
        File.dir?(path),
        do: path
  end

  @doc "The path of a file of a group, in whichever hierarchy it is."
  @spec file(String.t(), String.t()) :: Path.t() | nil
  def file(group, name) do
    group |> directories() |> Enum.map(&Path.join(&1, name)) |> Enum.find(&File.exists?/1)
  end

  @doc "The contents of that file."
  @spec read(String.t(), String.t()) :: String.t() | nil
  def read(group, name),
    do: if(path = file(group, name), do: path |> File.read!() |> String.trim())

  @doc "The processes in a group and below it."
  @spec members(String.t()) :: [pos_integer()]
  def members(group) do
    for directory <- directories(group),
        file <- Path.wildcard(directory <> "/**/cgroup.procs"),
        {:ok, pids} <- [File.read(file)],
        pid <- String.split(pids),
        uniq: true,
        do: String.to_integer(pid)
  end

  @doc """
  Runs a test with the name of a new group, and checks that it is gone afterwards. The test needs the tag
  `needs(cgroups: controllers)`.
  """
  @spec with_group([String.t()], (String.t() -> term())) :: :ok
  def with_group(controllers \\ [], test) do
    reason = Needs.obstacle(cgroups: controllers)
    refute reason, "this test #{reason}: tag it with needs(cgroups: #{inspect(controllers)})"
    group = "muontrap-test-#{System.pid()}-#{System.unique_integer([:positive])}"

    # Also after a test that was killed, as by a link or the timeout of ExUnit.
    ExUnit.Callbacks.on_exit(fn -> if directories(group) != [], do: clean(group) end)
    test.(group)
    remove(group)
  end

  defp clean(group), do: System.cmd(MuonTrap.muontrap_path(), ["cgroup-clean", "--group", group])

  @doc "Starts a daemon in a group, and waits until its two processes are running."
  @spec start_daemon!(String.t(), keyword()) :: pid()
  def start_daemon!(group, opts \\ []) do
    script = "sleep 1000 & exec sleep 1000"

    {:ok, daemon} =
      MuonTrap.Daemon.start_link("sh", ["-c", script], [{:cgroup_path, group} | opts])

    wait_until(fn -> length(members(group)) == 2 end)
    daemon
  end

  @doc "The directories of the groups below a group."
  @spec below(String.t()) :: [Path.t()]
  def below(group) do
    for directory <- directories(group),
        path <- Path.wildcard(directory <> "/**"),
        File.dir?(path),
        do: path
  end

  @doc "Removes a group and the groups below it. There must be no processes in them."
  @spec remove(String.t()) :: :ok
  def remove(group) do
    for path <- Enum.reverse(Enum.sort(directories(group) ++ below(group))) do
      wait_until(fn -> File.rmdir(path) in [:ok, {:error, :enoent}] end)
    end

    :ok
  end

  @doc "Waits until no directory of a group is left."
  @spec await_removed(String.t()) :: true
  def await_removed(group), do: wait_until(fn -> directories(group) == [] end)

  @doc "A new folder with a copy of the helper, which every user can access."
  @spec public_folder() :: Path.t()
  def public_folder do
    folder = Path.join(System.tmp_dir!(), marker())
    File.mkdir!(folder)
    File.chmod!(folder, 0o777)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(folder) end)
    helper = Path.join(folder, "muontrap")
    File.cp!(MuonTrap.muontrap_path(), helper)
    File.chmod!(helper, 0o755)
    folder
  end

  @doc """
  Runs the helper in `public_folder/0` as user nobody. `setup` are shell commands that root runs before, in
  the same process.
  """
  @spec helper_as_nobody(Path.t(), String.t(), [binary()]) :: {String.t(), non_neg_integer()}
  def helper_as_nobody(folder, setup \\ "", args) do
    helper = Path.join(folder, "muontrap")
    script = setup <> "\nexec \"$0\" --uid 65534 -- \"$@\""
    MuonTrap.cmd("sh", ["-c", script, helper, helper | args], stderr_to_stdout: true, cd: "/")
  end
end
