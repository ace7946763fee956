# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Build.CompileTest do
  # The build of the project, with a crate of two lines, which cargo builds quickly.
  use MuonTrap.BuildCase

  @old 946_684_800

  setup %{dir: dir} do
    project = copy_project(Path.join(dir, "project"), ~w(mix mix.exs lib/muontrap/build))
    write(project, crate("one"))
    {:ok, project: project, helper: helper(project)}
  end

  defp crate(says) do
    %{
      "Cargo.toml" => """
      [package]
      name = "muontrap"
      version = "1.0.0"
      edition = "2024"
      rust-version = "1.85"

      [lib]
      path = "src/lib.rs"

      [[bin]]
      name = "muontrap"
      path = "src/main.rs"
      """,
      "Cargo.lock" => """
      version = 4

      [[package]]
      name = "muontrap"
      version = "1.0.0"
      """,
      "src/lib.rs" => """
      pub fn says() -> &'static str { "#{says}" }
      """,
      "src/main.rs" => """
      fn main() { println!("{}", muontrap::says()) }
      """
    }
  end

  defp helper(project, build \\ "dev"),
    do: Path.join(project, "_build/#{build}/lib/muontrap/priv/muontrap")

  defp compile!(project, env \\ []) do
    {output, status} = mix(project, ["compile"], env)
    assert status == 0, output
    output
  end

  defp says(helper) do
    {output, 0} = System.cmd(helper, [])
    String.trim(output)
  end

  test "builds the helper, and does not call cargo if nothing has changed", context do
    %{project: project, helper: helper, dir: dir} = context
    compile!(project)
    assert says(helper) == "one"

    File.touch!(Path.join(project, "src/lib.rs"), @old)
    assert compile!(project, PATH: path_without_rust(dir)) == ""
  end

  describe "the helper is linked" do
    # For the kernel, a dynamically linked program is one with an interpreter.
    defp static?(helper), do: not (File.read!(helper) =~ "/ld-")

    test "statically, if there is a static C library", %{project: project, helper: helper} do
      output = compile!(project)
      assert says(helper) == "one"
      assert static?(helper) == not (output =~ "linked dynamically")
    end

    test "dynamically, with a note, if there is none", context do
      %{project: project, helper: helper, dir: dir} = context

      script(Path.join(dir, "bin/cc"), """
      for word; do case $word in -static*) echo "cannot find -lc" >&2; exit 1;; esac; done
      exec #{System.find_executable("cc")} "$@"
      """)

      output = compile!(project, PATH: Path.join(dir, "bin") <> ":" <> System.get_env("PATH"))
      assert says(helper) == "one"
      refute static?(helper)
      assert output =~ "linked dynamically"
      assert output =~ "rustup target add"
    end

    test "as in the user's flags", %{project: project, helper: helper} do
      output = compile!(project, RUSTFLAGS: "-C target-feature=-crt-static")
      refute static?(helper)
      refute output =~ "linked dynamically"
    end

    test "with the user's flags, wherever they are configured", context do
      %{project: project, helper: helper} = context
      says = ~s|fn main() { println!("{}", if cfg!(mine) { "mine" } else { "lost" }) }\n|
      write(project, %{"src/main.rs" => says})
      compile!(project, RUSTFLAGS: "--cfg mine")
      assert says(helper) == "mine"

      write(project, %{".cargo/config.toml" => ~s([build]\nrustflags = ["--cfg", "mine"]\n)})
      compile!(project)
      assert says(helper) == "mine"
    end
  end

  test "builds again after a change of a source, also to an older file", context do
    %{project: project, helper: helper} = context
    compile!(project)

    write(project, crate("two"))
    compile!(project)
    assert says(helper) == "two"

    write(project, crate("six"))
    for file <- ~w(lib main), do: File.touch!(Path.join(project, "src/#{file}.rs"), @old)
    compile!(project)
    assert says(helper) == "six"
  end

  test "builds again in a copy of the project with its build", %{project: project, dir: dir} do
    compile!(project)
    copy = Path.join(dir, "copy")
    File.cp_r!(project, copy)
    write(copy, crate("two"))
    compile!(copy)
    assert copy |> helper() |> says() == "two"
  end

  test "builds again after a change of Cargo.toml, Cargo.lock or rustc's flags", context do
    %{project: project} = context
    compile!(project)

    for file <- ~w(Cargo.toml Cargo.lock) do
      File.write!(Path.join(project, file), "# changed\n", [:append])
      assert compile!(project) =~ "Building the helper"
    end

    assert compile!(project, RUSTFLAGS: "-C opt-level=1") =~ "Building the helper"
    assert compile!(project, RUSTFLAGS: "-C opt-level=1") == ""
  end

  test "builds again if the helper is not the one that was built", context do
    %{project: project, helper: helper} = context
    compile!(project)

    File.rm!(helper)
    compile!(project)
    assert says(helper) == "one"

    script(helper, "echo another")
    compile!(project)
    assert says(helper) == "one"
  end

  test "shows rustc's errors, fails, and leaves no helper behind", context do
    %{project: project, helper: helper} = context
    compile!(project)

    write(project, %{"src/lib.rs" => "nonsense"})
    {output, status} = mix(project, ["compile"])
    assert status != 0
    assert output =~ "nonsense"
    assert output =~ ~s("cargo rustc" ended with status 101)
    refute File.exists?(helper)

    write(project, crate("one"))
    compile!(project)
    assert says(helper) == "one"
  end

  test "reports a missing C linker first, and what to install", context do
    %{project: project, helper: helper, dir: dir} = context
    path = path_without(dir, ~w(cc gcc clang))
    {output, status} = mix(project, ["compile"], PATH: path)
    assert status != 0
    # Mix may say first what it has generated, and cargo follows last.
    assert [_generated, advice] = String.split(output, "Cannot install the helper muontrap. ")
    assert advice =~ ~r/\AThere is no C linker .*\n\n    apt-get install gcc/
    refute hd(String.split(output, "Cannot install")) =~ ~r/cargo|Building|static/
    assert output =~ "MUONTRAP_HELPER"
    refute output =~ "linked dynamically"
    refute File.exists?(helper)
  end

  test "reports how to fix a crate that cannot be downloaded", %{dir: dir} do
    project = copy_project(Path.join(dir, "whole"))
    env = [CARGO_HOME: Path.join(dir, "cargo"), CARGO_NET_OFFLINE: "true"]

    {output, status} = mix(project, ["compile"], [RUSTUP_HOME: rustup_home()] ++ env)

    assert status != 0
    assert output =~ "crates that the helper depends on could not be downloaded"
    assert output =~ "cargo fetch --locked"
    assert output =~ "MUONTRAP_HELPER"
  end

  # Next to CARGO_HOME, unless it is set.
  defp rustup_home, do: System.get_env("RUSTUP_HOME") || Path.expand("~/.rustup")

  test "is undone by mix clean", %{project: project, helper: helper} do
    compile!(project)
    {output, 0} = mix(project, ["clean"])
    refute output =~ "warning"
    refute File.exists?(helper)
    compile!(project)
    assert says(helper) == "one"
  end

  test "reports what to install if cargo is missing", context do
    %{project: project, dir: dir, helper: helper} = context
    {output, status} = mix(project, ["compile"], PATH: path_without_rust(dir))
    assert status != 0
    assert output =~ "helper muontrap. cargo, which builds the helper, is not installed"
    refute output =~ "Building"
    assert output =~ "sh.rustup.rs"
    assert output =~ "apt-get install cargo-web"
    assert output =~ "MUONTRAP_HELPER"
    refute File.exists?(helper)
  end

  test "reports what to install if cargo is too old", %{project: project, dir: dir} do
    versions =
      "echo 'cargo 1.65.0'; echo 'release: 1.65.0'; echo 'host: x86_64-unknown-linux-gnu'"

    script(Path.join(dir, "old/cargo"), versions)
    path = Path.join(dir, "old") <> ":" <> System.get_env("PATH")

    {output, status} = mix(project, ["compile"], PATH: path)
    assert status != 0
    assert output =~ "is version 1.65.0, and 1.85.0 is needed"
    assert output =~ "sh.rustup.rs"
  end

  test "shows the output of a cargo that does not work", %{project: project, dir: dir} do
    script(Path.join(dir, "broken/cargo"), "echo 'no default is configured' >&2; exit 1")
    path = Path.join(dir, "broken") <> ":" <> System.get_env("PATH")

    {output, status} = mix(project, ["compile"], PATH: path)
    assert status != 0
    assert output =~ "broken/cargo does not work: no default is configured"
  end

  test "refuses a priv folder among the sources, and works again without it", context do
    %{project: project, helper: helper} = context
    priv = Path.join(project, "priv")
    write(priv, %{"muontrap" => "precious"})

    {output, status} = mix(project, ["compile"])
    assert status != 0
    assert output =~ "Remove #{priv}"
    assert File.read!(Path.join(priv, "muontrap")) == "precious"

    File.rm_rf!(priv)
    compile!(project)
    assert says(helper) == "one"
  end

  describe "a prebuilt helper" do
    setup %{dir: dir} do
      {:ok, ready: script(Path.join(dir, "ready"), "echo ready"), path: path_without_rust(dir)}
    end

    test "is taken from MUONTRAP_HELPER, without cargo", context do
      %{project: project, helper: helper, ready: ready, path: path} = context
      compile!(project, MUONTRAP_HELPER: ready, PATH: path)
      assert says(helper) == "ready"
      assert compile!(project, MUONTRAP_HELPER: ready, PATH: path) == ""

      script(ready, "echo another one")
      compile!(project, MUONTRAP_HELPER: ready, PATH: path)
      assert says(helper) == "another one"

      compile!(project)
      assert says(helper) == "one"
    end

    test "is taken from the configuration rather than from the environment", context do
      %{project: project, helper: helper, ready: ready, path: path, dir: dir} = context

      write(project, %{
        "config/config.exs" => "import Config\nconfig :muontrap, helper: #{inspect(ready)}"
      })

      compile!(project, PATH: path)
      assert says(helper) == "ready"

      other = script(Path.join(dir, "other"), "echo other")
      assert compile!(project, MUONTRAP_HELPER: other, PATH: path) == ""
      assert says(helper) == "ready"
    end

    test "must exist, be executable, and be given by its absolute path", context do
      %{project: project, ready: ready, helper: helper} = context
      compile!(project)

      for {path, message} <- [
            {ready <> ".not", "no such file or directory"},
            {Path.join(project, "mix.exs"), "is neither an executable file nor a folder"},
            {"ready", "must be absolute"}
          ] do
        {output, status} = mix(project, ["compile"], MUONTRAP_HELPER: path)
        assert status != 0
        assert output =~ message
        refute File.exists?(helper)
      end
    end
  end

  test "a folder among the sources, added after the build, is noticed", context do
    %{project: project} = context
    compile!(project)
    File.mkdir_p!(Path.join(project, "src/new"))
    assert compile!(project) == ""
    write(project, %{"src/new/file.rs" => "// not even used\n"})
    assert compile!(project) =~ "Building the helper"
  end

  test "each MIX_ENV and MIX_TARGET has a helper of its own", %{project: project, dir: dir} do
    ready = script(Path.join(dir, "ready"), "echo for the device")
    compile!(project)
    compile!(project, MIX_ENV: "prod")
    compile!(project, MIX_TARGET: "device", MUONTRAP_HELPER: ready)

    assert says(helper(project)) == "one"
    assert says(helper(project, "prod")) == "one"
    assert says(helper(project, "device_dev")) == "for the device"
  end

  test "a folder that is shared by all environments never has the helper of another one",
       context do
    %{project: project, dir: dir} = context
    ready = script(Path.join(dir, "ready"), "echo for the device")
    env = [MIX_BUILD_PATH: Path.join(dir, "shared")]
    helper = Path.join(dir, "shared/lib/muontrap/priv/muontrap")

    compile!(project, [MIX_TARGET: "device", MUONTRAP_HELPER: ready] ++ env)
    assert says(helper) == "for the device"
    compile!(project, env)
    assert says(helper) == "one"
  end

  describe "Nerves" do
    @nerves [MIX_TARGET: "rpi4", TARGET_OS: "linux", TARGET_ABI: "gnu"]

    test "gets a message about the missing standard library of Rust", %{project: project} do
      compile!(project)

      # A target that is not installed on any machine that runs the tests.
      {output, status} = mix(project, ["compile"], @nerves ++ [TARGET_ARCH: "i586", CC: "cc"])
      assert status != 0
      assert output =~ ~s("rustup target add i586-unknown-linux-gnu")

      refute File.exists?(helper(project, "rpi4_dev"))
      assert says(helper(project)) == "one"
    end

    # The compiler of this machine takes the part of the cross-compiler.
    test "links the helper with its compiler, but not cargo's build scripts", context do
      %{project: project, dir: dir} = context
      cc = script(Path.join(dir, "nerves-gcc"), ~s|echo "$@" >>"#{dir}/linked"; exec cc "$@"\n|)

      write(project, %{
        "build.rs" => """
        fn main() { assert!(std::env::var("CC").is_err()) }
        """
      })

      env = [
        TARGET_ARCH: hd(String.split(to_string(:erlang.system_info(:system_architecture)), "-")),
        CROSSCOMPILE: Path.join(dir, "nerves"),
        CC: cc,
        CFLAGS: "-march=nonsense",
        NERVES_SDK_SYSROOT: "/"
      ]

      compile!(project, @nerves ++ env)
      assert says(helper(project, "rpi4_dev")) == "one"
      linked = File.read!(Path.join(dir, "linked"))
      assert linked =~ "--sysroot=/"
      refute linked =~ "build_script"
    end
  end
end
