# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.RecipesTest do
  use ExUnit.Case, async: true

  # Runs the code of docs/recipes.md, each recipe in a BEAM of its own whose temporary folder is empty.

  import MuonTrap.Test.{Needs, OS}

  alias MuonTrap.Test.{Recipe, SecondBeam}

  @root Path.expand("..", __DIR__)
  @external_resource Path.join(@root, Recipe.file_name())

  @moduletag timeout: 600_000
  # Programs get this long to end after their BEAM, on a busy machine.
  @deadline_ms 60_000

  for recipe <- Recipe.all(@root) do
    @tag needs(Enum.map(recipe.needs, &{:program, &1}))
    test recipe.title do
      check(unquote(Macro.escape(recipe.parts)))
    end
  end

  test "there are recipes" do
    assert length(Recipe.all(@root)) >= 4
  end

  defp check(parts) do
    marker = marker()
    folder = Path.join(System.tmp_dir!(), marker)
    File.mkdir!(folder)
    # Programs may run as another user.
    File.chmod!(folder, 0o1777)
    on_exit(fn -> File.rm_rf!(folder) end)

    {killed, [last]} = Enum.split(parts, -1)
    for part <- killed, do: part |> run(marker, folder) |> kill_beam(marker)
    second = run(last, marker, folder)
    assert for(pid <- programs(marker), name = name(pid), do: name) == []
    # Sessions end just after their programs.
    wait_until(fn -> helpers(marker) == [] end, @deadline_ms)
    kill_beam(second, marker)
  end

  defp run(part, marker, folder) do
    second = SecondBeam.start(marker, 1024, "export TMPDIR='#{folder}'")
    :ok = SecondBeam.call(second, Logger, :configure, [[level: :none]])
    with {:error, text} <- SecondBeam.call(second, Recipe, :run, [part]), do: flunk(text)
    second
  end

  defp kill_beam(second, marker) do
    :ok = SecondBeam.kill(second)
    wait_until(fn -> processes(marker) == [] end, @deadline_ms)
  end

  # All but the BEAM, which has a process to start others.
  defp programs(marker) do
    for pid <- processes(marker),
        name(pid) not in ["beam.smp", "erl_child_setup"],
        muontrap?(pid) == false,
        do: pid
  end

  # With the marker in the environment, in the command line or in the working directory: servers overwrite the
  # first two with other text for ps(1).
  defp processes(marker) do
    at_work =
      for entry <- File.ls!("/proc"),
          {pid, ""} <- [Integer.parse(entry)],
          {:ok, directory} <- [File.read_link("/proc/#{pid}/cwd")],
          String.contains?(directory, marker),
          alive?(pid),
          do: pid

    Enum.uniq(at_work ++ marked(marker) ++ helpers(marker))
  end
end
