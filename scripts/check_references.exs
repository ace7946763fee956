# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# Checks what the documentation refers to, in Markdown files and in the documentation of modules: each
# function, type, callback, module and Mix task in code style is there and public; each page and each section
# that is linked or quoted ("Output" in `MuonTrap`) exists; and no public type or spec has a type of a hidden
# module. ExDoc checks a part of this, but is not everywhere.
#
#     mix run --no-start scripts/check_references.exs

Code.require_file("markdown.exs", __DIR__)

defmodule CheckReferences do
  @function ~r/^(?<kind>[tc]:)?(?<module>:?[A-Za-z][\w.]*)\.(?<name>[a-z_]\w*[?!]?)\/(?<arity>\d+)$/
  @local ~r/^(?<kind>[tc]:)?(?<name>[a-z_]\w*[?!]?)\/(?<arity>\d+)$/
  @module ~r/^(?:m:)?(?<module>MuonTrap(?:\.[A-Z]\w*)*)(?:#(?<section>\S+))?$/
  @task ~r/^mix (?<task>[a-z][\w.]*)$/
  @quoted ~r/"(?<section>[^"\n]+)"\s+in\s+(?:the\s+documentation\s+of\s+)?`(?<module>MuonTrap[\w.]*)`/

  # Of other packages, which are not here.
  @elsewhere ~r/^(Exile|ExCmd|NetRunner|:exec|:telemetry)\b/

  def run do
    Mix.Task.load_all()
    {:ok, modules} = :application.get_key(:muontrap, :modules)
    docs = for module <- modules, doc = doc(module), into: %{}, do: {module, doc}

    pages = for file <- Markdown.files(), do: {file, nil, File.read!(file)}
    texts = pages ++ Enum.flat_map(docs, &texts/1)

    errors =
      Enum.flat_map(texts, fn {where, module, text} ->
        for error <- references(text, module, docs) ++ pages(text, module), do: {where, error}
      end) ++
        for module <- Map.keys(docs),
            error <- hidden_types(module, docs),
            do: {inspect(module), error}

    for {where, error} <- Enum.uniq(errors), do: IO.puts("#{where}: #{error}")
    if errors != [], do: System.halt(1)
    IO.puts("#{length(pages)} files and #{map_size(docs)} modules, no dead reference")
  end

  # A public module's documentation, as a map from what is documented to its text.
  defp doc(module) do
    case Code.fetch_docs(module) do
      {:docs_v1, _, _, _, %{"en" => text}, _, entries} -> {text, entries}
      _hidden -> nil
    end
  end

  defp texts({module, {text, entries}}) do
    more =
      for {{_kind, name, arity}, _, _, %{"en" => text}, _} <- entries,
          do: {"#{inspect(module)}.#{name}/#{arity}", module, without_code(text)}

    [{inspect(module), module, without_code(text)} | more]
  end

  # Code in the documentation of modules is indented.
  defp without_code(text), do: Regex.replace(~r/^(?: {4}(?! *\*)).*$/m, text, "")

  defp references(text, module, docs) do
    prose = Markdown.prose(text)

    for(code <- Markdown.code(text), error = reference(code, module, docs), do: error) ++
      for [quoted, section, other] <- Regex.scan(@quoted, prose),
          not section?(Module.concat([other]), section, docs),
          do: "there is no section #{String.replace(quoted, ~r/\s+/, " ")}"
  end

  defp reference(code, module, docs) do
    cond do
      code =~ @elsewhere ->
        nil

      match = Regex.named_captures(@function, code) ->
        if not there?(match, module(match["module"]), docs), do: "there is no `#{code}`"

      match = Regex.named_captures(@local, code) ->
        if not local?(match, module, docs), do: "there is no `#{code}`"

      match = Regex.named_captures(@module, code) ->
        module = module(match["module"])

        cond do
          not Code.ensure_loaded?(module) ->
            "there is no module `#{code}`"

          ours?(module) and docs[module] == nil ->
            "the module `#{code}` is hidden: name its file instead"

          match["section"] != "" and not fragment?(module, match["section"], docs) ->
            "there is no `#{code}`"

          true ->
            nil
        end

      match = Regex.named_captures(@task, code) ->
        if Mix.Task.get(match["task"]) == nil, do: "there is no `#{code}`"

      true ->
        nil
    end
  end

  # A name without a module is of the same module, or on a page of any, or needs no module.
  defp local?(match, nil, docs),
    do: Enum.any?([Kernel, :erlang | Map.keys(docs)], &there?(match, &1, docs))

  defp local?(match, module, docs),
    do: Enum.any?([module, Kernel, :erlang], &there?(match, &1, docs))

  defp there?(%{"kind" => kind, "name" => name, "arity" => arity}, module, docs) do
    {name, arity} = {String.to_atom(name), String.to_integer(arity)}

    kinds =
      %{"" => [:function, :macro], "t:" => [:type, :opaque], "c:" => [:callback, :macrocallback]}[
        kind
      ]

    cond do
      docs[module] -> Enum.any?(elem(docs[module], 1), &documented?(&1, kinds, name, arity))
      # Hidden.
      ours?(module) -> false
      kind == "t:" -> type?(module, name, arity)
      kind == "c:" -> {name, arity} in module.behaviour_info(:callbacks)
      true -> exported?(module, name, arity)
    end
  end

  # A function with defaults has one entry.
  defp documented?({{kind, name, most}, _, _, doc, meta}, kinds, name, arity),
    do: kind in kinds and doc != :hidden and arity in (most - Map.get(meta, :defaults, 0))..most

  defp documented?(_entry, _kinds, _name, _arity), do: false

  defp ours?(module), do: String.starts_with?(inspect(module), "MuonTrap")

  defp exported?(module, name, arity) do
    Code.ensure_loaded?(module) and
      (function_exported?(module, name, arity) or macro_exported?(module, name, arity) or
         {name, arity} in module.module_info(:exports))
  end

  defp type?(module, name, arity) do
    with {:ok, types} <- Code.Typespec.fetch_types(module) do
      Enum.any?(types, fn {_, {type, _, args}} -> {type, length(args)} == {name, arity} end)
    else
      _ -> false
    end
  end

  defp module(":" <> name), do: String.to_atom(name)
  defp module(name), do: Module.concat([name])

  defp section?(module, section, docs) do
    docs[module] != nil and elem(docs[module], 0) =~ ~r/^\#+ #{Regex.escape(section)}$/m
  end

  defp fragment?(module, section, docs) do
    section = String.replace_prefix(section, "module-", "")
    docs[module] != nil and section in Markdown.fragments(elem(docs[module], 0))
  end

  # Links to pages. scripts/check_links.exs checks those of Markdown files.
  defp pages(_text, nil), do: []

  defp pages(text, _module) do
    for link <- Markdown.links(text),
        not (link =~ ~r/^[a-z]+:/),
        error = page(String.split(link, "#")),
        do: error
  end

  defp page([file | fragment]) do
    paths = Enum.filter(Markdown.files(), &(Path.basename(&1) == file))

    cond do
      paths == [] ->
        "there is no page #{file}"

      fragment -- Markdown.fragments(File.read!(hd(paths))) != [] ->
        "there is no #{file}##{fragment}"

      true ->
        nil
    end
  end

  defp hidden_types(module, docs) do
    {:ok, types} = Code.Typespec.fetch_types(module)
    {:ok, specs} = Code.Typespec.fetch_specs(module)

    public =
      for {{:function, name, arity}, _, _, doc, _} <- elem(docs[module], 1),
          doc != :hidden,
          do: {name, arity}

    for code <-
          for({kind, type} when kind != :typep <- types, do: type) ++
            for({name, specs} <- specs, name in public, do: specs),
        {:remote_type, _, [{:atom, _, other}, {:atom, _, type}, _]} <- nodes(code),
        ours?(other) and docs[other] == nil,
        do: "#{inspect(other)}.#{type} is a type of a hidden module"
  end

  defp nodes(tuple) when is_tuple(tuple), do: [tuple | tuple |> Tuple.to_list() |> nodes()]
  defp nodes(list) when is_list(list), do: Enum.flat_map(list, &nodes/1)
  defp nodes(_other), do: []
end

CheckReferences.run()
