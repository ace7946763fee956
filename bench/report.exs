# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Report do
  @moduledoc false

  alias Bench.Measure

  @page "docs/performance.md"
  @chart "docs/performance.svg"
  @start "<!-- figures -->\n"
  @stop "<!-- end of figures -->\n"

  @doc "How the helper is linked, in words, and whether it does without glibc."
  @spec linkage(Path.t()) :: {String.t(), boolean()}
  def linkage(helper) do
    bytes = File.read!(helper)

    cond do
      :binary.match(bytes, "/ld-linux") != :nomatch -> {"dynamic, glibc", false}
      # The names of glibc's tunables are in whatever it is linked into.
      :binary.match(bytes, "glibc.malloc.") != :nomatch -> {"static, glibc", false}
      true -> {"static, musl", true}
    end
  end

  @doc "Whether a result is as good as `limit`."
  @spec meets?(map(), number()) :: boolean()
  def meets?(%{better: :less, value: value}, limit), do: value <= limit
  def meets?(%{better: :more, value: value}, limit), do: value >= limit

  @doc "A result as a line of text."
  @spec line(map()) :: String.t()
  def line(result) do
    times = if result.theirs, do: ", #{us(result.ours)} and #{us(result.theirs)}", else: ""

    "  #{String.pad_trailing(result.name, 10)} #{number(result.value)} #{result.unit} " <>
      "(#{number(result.low)} to #{number(result.high)}), must #{result.must}, aim #{result.aim}: " <>
      "#{verdict(result)}#{times}"
  end

  defp verdict(result) do
    cond do
      meets?(result, result.aim) -> "aim met"
      meets?(result, result.must) -> "met"
      true -> "MISSED"
    end
  end

  defp us(time), do: "#{round(time)} us"
  defp number(value), do: :erlang.float_to_binary(value / 1, decimals: 2)

  @doc "All that was measured, together with what was saved by others in `files`."
  @spec new(String.t(), [[map()]], [Path.t()]) :: map()
  def new(linkage, runs, files) do
    merged = for file <- files, run <- :erlang.binary_to_term(File.read!(file)), do: run

    %{
      date: Date.to_iso8601(Date.utc_today()),
      helper: linkage,
      elixir: System.version(),
      otp: System.otp_release(),
      kernel: ~r/^\d+\.\d+/ |> Regex.run(File.read!("/proc/sys/kernel/osrelease")) |> hd(),
      processors: System.schedulers_online(),
      runs: runs ++ merged
    }
  end

  @doc "Writes the table and the chart."
  @spec write(map()) :: :ok
  def write(report) do
    rows = rows(report)
    [before, rest] = String.split(File.read!(@page), @start)
    [_old, rest] = String.split(rest, @stop)
    File.write!(@page, [before, @start, table(report, rows), @stop, rest])
    File.write!(@chart, chart(rows))
    IO.puts("\nWrote #{@page} and #{@chart}")
  end

  # The median of the runs stands for a case; each run is told, too.
  defp rows(report) do
    for result <- report.runs |> List.flatten() |> Enum.uniq_by(& &1.title) do
      same = for other <- List.flatten(report.runs), other.title == result.title, do: other
      %{result | value: Measure.median(Enum.map(same, & &1.value)) / 1} |> Map.put(:all, same)
    end
  end

  defp table(report, rows) do
    [
      "\nMeasured on #{report.date}: helper #{report.helper}, Elixir #{report.elixir} on OTP #{report.otp}, " <>
        "Linux #{report.kernel}, #{report.processors} processors. In brackets, between which values half of " <>
        "the pairs of a run lie.\n\n",
      "| what | must | aim | measured | each run |\n|---|---|---|---|---|\n",
      for row <- rows do
        sign = if row.better == :less, do: "≤", else: "≥"

        each =
          Enum.map_join(
            row.all,
            ", ",
            &"#{number(&1.value)} [#{number(&1.low)}–#{number(&1.high)}]"
          )

        "| #{row.title}#{unit(row)} | #{sign} #{row.must} | #{sign} #{row.aim} | **#{number(row.value)}** " <>
          "#{mark(row)} | #{each} |\n"
      end,
      "\n![Each figure against what it must be](performance.svg)\n\n"
    ]
  end

  defp unit(%{unit: ""}), do: ""
  defp unit(%{unit: unit}), do: ", #{unit}"

  defp mark(row) do
    case verdict(row) do
      "aim met" -> "aim met"
      "met" -> "met"
      "MISSED" -> "**missed**"
    end
  end

  @bar 22
  @left 330
  @unit 300

  # How long each bar is: what was measured against what it must be, so that 1 is just good enough
  # and shorter is better, with a tick where the aim is.
  defp chart(rows) do
    rows = Enum.filter(rows, &(&1.must > 0))
    height = (length(rows) + 1) * @bar + 16

    [
      ~s(<!--\nSPDX-FileCopyrightText: 2026 The MuonTrap authors\n\nSPDX-License-Identifier: CC-BY-4.0\n-->\n),
      ~s(<svg xmlns="http://www.w3.org/2000/svg" width="720" height="#{height}" font-family="sans-serif" font-size="12">\n),
      ~s(<rect width="720" height="#{height}" fill="white"/>\n),
      ~s(<text x="#{@left + @unit}" y="14" text-anchor="middle">must</text>\n),
      for {row, index} <- Enum.with_index(rows) do
        y = 20 + index * @bar
        length = min(share(row, row.value) * @unit, 380)
        color = if meets?(row, row.must), do: "#4a8", else: "#c54"
        aim = @left + share(row, row.aim) * @unit

        [
          ~s(<text x="#{@left - 6}" y="#{y + 13}" text-anchor="end">#{plain(row.title)}</text>\n),
          ~s(<rect x="#{@left}" y="#{y + 2}" width="#{number(length)}" height="14" fill="#{color}"/>\n),
          ~s(<path d="M#{number(aim)} #{y}v18" stroke="black"/>\n)
        ]
      end,
      ~s(<path d="M#{@left + @unit} 18v#{height - 22}" stroke="black" stroke-dasharray="3"/>\n),
      "</svg>\n"
    ]
  end

  defp share(%{better: :less, must: must}, value), do: value / must
  defp share(%{better: :more, must: must}, value), do: must / value

  defp plain(title) do
    title
    |> String.replace("`", "")
    |> String.replace("&", "&amp;")
    |> String.replace("<", "&lt;")
    |> String.replace(~s("), "&quot;")
    |> String.replace(~r/ ÷.*/, "")
  end
end
