# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Typespec do
  @moduledoc false

  # The typespec of a type of options, as the quoted expression that @type takes.

  alias MuonTrap.Options.Type

  @doc "What a user may write (`:given`), or what is made of it (`:parsed`)."
  @spec typespec(Type.t(), :given | :parsed) :: Macro.t()
  def typespec(:atom, _stage), do: quote(do: atom())
  def typespec(:boolean, _stage), do: quote(do: boolean())
  def typespec(:iodata, _stage), do: quote(do: iodata())
  def typespec(:keyword, _stage), do: quote(do: keyword())
  def typespec(:list, _stage), do: quote(do: list())
  # Paths and arguments are bytes, not always UTF-8.
  def typespec(type, _stage) when type in [:binary, :path, :string], do: quote(do: binary())
  def typespec(:permissions, _stage), do: quote(do: 0..0o777)
  def typespec({:custom, module, kind}, stage), do: module.typespec(kind, stage)
  def typespec({:function, 0}, _stage), do: [{:->, [], [[], quote(do: term())]}]
  def typespec({:function, 1}, _stage), do: quote(do: (term() -> term()))
  def typespec({:function, 2}, _stage), do: quote(do: (term(), term() -> term()))
  def typespec({:integer, 0, :infinity, _unit}, _stage), do: quote(do: non_neg_integer())
  def typespec({:integer, _min, :infinity, _unit}, _stage), do: quote(do: pos_integer())

  def typespec({:integer, min, max, _unit}, _stage),
    do: quote(do: unquote(literal(min))..unquote(max))

  def typespec({:keys, :map, _noun, keys}, stage) do
    pairs = for {key, type, _doc} <- keys, do: {optional(key), typespec(type, stage)}
    {:%{}, [], pairs}
  end

  def typespec({:keys, :keyword, _noun, keys}, :given),
    do: [union(for {key, type, _doc} <- keys, do: {key, typespec(type, :given)})]

  def typespec({:keys, :keyword, noun, keys}, :parsed),
    do: typespec({:keys, :map, noun, keys}, :parsed)

  def typespec({:list, type, _text}, stage), do: [typespec(type, stage)]
  def typespec({:one_of, values}, _stage), do: union(values)
  def typespec({:or, types}, stage), do: types |> Enum.map(&typespec(&1, stage)) |> union()
  def typespec({:protocol, protocol, _text}, _stage), do: quote(do: unquote(protocol).t())

  def typespec({:tuple, types, _text}, stage),
    do: {:{}, [], Enum.map(types, &typespec(&1, stage))}

  # As it is written in source code.
  defp literal(number) when number < 0, do: {:-, [], [-number]}
  defp literal(number), do: number

  defp optional(key), do: quote(do: optional(unquote(key)))

  @doc "One of several typespecs."
  @spec union([Macro.t(), ...]) :: Macro.t()
  def union(typespecs) do
    typespecs
    |> Enum.reverse()
    |> Enum.reduce(fn typespec, rest -> quote(do: unquote(typespec) | unquote(rest)) end)
  end
end
