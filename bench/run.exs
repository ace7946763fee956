# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Measures what containment costs. scripts/bench runs this with all that it needs:
#
#     scripts/bench [--runs N] [--only NAME]... [--cgroup-only] [--json FILE] [--save FILE]
#         [--merge FILE]... [--write]
#
# --save keeps what was measured, in a virtual machine say, for the --merge of another call.
# --write puts all of it into docs/performance.md.

for file <- ~w(measure cases json report), do: Code.require_file("#{file}.exs", __DIR__)

{options, [], []} =
  OptionParser.parse(System.argv(),
    strict: [
      runs: :integer,
      only: :keep,
      cgroup_only: :boolean,
      json: :string,
      save: :string,
      merge: :keep,
      write: :boolean
    ]
  )

{linkage, musl?} = Bench.Report.linkage(MuonTrap.muontrap_path())
only = Keyword.get_values(options, :only)

cases =
  if options[:cgroup_only],
    do: Bench.Cases.cgroup(),
    else: Bench.Cases.all(musl?) ++ Bench.Cases.cgroup()

cases = Enum.filter(cases, &(only == [] or &1.name in only))

runs =
  for number <- 1..Keyword.get(options, :runs, 1) do
    IO.puts("\nRun #{number}, helper #{linkage}")

    for bench <- cases do
      result = bench |> Map.delete(:run) |> Map.merge(bench.run.())
      IO.puts(Bench.Report.line(result))
      result
    end
  end

report = Bench.Report.new(linkage, runs, Keyword.get_values(options, :merge))
if file = options[:json], do: File.write!(file, Bench.JSON.encode(report))
if file = options[:save], do: File.write!(file, :erlang.term_to_binary(runs))
if options[:write], do: Bench.Report.write(report)

missed =
  for results <- runs,
      result <- results,
      not Bench.Report.meets?(result, result.must),
      do: result.name

if missed != [] do
  IO.puts("\nNot what it must be: #{missed |> Enum.uniq() |> Enum.join(", ")}")
  System.halt(1)
end
