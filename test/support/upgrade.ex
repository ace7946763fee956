# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Test.Upgrade do
  @moduledoc """
  Hot code upgrades of MuonTrap: each loads all of its modules anew, with a function more. To be called in another
  BEAM.
  """

  import MuonTrap.Test.OS

  alias MuonTrap.{Daemon, ForkServer}

  @doc """
  Upgrades while a command and a daemon are running, and once more, and returns what they and new commands said: the
  result of the command, the lines of the daemon, the results of the new commands, and how many fork servers there were.
  """
  @spec while_programs_run(Path.t()) :: map()
  def while_programs_run(directory) do
    [first, second, pid] = for name <- ~w(first second pid), do: Path.join(directory, name)
    logger = [logger_fun: {__MODULE__, :forward, [self()]}]
    script = "#{until_there(first)}; echo 1; #{until_there(second)}; echo 2; sleep 1000"
    {:ok, daemon} = Daemon.start_link("sh", ["-c", script], logger)
    script = "echo $$ >'#{pid}'; #{until_there(first)}; echo done"
    command = Task.async(fn -> MuonTrap.cmd("sh", ["-c", script]) end)
    _program = await_pid(pid)
    server = server()

    upgrade()
    File.touch!(first)
    old = Task.await(command, :infinity)
    lines = [next_line()]
    new = [MuonTrap.cmd("echo", ["hi"])]

    upgrade()
    File.touch!(second)
    lines = lines ++ [next_line()]
    new = new ++ [MuonTrap.cmd("echo", ["hi"])]
    servers = Enum.uniq([server, server()])
    :ok = GenServer.stop(daemon)
    %{old: old, lines: lines, new: new, servers: length(servers)}
  end

  defp until_there(path), do: "until [ -e '#{path}' ]; do sleep 0.01; done"

  @doc false
  @spec forward(binary(), pid()) :: term()
  def forward(line, test), do: send(test, {:line, line})

  defp next_line do
    receive do
      {:line, line} -> line
    after
      60_000 -> nil
    end
  end

  defp server do
    if ForkServer.used?() do
      {:ok, server} = ForkServer.fetch()
      server.id
    end
  end

  defp upgrade do
    {:ok, modules} = :application.get_key(:muontrap, :modules)
    for module <- modules, not test?(module), do: load_changed(module)
  end

  defp test?(module), do: String.starts_with?(inspect(module), "MuonTrap.Test.")

  defp load_changed(module) do
    path = :code.which(module)

    {:ok, {_module, [debug_info: {:debug_info_v1, backend, info}]}} =
      :beam_lib.chunks(path, [:debug_info])

    {:ok, forms} = backend.debug_info(:erlang_v1, module, info, [])
    {:ok, ^module, binary} = forms |> add_function() |> :compile.forms([])
    :code.purge(module)
    {:module, _module} = :code.load_binary(module, path, binary)
  end

  # Without a change, the code would be the same to the BEAM.
  defp add_function(forms) do
    number = System.unique_integer([:positive])
    function = {:function, 0, :"upgraded_#{number}", 0, [{:clause, 0, [], [], [{:atom, 0, :ok}]}]}
    export = {:attribute, 0, :export, [{:"upgraded_#{number}", 0}]}
    {attributes, definitions} = Enum.split_while(forms, &(elem(&1, 0) == :attribute))
    attributes ++ [export, function | definitions]
  end
end
