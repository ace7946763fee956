# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.StartTest do
  use ExUnit.Case, async: true

  alias MuonTrap.{Cgroup, Options}
  alias MuonTrap.Session.Start

  # Returns the fields of START as pairs of number and value.
  defp fields(context \\ :cmd, opts) do
    options = context |> Options.new("echo", ["--uid", "-x"], opts) |> Cgroup.choose()
    {:ok, frame} = Start.start(options, Cgroup.new(options), "/dir", :inherited)
    <<0x08, payload::binary>> = IO.iodata_to_binary(frame)
    decode(payload)
  end

  defp decode(<<number::16, size::32, value::binary-size(size), rest::binary>>),
    do: [{number, value} | decode(rest)]

  defp decode(""), do: []

  @command [{1, "echo"}, {2, "--uid"}, {2, "-x"}, {4, "/dir"}]
  @always [{33, <<500::32>>}, {19, <<10_240::32>>}]

  defp more(context \\ :cmd, opts), do: fields(context, opts) -- (@command ++ @always)

  describe "start/4" do
    test "begins with the command" do
      assert Enum.take(fields([]), 4) == @command
    end

    test "has the captured streams" do
      assert more([]) == [{17, "capture"}]
      assert more(stderr_to_stdout: true) == [{17, "capture"}, {18, "stdout"}]

      for opts <- [[], [stderr_to_stdout: true]] do
        assert more([capture_stderr_only: true] ++ opts) == [{18, "capture"}]
      end

      assert more(use_stdio: false) == [{16, "inherit"}, {17, "inherit"}]
    end

    test "has the files that streams go to" do
      opts = [stdout: {:file, "a", append: true, mode: 0o600}, stderr: {:file, "/b"}]

      assert more(opts) == [
               {17, "file"},
               {21, "a"},
               {23, <<1::32>>},
               {25, <<0o600::32>>},
               {18, "file"},
               {22, "/b"}
             ]

      assert more(:run, stdout: :discard, stderr: :discard) == [{18, "null"}]
      assert more(:run, stdout: :inherit, stderr: :capture) == [{17, "inherit"}, {18, "capture"}]
    end

    test "captures the output of a daemon if it is used" do
      assert more(:daemon, []) == []
      assert more(:daemon, stderr_to_stdout: true) == [{18, "stdout"}]
      assert more(:daemon, log_output: :info) == [{17, "capture"}]
      assert more(:daemon, logger_fun: & &1) == [{17, "capture"}]

      for opts <- [[], [logger_fun: & &1], [stderr_to_stdout: true]] do
        assert more(:daemon, [capture_stderr_only: true] ++ opts) == [{18, "capture"}]
      end
    end

    test "has the other options" do
      opts = [
        delay_to_sigkill: 1,
        stdio_window: 2,
        arg0: "-sh",
        cd: "/",
        uid: "nobody",
        gid: 3,
        groups: ["a", 4],
        stop_signal: :sigint,
        orphans: :leave
      ]

      assert Enum.sort(fields(opts) -- [{17, "capture"} | @command]) == [
               {3, "-sh"},
               {5, "/"},
               {19, <<2::32>>},
               {32, "SIGINT"},
               {33, <<1::32>>},
               {34, "leave"},
               {48, "nobody"},
               {49, "3"},
               {50, "a,4"}
             ]

      assert {50, ""} in fields(groups: [])
    end

    test "has the steps of a stop in their order" do
      steps = &for({35, step} <- fields(&1), do: step)
      assert steps.([]) == []
      assert steps.(stop: [sigint: 5_000, sigterm: 0]) == ["SIGINT 5000", "SIGTERM 0"]
      assert steps.(stop: []) == ["SIGKILL 0"]
      assert {36, "all"} in fields(stop_scope: :all)
    end

    test "sets and removes variables in the order in which they were given" do
      env = [{"A", "1"}, {"B", nil}, {"C", ""}, {"A", "\xFF"}]

      assert [{8, "A=1"}, {9, "B"}, {8, "C="}, {8, "A=\xFF"}] =
               more(env: env) -- [{17, "capture"}]
    end

    test "has the cgroup" do
      opts = [
        cgroup_path: "a/b",
        cgroup_controllers: ["cpu"],
        cgroup_sets: [{"memory", "memory.limit_in_bytes", 1}],
        cgroup: %{cpu_max: {50_000, 100_000}, memory_max: :max}
      ]

      assert more(opts) -- [{17, "capture"}] == [
               {64, "a/b"},
               {65, "cpu"},
               {65, "memory"},
               {66, "memory.limit_in_bytes=1"},
               {66, "cpu.max=50000 100000"},
               {66, "memory.max=max"}
             ]
    end

    test "makes a new group below a base each time" do
      group = fn -> fields(cgroup_base: "b") |> List.keyfind(64, 0) end
      groups = for _ <- 1..100, do: group.()
      assert Enum.uniq(groups) == groups
      assert Enum.all?(groups, &match?({64, "b/" <> _}, &1))
    end
  end

  test "a frame about a cgroup has a number and fields" do
    frame = Start.request(:get, 7, cgroup_path: "a", cgroup_file: "memory.max")
    assert <<0x09, 7::32, fields::binary>> = IO.iodata_to_binary(frame)
    assert decode(fields) == [{64, "a"}, {67, "memory.max"}]
    frame = Start.request(:clean, 8, cgroup_path: "a", timeout: 5000)
    assert <<0x0D, 8::32, fields::binary>> = IO.iodata_to_binary(frame)
    assert decode(fields) == [{64, "a"}, {68, <<5000::32>>}]
  end
end
