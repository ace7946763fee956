# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.EnvironmentTest do
  # What a program inherits. The environment and the directory are changed in other BEAMs.
  use ExUnit.Case, async: true

  import MuonTrap.Test.OS

  alias MuonTrap.Test.{ForkServer, SecondBeam}

  @moduletag :tmp_dir

  @print ~S(printf %s "$V" | od -An -tx1)

  for locale <- ["C", "C.UTF-8"] do
    test "the bytes of a variable are unchanged, with LC_ALL=#{locale}" do
      locale = "export LC_ALL=#{unquote(locale)}"
      raw = SecondBeam.start(marker(), 1024, locale <> ~S| V="$(printf 'a\351b')"|)
      utf8 = SecondBeam.start(marker(), 1024, locale <> ~S| V="$(printf 'a\303\251b')"|)

      for {second, bytes} <- [{raw, " 61 e9 62\n"}, {utf8, " 61 c3 a9 62\n"}],
          _twice <- 1..2 do
        assert SecondBeam.call(second, MuonTrap, :cmd, ["sh", ["-c", @print]]) == {bytes, 0}
      end
    end
  end

  test "a program gets the variables and the directory of the time of the call", context do
    second = SecondBeam.start(marker())
    directory = context.tmp_dir
    script = [~S|printf '%s %s' "${V-unset}" "$(pwd)"|]
    run = &SecondBeam.call(second, ForkServer, :changed_for, ["V", &1, &2, script])

    for value <- ["one", "two", nil, "three", "two", "é"], place <- ["/", directory] do
      # System.put_env/2 sets variables in the encoding of the locale.
      native =
        :unicode.characters_to_binary(value || "unset", :utf8, :file.native_name_encoding())

      assert run.(value, place) == {native <> " " <> place, 0}
    end
  end

  test "a program is looked up in PATH of the BEAM, whatever :env contains", context do
    script(context.tmp_dir, "tool", "#!/bin/sh\necho $PATH\n")
    path = System.get_env("PATH") <> ":" <> context.tmp_dir
    second = SecondBeam.start(marker(), 1024, "export PATH=\"$PATH\":'#{context.tmp_dir}'")
    cmd = &SecondBeam.call(second, MuonTrap, :cmd, [&1, [], [env: [{"PATH", &2}]]])
    assert cmd.("tool", "/nowhere") == {"/nowhere\n", 0}
    assert cmd.("tool", nil) |> elem(1) == 0
    assert_raise ErlangError, fn -> MuonTrap.cmd("tool", [], env: [{"PATH", path}]) end
  end
end
