# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Bench.Report do
  @moduledoc false

  # Figures as lines of text, as a table, and as a chart. Those of several helpers are shown side
  # by side.

  @page "docs/performance.md"
  @chart "docs/assets/performance.svg"
  @start "<!-- figures -->\n"
  @stop "<!-- end of figures -->\n"

  @doc "How the helper is linked."
  @spec linkage(Path.t()) :: String.t()
  def linkage(helper) do
    bytes = File.read!(helper)

    cond do
      :binary.match(bytes, "/ld-linux") != :nomatch -> "dynamic, glibc"
      # The names of glibc's tunables are in whatever it is linked into.
      :binary.match(bytes, "glibc.malloc.") != :nomatch -> "static, glibc"
      true -> "static, musl"
    end
  end

  @doc "Whether a result is at least as good as a limit or target."
  @spec meets?(map(), number()) :: boolean()
  def meets?(%{better: :less, value: value}, bound), do: value <= bound
  def meets?(%{better: :more, value: value}, bound), do: value >= bound

  @doc "A result as a line of text."
  @spec line(map()) :: String.t()
  def line(result) do
    times = if result.theirs, do: ", #{us(result.ours)} and #{us(result.theirs)}", else: ""

    "  #{String.pad_trailing(result.name, 10)} #{number(result.value)} #{result.unit} " <>
      "(#{number(result.low)} to #{number(result.high)}), limit #{result.limit}, " <>
      "target #{result.target}: #{verdict([result])}#{times}"
  end

  # What all runs of a row keep.
  defp verdict([row | _] = results) do
    cond do
      Enum.all?(results, &meets?(&1, row.target)) -> "target"
      Enum.all?(results, &meets?(&1, row.limit)) -> "limit"
      true -> "missed"
    end
  end

  defp us(time), do: "#{round(time)} us"
  defp number(value), do: :erlang.float_to_binary(value / 1, decimals: 2)

  @doc "All figures, with those that other calls have saved in `files`."
  @spec new([[map()]], [Path.t()]) :: map()
  def new(runs, files) do
    saved = for file <- files, run <- :erlang.binary_to_term(File.read!(file)), do: run

    %{
      date: Date.to_iso8601(Date.utc_today()),
      elixir: System.version(),
      otp: System.otp_release(),
      kernel: ~r/^\d+\.\d+/ |> Regex.run(File.read!("/proc/sys/kernel/osrelease")) |> hd(),
      processors: System.schedulers_online(),
      runs: runs ++ saved
    }
  end

  @doc "Writes the table and the chart."
  @spec write(map()) :: :ok
  def write(report) do
    rows = rows(report)
    helpers = rows |> Enum.flat_map(& &1.results) |> Enum.map(& &1.helper) |> Enum.uniq()
    [before, rest] = String.split(File.read!(@page), @start)
    [_old, rest] = String.split(rest, @stop)
    File.write!(@page, [before, @start, table(report, rows, helpers), @stop, rest])
    File.write!(@chart, chart(rows, helpers))
    IO.puts("\nWrote #{@page} and #{@chart}")
  end

  # Each row with its results, those of all runs and helpers.
  defp rows(report) do
    results = List.flatten(report.runs)

    for row <- Enum.uniq_by(results, & &1.name) do
      Map.put(row, :results, Enum.filter(results, &(&1.name == row.name)))
    end
  end

  defp of_helper(row, helper), do: Enum.filter(row.results, &(&1.helper == helper))

  # The table

  defp table(report, rows, helpers) do
    [
      "\nMeasured on #{report.date} with Elixir #{report.elixir} on OTP #{report.otp}, " <>
        "Linux #{report.kernel}, #{report.processors} processors.\n\n",
      ["| what | limit | target |", for(helper <- helpers, do: " helper #{helper} |"), "\n"],
      ["|---|---|---|", for(_ <- helpers, do: "---|"), "\n"],
      for row <- rows do
        sign = if row.better == :less, do: "≤", else: "≥"
        cells = for helper <- helpers, do: " #{cell(of_helper(row, helper))} |"

        [
          "| #{row.title}#{unit(row)} | #{sign}\u00A0#{row.limit} | #{sign}\u00A0#{row.target} |",
          cells,
          "\n"
        ]
      end,
      "\n![Each figure against its limit](assets/performance.svg)\n\n"
    ]
  end

  defp cell([]), do: ""

  defp cell(results) do
    figures = Enum.map_join(results, ", ", &number(&1.value))

    case verdict(results) do
      "missed" -> "#{figures}: **missed**"
      kept -> "#{figures}: #{kept}"
    end
  end

  defp unit(%{unit: ""}), do: ""
  defp unit(%{unit: unit}), do: ", #{unit}"

  # The chart: the length of a bar is the median of the runs against the limit, so that a bar of
  # length 1 just keeps it, and shorter is better. A tick shows the target.

  @left 360
  @unit 280
  @bar 9
  @colors ["#4a8", "#6bd"]

  defp chart(rows, helpers) do
    rows = Enum.filter(rows, &(&1.limit > 0))
    row_height = length(helpers) * @bar + 10
    height = length(rows) * row_height + 48

    [
      ~s(<!--\nSPDX-FileCopyrightText: 2026 The MuonTrap authors\n\nSPDX-License-Identifier: CC-BY-4.0\n-->\n),
      ~s(<svg xmlns="http://www.w3.org/2000/svg" width="760" height="#{height}" font-family="sans-serif" font-size="12">\n),
      ~s(<rect width="760" height="#{height}" fill="white"/>\n),
      for {helper, index} <- Enum.with_index(helpers) do
        ~s(<text x="8" y="#{14 + 14 * index}" fill="#{color(index)}">helper #{helper}</text>\n)
      end,
      ~s(<text x="#{@left + @unit}" y="14" text-anchor="middle">limit</text>\n),
      for {row, index} <- Enum.with_index(rows) do
        chart_row(row, helpers, 40 + index * row_height)
      end,
      ~s(<path d="M#{@left + @unit} 18v#{height - 22}" stroke="black" stroke-dasharray="3"/>\n),
      "</svg>\n"
    ]
  end

  defp chart_row(row, helpers, y) do
    target = @left + share(row, row.target) * @unit

    [
      ~s(<text x="#{@left - 6}" y="#{y + 10}" text-anchor="end">#{plain(row.title)}</text>\n),
      for {helper, index} <- Enum.with_index(helpers), (results = of_helper(row, helper)) != [] do
        median = Bench.Measure.median(Enum.map(results, & &1.value))
        length = min(share(row, median) * @unit, 390)
        color = if verdict(results) == "missed", do: "#c54", else: color(index)

        ~s(<rect x="#{@left}" y="#{y + index * @bar}" width="#{number(length)}" height="#{@bar - 1}" fill="#{color}"/>\n)
      end,
      ~s(<path d="M#{number(target)} #{y - 2}v#{length(helpers) * @bar + 3}" stroke="black"/>\n)
    ]
  end

  defp color(index), do: Enum.at(@colors, rem(index, length(@colors)))

  defp share(%{better: :less, limit: limit}, value), do: value / limit
  defp share(%{better: :more, limit: limit}, value), do: limit / max(value, 0.01)

  defp plain(title) do
    title
    |> String.replace("`", "")
    |> String.replace("&", "&amp;")
    |> String.replace("<", "&lt;")
    |> String.replace(~s("), "&quot;")
    |> String.replace(~r/,? [a-z]+ ÷.*/, "")
  end
end
