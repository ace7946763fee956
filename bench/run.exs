# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Measures what containment costs. scripts/bench builds what this needs, and calls it:
#
#     elixir -pa _build/prod/lib/muontrap/ebin bench/run.exs [--runs N] [--quick] [--only NAME]...
#         [--cgroup-only] [--helper FILE] [--json FILE] [--save FILE] [--merge FILE]... [--write]
#
# --quick measures each row twice only, to try the benchmarks out.
# --helper measures another helper than the one that was built.
# --save keeps the figures for --merge of another call, such as those of a virtual machine.
# --write puts the figures into docs/performance.md.
#
# Not "mix run": that uses consolidated protocols, in which the Collectable that counts is missing.

for file <-
      ~w(measure cases/commands cases/output cases/streams cases/conversations cases/daemons cases json report),
    do: Code.require_file("#{file}.exs", __DIR__)

{options, [], []} =
  OptionParser.parse(System.argv(),
    strict: [
      runs: :integer,
      quick: :boolean,
      only: :keep,
      cgroup_only: :boolean,
      helper: :string,
      json: :string,
      save: :string,
      merge: :keep,
      write: :boolean
    ]
  )

if helper = options[:helper], do: Application.put_env(:muontrap, :helper, Path.expand(helper))
{:ok, _started} = Application.ensure_all_started(:muontrap)
Logger.configure(level: :none)

linkage = Bench.Report.linkage(MuonTrap.muontrap_path())
only = Keyword.get_values(options, :only)
enough = if options[:quick], do: 2, else: :infinity

rows =
  if options[:cgroup_only],
    do: Bench.Cases.cgroup(),
    else: Bench.Cases.all() ++ Bench.Cases.cgroup()

rows = Enum.filter(rows, &(only == [] or &1.name in only))

runs =
  for number <- 1..Keyword.get(options, :runs, 1) do
    IO.puts("\nRun #{number}, helper #{linkage}")

    for row <- rows do
      result = row |> Map.delete(:run) |> Map.merge(row.run.(enough))
      result = Map.put(result, :helper, linkage)
      IO.puts(Bench.Report.line(result))
      result
    end
  end

report = Bench.Report.new(runs, Keyword.get_values(options, :merge))
if file = options[:json], do: File.write!(file, Bench.JSON.encode(report))
if file = options[:save], do: File.write!(file, :erlang.term_to_binary(runs))
if options[:write], do: Bench.Report.write(report)

missed =
  for results <- runs,
      result <- results,
      not Bench.Report.meets?(result, result.limit),
      do: result.name

if missed != [] do
  IO.puts("\nOver the limit: #{missed |> Enum.uniq() |> Enum.join(", ")}")
  System.halt(1)
end
