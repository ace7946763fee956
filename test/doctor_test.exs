# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule Mix.Tasks.Muontrap.DoctorTest do
  # Not async: the path of the helper is a setting of the whole BEAM.
  use ExUnit.Case

  import ExUnit.CaptureIO
  import MuonTrap.Test.{Needs, OS}

  alias Mix.Tasks.Muontrap.Doctor

  setup do
    on_exit(fn -> Application.delete_env(:muontrap, :helper) end)
    %{real: MuonTrap.muontrap_path()}
  end

  # Returns the output and the exit status.
  defp doctor(args) do
    with_io(fn ->
      try do
        Doctor.run(args)
        0
      catch
        :exit, {:shutdown, status} -> status
      end
    end)
    |> then(fn {status, output} -> {output, status} end)
  end

  test "reports on the BEAM and on the host", %{real: real} do
    {output, 0} = doctor([])
    assert output =~ "ok    BEAM          Elixir #{System.version()}, OTP #{System.otp_release()}"
    assert output =~ "ok    helper        #{real}, #{Application.spec(:muontrap, :vsn)}\n"
    assert output =~ "ok    application   :muontrap starts\n"
    assert output =~ "ok    subreaper "
    assert output =~ "info  kill method "
  end

  test "reports in JSON, on one line" do
    {output, 0} = doctor(["--json"])
    assert [line, ""] = String.split(output, "\n")

    assert line =~
             ~s({"works":true,"beam":{"checks":[{"name":"BEAM","status":"ok","found":"Elixir)

    assert line =~ ~s("fix":[]}]},"helper":{"version":"#{Application.spec(:muontrap, :vsn)}",)
    assert line =~ ~r/}}$/
  end

  test "exits with the status that belongs to the request" do
    assert {output, 1} = doctor(["--base", "../x"])
    assert output =~ ~s(fail  request       cgroup_base "../x")
    assert {output, 1} = doctor(["--need", "nonsense", "--json"])
    assert output =~ ~s({"works":false,)
  end

  # nsswitch.conf names a module, which the C library loads for users who are not in the files. That
  # crashes a static program.
  @tag needs([:root, :mount_namespace])
  test "shows a user who is not in the files as a number" do
    folder = MuonTrap.Test.Cgroup.public_folder()
    sources = Path.join(folder, "nsswitch.conf")
    File.write!(sources, "passwd: files systemd compat hesiod\ngroup: files systemd\n")

    script = """
    mount --bind #{sources} /etc/nsswitch.conf
    exec setpriv --reuid 54321 --regid 54321 --clear-groups #{folder}/muontrap doctor
    """

    {report, status} = System.cmd("unshare", ["-m", "sh", "-ec", script], stderr_to_stdout: true)
    assert {report, status} == {report, 0}
    assert report =~ ~r/^info  user +54321 \(54321\)/m
  end

  test "reports a misspelt controller as such, and does not ask for another kernel" do
    assert {output, 1} = doctor(["--need", "memroy"])
    assert output =~ ~s{there is no cgroup controller "memroy" (did you mean "memory"?)}
    refute output =~ "CONFIG_"
  end

  test "reports invalid options" do
    errors =
      capture_io(:stderr, fn ->
        assert {"", 125} = doctor(["--bogus"])
      end)

    assert errors =~ "--bogus"
  end

  test "starts the application" do
    ExUnit.CaptureLog.capture_log(fn -> :ok = Application.stop(:muontrap) end)
    on_exit(fn -> {:ok, _started} = Application.ensure_all_started(:muontrap) end)
    assert {_output, 0} = doctor([])
    assert List.keymember?(Application.started_applications(), :muontrap, 0)
  end

  @tag :tmp_dir
  test "reports a problem with the helper", %{tmp_dir: directory} do
    plain = Path.join(directory, "plain")
    File.write!(plain, "")
    other = script(directory, "other \"\t", "#!/bin/sh\necho \"muontrap 0.1.0\"\n")

    for {path, found} <- [
          {"/no/such/helper", "is missing"},
          {plain, "could not be started"},
          {script(directory, "silent", "#!/bin/sh\nexit 3\n"), "is not the helper"},
          {script(directory, "no_program", "no program\n"), "helper"},
          {other, "is 0.1.0, and MuonTrap is"},
          {~c"/bin/sh", "expected a path as a string"}
        ] do
      Application.put_env(:muontrap, :helper, path)
      assert {output, 1} = doctor([])
      assert output =~ ~r/^fail  helper        .*#{Regex.escape(found)}/m
      assert {json, 1} = doctor(["--json"])
      assert json =~ ~s({"works":false,)
    end

    Application.put_env(:muontrap, :helper, "/no/such/helper")
    assert {output, 1} = doctor([])
    assert output =~ "mix compile builds it"
    assert {output, 1} = doctor(["--json"])
    assert output =~ ~s("helper":null})
    Application.put_env(:muontrap, :helper, other)
    assert {output, 1} = doctor(["--json"])
    assert output =~ ~S(/other \"\u0009 is 0.1.0)
  end
end
