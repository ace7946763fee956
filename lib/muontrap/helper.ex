# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Helper do
  @moduledoc false

  # The path of the helper, and the errors for a helper that cannot be started or was killed.

  alias MuonTrap.Error.Errno
  alias MuonTrap.{Error, Native}

  @use_prebuilt "MUONTRAP_HELPER or config :muontrap, helper: \"/path\" set the path of a prebuilt one"

  @doc "Returns the path where the helper should be, without checking that it is there."
  @spec find() :: {:ok, binary()} | {:error, Error.t()}
  def find do
    path = configured() || from_environment()
    # From a folder of helpers, mix compile has installed the one for this machine.
    if path == nil or File.dir?(path), do: in_priv(), else: {:ok, path}
  end

  defp configured do
    case Application.get_env(:muontrap, :helper) do
      path when is_binary(path) or path == nil ->
        path

      other ->
        raise ArgumentError,
              "invalid configuration of :muontrap, :helper: expected a path as a string, " <>
                "got: #{inspect(other)}"
    end
  end

  defp from_environment do
    case Native.getenv(~c"MUONTRAP_HELPER") do
      none when none in [nil, [""]] -> nil
      paths -> existing(paths)
    end
  end

  defp existing(paths), do: Enum.find(paths, hd(paths), &File.exists?/1)

  defp in_priv do
    case :code.priv_dir(:muontrap) do
      {:error, :bad_name} ->
        error = %Error{
          step: :helper,
          message:
            "the helper program muontrap is missing, since the :muontrap application has no " <>
              "priv folder here: an escript cannot contain programs",
          advice: @use_prebuilt
        }

        {:error, error}

      directory ->
        paths = directory |> to_charlist() |> Native.candidates()
        {:ok, paths |> Enum.map(&Path.join(&1, "muontrap")) |> existing()}
    end
  end

  @doc "Checks that there is an executable file at `path`."
  @spec check(binary()) :: :ok | {:error, Error.t()}
  def check(path) do
    case File.stat(path) do
      {:ok, %File.Stat{type: :regular, mode: mode}} when Bitwise.band(mode, 0o111) != 0 -> :ok
      {:ok, _other} -> {:error, start_error(path, :eacces)}
      {:error, reason} -> {:error, start_error(path, reason)}
    end
  end

  @doc "The error for a helper at `path` that could not be started."
  @spec start_error(binary() | nil, term()) :: Error.t()
  def start_error(_path, :not_started) do
    %Error{
      step: :helper,
      message: "the :muontrap application, which a MuonTrap.Daemon needs, is not running",
      advice: "start it with Application.ensure_all_started(:muontrap)"
    }
  end

  # The error of open_port/2 is the same if the working directory does not exist.
  def start_error(path, :enoent) do
    if File.exists?(path), do: no_directory(), else: missing(path)
  end

  # In newer versions of OTP, code:priv_dir/1 of an escript is a folder within the escript's file.
  def start_error(path, :enotdir) do
    %Error{
      step: :helper,
      path: path,
      errno: :enotdir,
      message:
        "the helper program muontrap is missing, since part of its path is a file: an escript " <>
          "cannot contain programs",
      advice: @use_prebuilt
    }
  end

  def start_error(path, reason) when is_atom(reason) do
    %Error{
      step: :helper,
      path: path,
      errno: reason,
      message: "the helper program muontrap could not be started"
    }
  end

  def start_error(path, reason) do
    %Error{
      step: :helper,
      path: path,
      message: "the helper program muontrap could not be started: #{inspect(reason)}"
    }
  end

  @doc "The error for a working directory that was deleted: relative paths have no meaning then."
  @spec no_directory() :: Error.t()
  def no_directory do
    %Error{
      step: :cd,
      errno: :enoent,
      message: "the working directory of the BEAM does not exist any more",
      advice: "change to another one with File.cd!/1"
    }
  end

  defp missing(path) do
    %Error{
      step: :helper,
      path: path,
      errno: :enoent,
      message: "the helper program muontrap is missing",
      advice: if(Error.mix?(), do: "mix compile builds it; ", else: "") <> @use_prebuilt
    }
  end

  @doc "The error for a session that ended without a report about its program."
  @spec lost_error(%{required(atom()) => term()}, non_neg_integer() | nil) :: Error.t()
  def lost_error(%{program_pid: nil, stream: %{helper: helper}}, exit_status)
      when exit_status in 1..124,
      do: exec_error(helper, exit_status)

  def lost_error(%{program_pid: nil}, exit_status) do
    %Error{
      step: :helper,
      message: "muontrap ended before it started the program",
      exit_status: exit_status
    }
  end

  def lost_error(session, exit_status) do
    %Error{
      step: :helper,
      message: "muontrap was killed while it ran the program with pid #{session.program_pid}",
      exit_status: exit_status
    }
  end

  @doc "The error for a fork server that ended before it was ready."
  @spec fork_server_error(non_neg_integer() | nil) :: Error.t()
  def fork_server_error(exit_status) when exit_status in 1..124 do
    case find() do
      {:ok, helper} -> exec_error(helper, exit_status)
      {:error, error} -> error
    end
  end

  def fork_server_error(exit_status) do
    %Error{
      step: :helper,
      message: "the fork server of muontrap ended before it was ready",
      exit_status: exit_status
    }
  end

  # The BEAM could not execute the helper: the exit status is then the errno of execve(2).
  defp exec_error(helper, exit_status) do
    errno = Errno.name(exit_status)

    %Error{
      step: :helper,
      message: "muontrap could not be executed",
      path: helper,
      errno: errno,
      # It has no arguments that could be too long.
      advice: if(errno == :e2big, do: "the environment of the BEAM is too long")
    }
  end
end
