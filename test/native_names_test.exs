# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.NativeNamesTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Test.{OS, SecondBeam}

  @moduletag :tmp_dir

  # With the other locale, Elixir does not find files with such names.
  setup %{tmp_dir: directory} do
    on_exit(fn -> {"", 0} = System.cmd("rm", ["-rf", directory]) end)
  end

  @locales ["C", "C.UTF-8"]
  @names [
    {"UTF-8", "café €", "caf\\303\\251 \\342\\202\\254"},
    {"any bytes", <<"raw", 0xFF>>, "raw\\377"}
  ]

  for locale <- @locales, {label, name, printf} <- @names do
    describe "with LC_ALL=#{locale} and names of #{label}:" do
      setup %{tmp_dir: directory} do
        directory = Path.join(directory, unquote(name))
        File.mkdir_p!(directory)
        OS.script(directory, "tool", "#!/bin/sh\necho found\n")
        helper = Path.join(directory, "helper")
        File.cp!(MuonTrap.muontrap_path(), helper)

        # In ASCII, independent of the locale of this BEAM.
        place = ~s|"$(printf '#{Path.dirname(directory)}/#{unquote(printf)}')"|

        script = """
        export LC_ALL=#{unquote(locale)} NAME="$(printf '#{unquote(printf)}')"
        export PATH="$PATH":#{place} MUONTRAP_HELPER=#{place}/helper\
        """

        second = SecondBeam.start(OS.marker(), 1024, script)
        %{second: second, directory: directory, helper: helper}
      end

      test "programs, directories, arguments, variables and the helper", context do
        %{second: second, directory: directory, helper: helper} = context
        cmd = &SecondBeam.call(second, MuonTrap, :cmd, [&1, &2, &3])
        print = ["-c", ~S(printf %s "$V")]
        name = unquote(name)

        assert SecondBeam.call(second, MuonTrap, :muontrap_path, []) == helper
        assert cmd.("tool", [], []) == {"found\n", 0}
        assert cmd.(Path.join(directory, "tool"), [], []) == {"found\n", 0}
        assert cmd.("sh", ["-c", "cat tool"], cd: directory) == {"#!/bin/sh\necho found\n", 0}
        missing = Path.join(directory, "missing")
        error = catch_error(cmd.("true", [], cd: missing))
        assert %MuonTrap.Error{step: :cd, errno: :enoent, path: ^missing} = error
        assert cmd.("printf", ["%s", name], []) == {name, 0}
        assert cmd.("sh", print, env: [{"V", name}]) == {name, 0}
        assert cmd.("sh", ["-c", ~S(printf %s "$NAME")], env: [{"V", ""}]) == {name, 0}
        assert cmd.("sh", print, env: [{"V", name}, {"V", "last"}]) == {"last", 0}
        {environment, 0} = cmd.("env", ["-0"], env: [{name, name}])
        assert (name <> "=" <> name) in String.split(environment, "\0")
        {environment, 0} = cmd.("env", ["-0"], env: [{name, name}, {name, nil}])
        refute environment =~ "\0" <> name <> "="
        script = ~S(tr '\0' '\n' </proc/$$/cmdline | head -n 1)
        assert {arg0, 0} = cmd.("sh", ["-c", script], arg0: name)
        assert arg0 == name <> "\n"

        # Bytes that are not UTF-8 look like Latin-1.
        if String.valid?(name) do
          error = catch_error(cmd.("missing", [], []))
          explain = [error, "missing", :cmd]
          assert SecondBeam.call(second, MuonTrap.Error.Exec, :explain, explain) =~ directory
        end
      end
    end
  end

  for locale <- @locales do
    @tag locale: locale
    test "a library in a directory with such a name, with LC_ALL=#{locale}", context do
      library = Path.join(context.tmp_dir, "café")
      File.mkdir_p!(library)
      File.cp_r!(:code.lib_dir(:muontrap), Path.join(library, "muontrap"))

      second =
        SecondBeam.start(
          OS.marker(),
          1024,
          "unset MUONTRAP_HELPER; export LC_ALL=#{context.locale}"
        )

      encoding = if context.locale == "C", do: :latin1, else: :utf8
      ebin = :unicode.characters_to_list(Path.join(library, "muontrap/ebin"), encoding)
      true = SecondBeam.call(second, :code, :del_path, [:muontrap])
      true = SecondBeam.call(second, :code, :add_patha, [ebin])

      assert SecondBeam.call(second, MuonTrap, :muontrap_path, []) ==
               Path.join(library, "muontrap/priv/muontrap")

      assert SecondBeam.call(second, MuonTrap, :cmd, ["echo", ["hi"]]) == {"hi\n", 0}
    end
  end

  test "an empty value sets a variable, and nil removes it" do
    script = ["-c", "echo ${HOME-unset}."]
    assert MuonTrap.cmd("sh", script, env: [{"HOME", ""}]) == {".\n", 0}
    assert MuonTrap.cmd("sh", script, env: [{"HOME", nil}]) == {"unset.\n", 0}
  end
end
