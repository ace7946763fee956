# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.CommandLineTest do
  use ExUnit.Case, async: true

  alias MuonTrap.{CommandLine, Options}

  describe "helper_args/1" do
    defp args(context \\ :cmd, opts) do
      args =
        CommandLine.helper_args(Options.validate(context, "/bin/echo", ["--uid", "-x"], opts))

      {flags, ["--" | command]} = Enum.split_while(args, &(&1 != "--"))
      assert command == ["/bin/echo", "--uid", "-x"]
      flags
    end

    @always ["--framed", "--delay-to-sigkill=500", "--stdio-window=10240"]

    test "what is captured" do
      assert args([]) == @always ++ ["--capture-output"]
      assert args(stderr_to_stdout: true) == @always ++ ["--capture-output", "--capture-stderr"]

      for opts <- [[], [stderr_to_stdout: true]] do
        assert args([capture_stderr_only: true] ++ opts) == @always ++ ["--capture-stderr-only"]
      end

      assert args(use_stdio: false) ==
               ["--framed", "--fds=3,4", "--delay-to-sigkill=500", "--stdio-window=10240"]
    end

    test "a daemon captures when something becomes of it" do
      assert args(:daemon, []) == @always
      assert args(:daemon, stderr_to_stdout: true) == @always ++ ["--capture-stderr"]
      assert args(:daemon, log_output: :info) == @always ++ ["--capture-output"]
      assert args(:daemon, logger_fun: & &1) == @always ++ ["--capture-output"]

      for opts <- [[], [logger_fun: & &1], [stderr_to_stdout: true]] do
        assert args(:daemon, [capture_stderr_only: true] ++ opts) ==
                 @always ++ ["--capture-stderr-only"]
      end
    end

    test "the other flags" do
      flags =
        args(
          delay_to_sigkill: 1,
          stdio_window: 2,
          arg0: "-sh",
          cd: "/",
          uid: "nobody",
          gid: 3,
          groups: ["a", 4],
          stop_signal: :sigint,
          orphans: :leave
        )

      assert flags -- ["--framed", "--capture-output"] == [
               "--delay-to-sigkill=1",
               "--stdio-window=2",
               "--arg0=-sh",
               "--cd=/",
               "--uid=nobody",
               "--gid=3",
               "--groups=a,4",
               "--stop-signal=SIGINT",
               "--orphans=leave"
             ]

      assert "--groups=" in args(groups: [])
    end

    test "cgroups" do
      flags =
        args(
          cgroup_path: "a/b",
          cgroup_controllers: ["cpu"],
          cgroup_sets: [{"memory", "memory.limit_in_bytes", 1}],
          cgroup: %{cpu_max: {50_000, 100_000}, memory_max: :max}
        )

      assert flags -- (@always ++ ["--capture-output"]) == [
               "--group=a/b",
               "--controller=cpu",
               "--controller=memory",
               "--set=memory.limit_in_bytes=1",
               "--set=cpu.max=50000 100000",
               "--set=memory.max=max"
             ]
    end

    test "a base makes a new group each time" do
      group = fn -> Enum.find(args(cgroup_base: "b"), &String.starts_with?(&1, "--group=b/")) end
      groups = for _ <- 1..100, do: group.()
      assert Enum.uniq(groups) == groups
      refute nil in groups
    end
  end
end
