# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Pty do
  @moduledoc false

  # The option :pty, and the size of a terminal.

  alias MuonTrap.Options
  alias MuonTrap.Options.{Type, Typespec}

  @behaviour MuonTrap.Options.Type

  @typedoc "A terminal of the program's own."
  @type t :: %{rows: 1..65_535, cols: 1..65_535, echo: boolean()}

  @defaults %{rows: 24, cols: 80, echo: true}

  @rows {:integer, 1, 65_535, "a number of rows"}
  @cols {:integer, 1, 65_535, "a number of columns"}

  @keys {:keys, :keyword, "setting of a terminal",
         [
           {:rows, @rows, "its height"},
           {:cols, @cols, "its width"},
           {:echo, :boolean, "whether input appears in the output"}
         ]}

  @impl Options.Type
  def expected(:pty), do: "true, false or a list such as [rows: 24, cols: 80, echo: true]"

  @impl Options.Type
  def typespec(:pty, :given), do: quote(do: boolean() | unquote(Typespec.typespec(@keys, :given)))

  def typespec(:pty, :parsed),
    do: quote(do: %{rows: 1..65_535, cols: 1..65_535, echo: boolean()})

  @impl Options.Type
  def parse(false, :pty), do: {:ok, nil}
  def parse(true, :pty), do: {:ok, @defaults}

  def parse(settings, :pty) when is_list(settings) do
    if Keyword.keyword?(settings) do
      with {:ok, settings} <- Type.parse(@keys, settings),
           do: {:ok, Map.merge(@defaults, settings)}
    else
      :error
    end
  end

  def parse(_other, :pty), do: :error

  @doc "Raises `ArgumentError` unless these can be the size of a terminal."
  @spec check_size!(term(), term()) :: :ok
  def check_size!(rows, cols) do
    for {type, value} <- [{@rows, rows}, {@cols, cols}],
        {:error, reason} <- [Type.parse(type, value)],
        do: raise(ArgumentError, reason <> ", got: " <> inspect(value))

    :ok
  end

  @doc """
  The rules that options break, with messages. Those about stderr are in `MuonTrap.Options.Output`: a terminal is one
  output.
  """
  @spec rules(Options.t()) :: [{boolean(), String.t()}]
  def rules(%{pty: nil}), do: []

  def rules(%{input: input, stdout: stdout}) do
    [
      {input == :null, "cannot use :pty and \"input: :null\": stdin is the terminal"},
      {match?({:file, _path}, input),
       "cannot use :pty and \"input: {:file, ...}\": stdin is the terminal (use File.stream!/1)"},
      {stdout == :inherit, "cannot use :pty and \"stdout: :inherit\": stdout is the terminal"},
      {is_tuple(stdout),
       "cannot use :pty and \"stdout: {:file, ...}\": stdout is the terminal (write what it captures)"}
    ]
  end
end
