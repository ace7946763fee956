# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.DependencyTest do
  # MuonTrap as a dependency of other projects.
  use MuonTrap.BuildCase

  # Shares cargo's target folder with the build that runs these tests, to save time.
  @cargo_dir Path.join(Path.dirname(Mix.Project.build_path()), "muontrap_cargo")

  @main ~S"""
  defmodule Host do
    def main(_args), do: IO.inspect(MuonTrap.cmd("echo", ["hello from", System.version()]))
  end
  """

  setup %{dir: dir} do
    {:ok, host: Path.join(dir, "host"), env: [CARGO_TARGET_DIR: @cargo_dir]}
  end

  defp write_host(host, dependency) do
    write(host, %{
      "lib/host.ex" => @main,
      "mix.exs" => """
      defmodule Host.MixProject do
        use Mix.Project

        def project do
          [
            app: :host,
            version: "0.1.0",
            deps: [{:muontrap, #{inspect(dependency)}}],
            escript: [main_module: Host]
          ]
        end

        def application, do: [extra_applications: [:logger]]
      end
      """
    })
  end

  defp mix!(host, args, env) do
    {output, status} = mix(host, args, env)
    assert status == 0, output
    output
  end

  defp hello, do: ~s({"hello from #{System.version()}\\n", 0})

  test "a path dependency, switched between environments and built once for each", context do
    %{host: host, env: env} = context
    write_host(host, path: root())

    for mix_env <- ~w(dev prod) do
      env = [MIX_ENV: mix_env] ++ env
      assert mix!(host, ["run", "-e", "Host.main([])"], env) =~ hello()
      assert File.exists?(Path.join(host, "_build/#{mix_env}/lib/muontrap/priv/muontrap"))
    end

    without_rust = [PATH: path_without_rust(context.dir)] ++ env
    assert mix!(host, ["run", "-e", "Host.main([])"], without_rust) == hello() <> "\n"
    refute File.exists?(Path.join(root(), "priv"))
  end

  test "a git dependency, from deps.get to a release that runs elsewhere", context do
    %{host: host, env: env, dir: dir} = context
    repository = copy_project(Path.join(dir, "repository"))
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]

    for args <- [["init", "-q"], ["add", "."], author ++ ["commit", "-q", "-m", "1"]] do
      assert {_, 0} = run("git", args, repository)
    end

    write_host(host, git: repository)
    mix!(host, ["deps.get"], env)
    env = [MIX_ENV: "prod"] ++ env
    mix!(host, ["release"], env)

    elsewhere = Path.join(dir, "elsewhere")
    File.rename!(Path.join(host, "_build/prod/rel/host"), elsewhere)
    for gone <- [host, repository], do: File.rm_rf!(gone)

    {output, 0} = run(Path.join(elsewhere, "bin/host"), ["eval", "Host.main([])"], dir)
    assert output =~ hello()
  end

  # An escript is one file, and a program in it cannot be executed.
  test "an escript needs a helper outside of it, and says so", context do
    %{host: host, env: env} = context
    write_host(host, path: root())
    mix!(host, ["escript.build"], env)
    helper = Path.join(host, "_build/dev/lib/muontrap/priv/muontrap")
    escript = Path.join(host, "host")

    {output, status} = run(escript, [], host, MUONTRAP_HELPER: helper)
    assert {output, status} == {hello() <> "\n", 0}

    {output, status} = run(escript, [], host)
    assert status != 0
    assert output =~ "MUONTRAP_HELPER"
    assert output =~ "escript"
  end
end
