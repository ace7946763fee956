# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.ErrorTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Error
  alias MuonTrap.Error.Errno

  @failed %{
    exit_status: 125,
    errno: 2,
    step: "cd",
    path: "/nowhere",
    message: "cannot change to the directory",
    advice: "make it"
  }

  test "a failure is translated to an error with atoms from a fixed set" do
    assert Error.from_failed(@failed) == %Error{
             step: :cd,
             path: "/nowhere",
             errno: :enoent,
             message: "cannot change to the directory",
             advice: "make it",
             exit_status: 125
           }

    for step <- ~w(options stdio uid gid groups cgroup cd spawn exec)a do
      assert Error.from_failed(%{@failed | step: Atom.to_string(step)}).step == step
    end

    assert Error.from_failed(%{@failed | step: "anything else"}).step == :helper
  end

  test "missing parts are nil" do
    error = Error.from_failed(%{@failed | errno: 0, path: "", advice: ""})
    assert %Error{errno: nil, path: nil, advice: nil} = error
    assert Exception.message(error) == "cannot change to the directory"
  end

  test "the message has all parts, and the path once" do
    assert Exception.message(Error.from_failed(@failed)) ==
             ~s|cannot change to the directory "/nowhere": no such file or directory (enoent) | <>
               "(make it)"

    error = Error.from_failed(%{@failed | message: "cannot change to /nowhere", advice: ""})

    assert Exception.message(error) ==
             "cannot change to /nowhere: no such file or directory (enoent)"
  end

  # The message in a BEAM with these applications in its code path.
  defp advice(applications) do
    code = """
    failed = %{step: "cgroup", path: "", errno: 0, message: "no", exit_status: 125,
      advice: "first; `/opt/my app/muontrap doctor --need memory --base b` has the commands"}
    IO.puts(MuonTrap.Error.from_failed(failed).advice)
    IO.puts(MuonTrap.Helper.start_error("/no/muontrap", :enoent).advice)
    """

    paths = Enum.flat_map(applications, &["-pa", Application.app_dir(&1, "ebin")])

    eval =
      "{ok, _} = application:ensure_all_started(elixir), " <>
        "'Elixir.Code':eval_string(list_to_binary(os:getenv(\"CODE\"))), halt()."

    args = ["-noshell" | paths] ++ ["-eval", eval]
    {text, 0} = System.cmd("erl", args, env: [{"CODE", code}])
    String.split(text, "\n", trim: true)
  end

  test "advice refers to Mix if it is there" do
    assert [doctor, build] = advice([:elixir, :muontrap, :mix])
    assert doctor == "first; `mix muontrap.doctor --need memory --base b` has the commands"
    assert build =~ ~r/^mix compile builds it; MUONTRAP_HELPER or /
  end

  test "advice does not refer to Mix if it is missing, as in a release" do
    assert [doctor, build] = advice([:elixir, :muontrap])
    assert doctor =~ "`/opt/my app/muontrap doctor --need memory --base b` has"
    assert build =~ ~r/^MUONTRAP_HELPER or /
  end

  test "a rare errno is a number" do
    assert Error.from_failed(%{@failed | errno: 4095}).errno == 4095
    assert Exception.message(Error.from_failed(%{@failed | errno: 4095})) =~ ": errno 4095"
  end

  test "every known errno has a description" do
    for number <- 1..200, name = Errno.name(number), is_atom(name) do
      assert Errno.text(name) =~ "(#{name})"
    end
  end

  test "the reasons are those of System.cmd/3 where it has one" do
    assert Error.reason(%Error{step: :exec, message: "", exit_status: 127}) == :enoent

    assert Error.reason(%Error{step: :exec, message: "", exit_status: 126, errno: :eacces}) ==
             :eacces

    interpreter = %Error{step: :exec, message: "", exit_status: 126, errno: :enoent}
    assert Error.reason(interpreter) == interpreter
  end

  test "the description of an errno is that of errno(3)" do
    for {name, text} <- [
          eperm: "operation not permitted (eperm)",
          enoent: "no such file or directory (enoent)",
          ebusy: "device or resource busy (ebusy)",
          e2big: "argument list too long (e2big)",
          eopnotsupp: "operation not supported (eopnotsupp)"
        ] do
      assert MuonTrap.Error.Errno.text(name) == text
    end

    for number <- 1..133, is_atom(MuonTrap.Error.Errno.name(number)) do
      assert MuonTrap.Error.Errno.text(MuonTrap.Error.Errno.name(number)) =~
               ~r/^[a-z].+ \(e[a-z0-9]+\)$/
    end
  end
end
