# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Options.Values do
  @moduledoc false

  # Values of single options that no other type describes.

  alias MuonTrap.Options.{Cgroup, Nearest, Type}

  @log_levels [:emergency, :alert, :critical, :error, :warning, :notice, :info, :debug]

  @doc "What collects the output."
  @spec collectable(term()) :: Type.result()
  def collectable(value), do: if(Collectable.impl_for(value), do: {:ok, value}, else: :error)

  @doc "The levels of Logger, in words."
  @spec log_levels() :: String.t()
  def log_levels, do: "a level of Logger: " <> Nearest.list(@log_levels, "or")

  @doc "A level of Logger."
  @spec log_level(term()) :: Type.result()
  def log_level(:warn), do: {:ok, :warning}
  def log_level(level) when level in @log_levels, do: {:ok, level}
  def log_level(_other), do: :error

  @doc "What is called with each line."
  @spec logger_fun(term()) :: Type.result()
  def logger_fun(fun) when is_function(fun, 1), do: {:ok, fun}

  def logger_fun({module, function} = fun) when is_atom(module) and is_atom(function),
    do: {:ok, fun}

  def logger_fun({module, function, args} = fun)
      when is_atom(module) and is_atom(function) and is_list(args),
      do: if(List.improper?(args), do: :error, else: {:ok, fun})

  def logger_fun(_other), do: :error

  @doc "The name of a process; `nil` is none."
  @spec name(term()) :: Type.result()
  def name(name) when is_atom(name), do: {:ok, name}
  def name({:global, _name} = name), do: {:ok, name}
  def name({:via, module, _name} = name) when is_atom(module), do: {:ok, name}
  def name(_other), do: :error

  @doc "The path of a cgroup of the program's own."
  @spec own_cgroup_path(term()) :: Type.result()
  def own_cgroup_path("/"),
    do: {:error, "the root group cannot be used: give one below it, such as \"muontrap\""}

  def own_cgroup_path(path), do: Cgroup.parse_path(path)

  @doc "Settings of cgroups, with the controllers that they name."
  @spec parse_sets(term()) :: Type.result()
  def parse_sets(value) do
    with {:ok, controllers, settings} <- Cgroup.parse_sets(value),
         do: {:ok, {controllers, settings}}
  end
end
