# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.BadInputTest do
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  @moduletag :tmp_dir

  # Creates a file, which shows that the program has run.
  @leave_file ~S(echo >"$0")

  setup %{tmp_dir: directory} do
    %{ran: Path.join(directory, "ran")}
  end

  # The errors of each function that runs programs: raised, or returned by start_link/3.
  defp failures(command, args, opts) do
    failures =
      for run <- [&MuonTrap.cmd/3, &MuonTrap.run/3, &MuonTrap.Daemon.start_link/3] do
        try do
          run.(command, args, opts)
        catch
          :error, error -> error
        else
          {:error, error} -> error
          other -> flunk("#{inspect(run)} returned #{inspect(other)}")
        end
      end

    assert mailbox() == []
    failures
  end

  defp refused(%{ran: ran}, command, args, opts) do
    failures = failures(command, args, opts)
    refute File.exists?(ran)
    failures
  end

  test "without an error, the program creates the file", %{ran: ran} do
    assert {"", 0} = MuonTrap.cmd("sh", ["-c", @leave_file, ran])
    assert File.exists?(ran)
  end

  describe "an argument or option:" do
    for {label, opts, message} <- [
          {"uid 0", [uid: 0], "invalid option :uid with value 0"},
          {"uid \"0\"", [uid: "0"], "invalid option :uid with value \"0\""},
          {"uid root", [uid: "root"], "invalid option :uid with value \"root\""},
          {"uid 12x", [uid: "12x"], "invalid option :uid with value \"12x\""},
          {"uid -1", [uid: -1], "invalid option :uid with value -1"},
          {"uid +1000", [uid: "+1000"], "invalid option :uid with value \"+1000\""},
          {"uid ' 1000'", [uid: " 1000"], "invalid option :uid with value \" 1000\""},
          {"uid 0x3e8", [uid: "0x3e8"], "invalid option :uid with value \"0x3e8\""},
          {"uid 01750", [uid: "01750"], "invalid option :uid with value \"01750\""},
          {"uid 2^32 + 1000", [uid: 4_294_968_296], "invalid option :uid with value 4294968296"},
          {"uid 2^32 - 1", [uid: 4_294_967_295], "invalid option :uid with value 4294967295"},
          {"an empty uid", [uid: ""], "invalid option :uid with value \"\""},
          {"gid 0", [gid: 0], "invalid option :gid with value 0"},
          {"gid 0 with a uid", [uid: 12_345, gid: 0], "invalid option :gid with value 0"},
          {"gid root", [gid: "root"], "invalid option :gid with value \"root\""},
          {"gid 12x", [gid: "12x"], "invalid option :gid with value \"12x\""},
          {"groups with 0", [groups: [4, 0]], "invalid option :groups with value [4, 0]"},
          {"groups that are none", [groups: 4], "invalid option :groups with value 4"},
          {"no such option", [no_such: 1], "invalid option :no_such"},
          {"stdio_window 0", [stdio_window: 0], "invalid option :stdio_window with value 0"},
          {"stdio_window 2^32", [stdio_window: 4_294_967_296], "invalid option :stdio_window"},
          {"delay -1", [delay_to_sigkill: -1], "invalid option :delay_to_sigkill with value -1"},
          {"delay 500", [delay_to_sigkill: "500"], "invalid option :delay_to_sigkill"},
          {"no such signal", [stop_signal: :sigfoo], "invalid option :stop_signal"},
          {"signal 0", [stop_signal: 0], "invalid option :stop_signal with value 0"},
          {"orphans maybe", [orphans: :maybe], "invalid option :orphans with value :maybe"},
          {"a null byte in cd", [cd: "/\0"], "invalid option :cd with value <<47, 0>>"},
          {"a null byte in arg0", [arg0: "a\0"], "invalid option :arg0 with value <<97, 0>>"},
          {"a null byte in env", [env: [{"A", "\0"}]], "invalid option :env: the value of \"A\""},
          {"= in the key of env", [env: [{"A=B", "c"}]], "invalid option :env: \"A=...\""},
          {"options that exclude each other", [use_stdio: false, capture_stderr_only: true],
           "cannot use \"capture_stderr_only: true\" and \"use_stdio: false\""},
          {"no keyword list", [:uid], "expected options to be a keyword list"}
        ] do
      test label, %{ran: ran} = context do
        for error <- refused(context, "sh", ["-c", @leave_file, ran], unquote(opts)) do
          assert %ArgumentError{} = error
          assert Exception.message(error) =~ unquote(message)
        end
      end
    end

    test "a null byte in the command", %{ran: ran} = context do
      for error <- refused(context, "sh\0", ["-c", @leave_file, ran], []) do
        assert %ArgumentError{} = error
        assert Exception.message(error) =~ ~S(program with null byte, got: <<115, 104, 0>>)
      end
    end

    test "a null byte in an argument", %{ran: ran} = context do
      for error <- refused(context, "sh", ["-c", @leave_file, ran, "\0"], []) do
        assert %ArgumentError{} = error
        assert Exception.message(error) =~ "null byte in an argument"
      end
    end
  end

  describe "an error of the helper:" do
    for {label, opts, step, message} <- [
          {"no such user", [uid: "no_such_user"], :uid, "no_such_user"},
          {"no such group", [gid: "no_such_group"], :gid, "no_such_group"},
          {"no such supplementary group", [groups: ["no_such_group"]], :groups, "no_such_group"},
          {"no such cd", [cd: "/no/such/directory"], :cd,
           "\"/no/such/directory\": no such file or directory (enoent)"},
          {"a cd that is a file", [cd: "/etc/passwd"], :cd, "not a directory (enotdir)"}
        ] do
      test label, %{ran: ran} = context do
        for error <- refused(context, "sh", ["-c", @leave_file, ran], unquote(opts)) do
          assert %MuonTrap.Error{step: unquote(step), exit_status: 125} = error
          assert Exception.message(error) =~ unquote(message)
        end
      end
    end

    # Root may enter every directory, so another user is needed.
    test "a cd that the program's user must not enter",
         %{tmp_dir: directory, ran: ran} = context do
      closed = Path.join(directory, "closed")
      File.mkdir!(closed)
      File.chmod!(closed, if(root?(), do: 0o700, else: 0))
      # So that the next run can remove the directory.
      on_exit(fn -> File.chmod!(closed, 0o700) end)
      opts = [cd: closed] ++ if(root?(), do: [uid: 12_345], else: [])

      for error <- refused(context, "sh", ["-c", @leave_file, ran], opts) do
        assert %MuonTrap.Error{step: :cd, errno: :eacces, path: ^closed} = error
      end
    end
  end

  describe "a program:" do
    # Creates the file whose path is the first argument, whichever program interprets this.
    @content ~S(echo >"$1"; exit 0)

    for {label, content, mode, expected, message} <- [
          {"with an interpreter that is missing", "#!/no/such/interpreter\n" <> @content, 0o755,
           {:exec, :enoent}, "the interpreter /no/such/interpreter of"},
          {"without #!", @content, 0o755, {:exec, :enoexec}, "a script needs a #! line"},
          {"that is empty", "", 0o755, {:exec, :enoexec}, "not in a format that can be executed"},
          {"that is not executable", "#!/bin/sh\n" <> @content, 0o644, :eacces, nil}
        ] do
      test label, %{tmp_dir: directory, ran: ran} = context do
        path = script(directory, "program", unquote(content))
        File.chmod!(path, unquote(mode))

        for error <- refused(context, path, [ran], []) do
          assert_cannot_execute(error, unquote(expected), unquote(message))
        end
      end
    end

    # The shell's binary with another machine (e_machine in elf(5)): Tilera TILEPro.
    test "for another machine", %{tmp_dir: directory, ran: ran} = context do
      <<"\x7fELF", head::binary-size(14), _machine::16, rest::binary>> =
        File.read!(System.find_executable("sh"))

      big_endian? = :binary.at(head, 1) == 2
      machine = if big_endian?, do: <<188::16-big>>, else: <<188::16-little>>
      path = script(directory, "sh", ["\x7fELF", head, machine, rest])

      for error <- refused(context, path, ["-c", @leave_file, ran], []) do
        assert_cannot_execute(
          error,
          {:exec, :enoexec},
          "a binary has to be built for this machine"
        )
      end
    end

    test "that is missing", context do
      for command <- ["no_such_program", "/no/such/program", ""] do
        assert refused(context, command, [], []) == [:enoent, :enoent, :enoent]
      end
    end

    defp assert_cannot_execute(error, {step, errno}, message) do
      assert %MuonTrap.Error{step: ^step, errno: ^errno, exit_status: 126} = error
      assert Exception.message(error) =~ message
    end

    defp assert_cannot_execute(error, errno, nil), do: assert(error == errno)
  end
end
