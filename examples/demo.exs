# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

# A demonstration in five acts. Run it with scripts/demo, or with "mix run examples/demo.exs".
#
# Each act shows something and then checks it: the script fails if the check does.

defmodule Demo do
  # Every program that MuonTrap starts here inherits this variable, and so do its descendants. By this
  # variable, the last act finds processes that are left.
  @mark {"MUONTRAP_DEMO", "demo-#{System.pid()}"}

  def run do
    {name, value} = @mark
    System.put_env(name, value)
    # OTP reports each crash of a supervised process. Here, the crashes are intended.
    Logger.configure(level: :none)

    act("1. A program's output, as with System.cmd/3", &output/0)
    act("2. A program that takes too long", &timeout/0)
    act("3. A supervised program is killed, and comes back", &restart/0)
    act("4. The BEAM is killed, and its program, which ignores SIGTERM, dies", &beam_death/0)
    act("5. No process is left", &nothing_left/0)
  end

  defp output do
    {output, 0} = MuonTrap.cmd("uname", ["-srm"])
    say(~s|MuonTrap.cmd("uname", ["-srm"]) returned #{inspect({output, 0})}|)

    {_, 3} =
      result =
      MuonTrap.cmd("sh", ["-c", "echo out; echo err >&2; exit 3"], stderr_to_stdout: true)

    say("A shell that writes to both outputs and exits with 3: #{inspect(result)}")
  end

  # The program starts another one in the background. Both are gone when cmd/3 returns.
  defp timeout do
    script = "sleep 1000 & echo $!; sleep 1000"
    {output, :timeout} = MuonTrap.cmd("sh", ["-c", script], timeout: 500)
    background = String.trim(output)
    say("After 500 ms: #{inspect({output, :timeout})}")

    true = gone?(background)
    say("Its background process #{background} is gone, too")
  end

  defp restart do
    program = {MuonTrap.Daemon, ["sleep", ["1000"], [name: Demo.Sleeper]]}
    {:ok, supervisor} = Supervisor.start_link([program], strategy: :one_for_one)

    old = MuonTrap.Daemon.program_os_pid(Demo.Sleeper)
    say("The supervisor started process #{old}. Killing it: kill -9 #{old}")
    kill(old)

    new = eventually(fn -> restarted(supervisor, old) end)
    say("The supervisor started process #{new} in its place")

    true = gone?(old)
    false = gone?(new)
    :ok = Supervisor.stop(supervisor)
    true = gone?(new)
    say("The supervisor was stopped, and process #{new} is gone")
  end

  # The new program's pid, or nil while there is none.
  defp restarted(supervisor, old) do
    with [{_id, daemon, _type, _modules}] when is_pid(daemon) <-
           Supervisor.which_children(supervisor),
         new when new != old <- MuonTrap.Daemon.program_os_pid(daemon) do
      new
    else
      _ -> nil
    end
  catch
    # The daemon has died between the two calls.
    :exit, _ -> nil
  end

  # Another BEAM runs a program that ignores SIGTERM. SIGKILL gives that BEAM no chance to clean up.
  defp beam_death do
    code = ~S"""
    {:ok, _} = Application.ensure_all_started(:muontrap)
    script = "trap '' TERM; echo $$; while :; do sleep 1; done"
    announce = fn pid -> IO.puts("program " <> pid) end
    {:ok, _} = MuonTrap.Daemon.start_link("sh", ["-c", script], log_output: :info, logger_fun: announce)
    Process.sleep(:infinity)
    """

    elixir = System.find_executable("elixir")
    args = ["-pa", Application.app_dir(:muontrap, "ebin"), "-e", code]
    port = Port.open({:spawn_executable, elixir}, [:binary, line: 80, args: args])
    {:os_pid, beam} = Port.info(port, :os_pid)

    program =
      receive do
        {^port, {:data, {:eol, "program " <> program}}} -> program
      after
        30_000 -> raise "the other BEAM did not start its program"
      end

    say(
      "BEAM #{beam} runs process #{program}, which ignores SIGTERM. Killing the BEAM: kill -9 #{beam}"
    )

    kill(beam)

    true = eventually(fn -> gone?(beam) and gone?(program) end)
    say("Both are gone")
  end

  # The fork server, which starts all programs of this BEAM, ends with the application. The helper processes
  # of the killed BEAM may need a moment to end.
  defp nothing_left do
    :ok = Application.stop(:muontrap)

    if eventually(fn -> marked() == [] end) do
      say("No process with #{elem(@mark, 0)} in its environment: nothing is left")
    else
      for line <- marked(), do: say(line)
      raise "the processes above are left"
    end
  end

  # The running processes with the mark, from proc(5).
  defp marked do
    {name, value} = @mark

    for environ <- Path.wildcard("/proc/[0-9]*/environ"),
        {:ok, variables} <- [File.read(environ)],
        "#{name}=#{value}" in String.split(variables, <<0>>) do
      folder = Path.dirname(environ)
      {_, command} = File.read(Path.join(folder, "cmdline"))
      "#{Path.basename(folder)} #{String.replace(to_string(command), <<0>>, " ")}"
    end
  end

  # Signal 0 checks whether a process exists. kill is a built-in of the shell, since small systems have no kill(1).
  defp gone?(pid) do
    {_, status} = System.shell("kill -0 #{pid} 2>/dev/null")
    status != 0
  end

  defp kill(pid), do: {_, 0} = System.shell("kill -9 #{pid}")

  # Calls `fun` until it returns neither nil nor false, for ten seconds at most.
  defp eventually(fun, deadline \\ System.monotonic_time(:millisecond) + 10_000) do
    cond do
      result = fun.() -> result
      System.monotonic_time(:millisecond) > deadline -> nil
      true -> Process.sleep(20) && eventually(fun, deadline)
    end
  end

  defp act(title, fun) do
    IO.puts("\n#{title}")
    fun.()
  end

  defp say(line), do: IO.puts("   " <> line)
end

Demo.run()
IO.puts("\nAll checks passed.")
