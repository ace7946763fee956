# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

defmodule MuonTrap.Output.CollectorTest do
  use ExUnit.Case, async: true

  alias MuonTrap.Output.Collector

  defp collect(into, chunks) do
    {initial, fun} = Collector.into(into)
    chunks |> Enum.reduce(initial, &fun.(&2, {:cont, &1})) |> fun.(:done)
  end

  test "collects as Collectable does" do
    chunks = ["a", "", "bc", <<0, 255>>]

    for into <- ["", "before", [], MapSet.new()], some <- [chunks, []] do
      assert collect(into, some) == Enum.into(some, into)
    end

    {initial, fun} = Collector.into("")
    assert fun.(fun.(initial, {:cont, "a"}), :halt) == :ok
  end

  test "a binary at the end has no spare room" do
    for count <- [1, 2, 3, 1000] do
      binary = collect("", List.duplicate(String.duplicate("x", 1000), count))
      assert byte_size(binary) == count * 1000
      assert :binary.referenced_byte_size(binary) == byte_size(binary)
    end
  end

  test "a binary of the caller is not changed" do
    {grown, fun} = Collector.into("")
    grown = fun.(grown, {:cont, "first"})
    assert collect(grown, [" a"]) == "first a"
    assert collect(grown, [" b"]) == "first b"
    assert grown == "first"
  end

  test "no chunk is kept until the end" do
    {initial, fun} = Collector.into("")
    chunk = fn number -> String.duplicate(<<number>>, 1000) end
    grown = Enum.reduce(0..255, initial, &fun.(&2, {:cont, chunk.(&1)}))
    :erlang.garbage_collect()
    {:binary, binaries} = Process.info(self(), :binary)
    assert Enum.count(binaries, fn {_id, size, _references} -> size == 1000 end) < 10
    assert byte_size(grown) == 256_000
  end

  describe "output into a device" do
    @describetag :tmp_dir

    test "is complete, whatever its chunks were", %{tmp_dir: directory} do
      path = Path.join(directory, "output")
      lines = Enum.map_join(1..100_000, &"#{&1}\n")

      for window <- [100, 10_240, 1_000_000], modes <- [[], [encoding: :utf8]] do
        opts = [into: File.stream!(path, modes), stdio_window: window]
        assert {%File.Stream{}, 0} = MuonTrap.cmd("seq", ["1", "100000"], opts)
        assert File.read!(path) == lines
      end
    end

    test "is there as soon as nothing more comes", %{tmp_dir: directory} do
      [path, go] = Enum.map(["output", "go"], &Path.join(directory, &1))
      script = "echo one; until [ -e \"$0\" ]; do sleep 0.01; done; echo two; exit 3"

      task =
        Task.async(fn -> MuonTrap.cmd("sh", ["-c", script, go], into: File.stream!(path)) end)

      MuonTrap.Test.OS.wait_until(fn -> File.read(path) == {:ok, "one\n"} end)
      File.touch!(go)
      assert {%File.Stream{}, 3} = Task.await(task, :infinity)
      assert File.read!(path) == "one\ntwo\n"
    end

    test "is there when the program is stopped or lost", %{tmp_dir: directory} do
      path = Path.join(directory, "output")
      script = "echo one; exec sleep 1000"
      opts = [into: File.stream!(path), timeout: 3000]
      assert {%File.Stream{}, :timeout} = MuonTrap.cmd("sh", ["-c", script], opts)
      assert File.read!(path) == "one\n"

      script = "echo one; kill -KILL $PPID; exec sleep 1000"
      run = fn -> MuonTrap.cmd("sh", ["-c", script], into: File.stream!(path)) end
      assert %MuonTrap.Error{step: :helper} = catch_error(run.())
    end

    test "ends the program when the device fails" do
      marker = MuonTrap.Test.OS.marker()
      opts = [into: File.stream!("/dev/full"), env: [{"MARKER", marker}]]
      # The error depends on the version of Elixir.
      written = fn -> Enum.into([String.duplicate("y\n", 100_000)], opts[:into]) end
      assert catch_error(MuonTrap.cmd("yes", [], opts)) == catch_error(written.())
      assert MuonTrap.Test.OS.marked(marker) == []
    end

    test "leaves the mailbox as it was", %{tmp_dir: directory} do
      Process.flag(:trap_exit, true)
      send(self(), :mine)
      path = Path.join(directory, "output")
      run = fn command, args, opts -> MuonTrap.cmd(command, args, opts) end
      run.("head", ["-c", "1000000", "/dev/zero"], into: File.stream!(path))
      assert File.stat!(path).size == 1_000_000
      run.("yes", [], into: File.stream!(path), timeout: 100)
      run.("yes", [], into: File.stream!(path), max_output_bytes: 300_000)
      assert File.stat!(path).size == 300_000
      catch_error(run.("yes", [], into: File.stream!("/dev/full")))
      lost = ["-c", "yes & sleep 0.1; kill -KILL $PPID; exec sleep 1000"]
      catch_error(run.("sh", lost, into: File.stream!(path)))
      assert Process.info(self(), :messages) == {:messages, [:mine]}
    end
  end

  describe "a text device" do
    @describetag :tmp_dir

    setup %{tmp_dir: directory} do
      {:ok, string} = StringIO.open("")
      path = Path.join(directory, "text")

      %{
        devices: [
          {IO.stream(string, :line), fn -> StringIO.flush(string) end},
          {File.stream!(path, [:utf8]), fn -> File.read!(path) end}
        ]
      }
    end

    test "gets whole characters, however the output is divided into chunks", %{devices: devices} do
      text = "aä€😀e"

      for size <- 1..byte_size(text), {into, contents} <- devices do
        collect(into, chunks(text, size))
        assert contents.() == text
      end
    end

    defp chunks(text, size) when byte_size(text) <= size, do: [text]

    defp chunks(text, size) do
      rest = binary_part(text, size, byte_size(text) - size)
      [binary_part(text, 0, size) | chunks(rest, size)]
    end

    test "gets everything before a byte that it refuses", %{devices: devices} do
      for chunks <- [["aä\xFFb"], ["aä", <<0xE2>>, "b"], ["aä", <<0xE2, 0x82>>], ["aä", <<0x82>>]],
          {into, contents} <- devices do
        error = assert_raise ErlangError, fn -> collect(into, chunks) end
        assert error.original == :no_translation
        assert contents.() == "aä"
      end
    end

    test "that accepts all bytes gets all bytes" do
      device = spawn_link(fn -> take_all([]) end)

      for bytes <- [<<0xFF>>, <<0xE2>>, <<0xE2, 0x82>>, <<0xC0, 0x80, 0x80>>, <<0xF0, 0x9F>>],
          size <- 1..4 do
        collect(IO.stream(device, :line), chunks("a" <> bytes <> "ä" <> bytes, size))
        send(device, {:contents, self()})
        assert_receive {:contents, contents}
        assert contents == "a" <> bytes <> "ä" <> bytes
      end
    end

    defp take_all(taken) do
      receive do
        {:io_request, from, ref, {:put_chars, :unicode, bytes}} ->
          send(from, {:io_reply, ref, :ok})
          take_all([taken | bytes])

        {:contents, from} ->
          send(from, {:contents, IO.iodata_to_binary(taken)})
          take_all([])
      end
    end

    test "gets everything at once except an incomplete character", %{
      devices: [{into, contents} | _]
    } do
      {initial, fun} = Collector.into(into)
      acc = fun.(initial, {:cont, "aä" <> binary_part("€", 0, 2)})
      assert contents.() == "aä"
      acc = fun.(acc, {:cont, binary_part("€", 2, 1) <> "b"})
      assert contents.() == "€b"
      fun.(acc, :done)
    end
  end

  test "a raw device gets unchanged chunks" do
    {:ok, string} = StringIO.open("")
    {initial, fun} = Collector.into(IO.binstream(string, :line))
    fun.(initial, {:cont, <<0xE2>>})
    assert StringIO.flush(string) == <<0xC3, 0xA2>>
  end

  test "a device gets small chunks together, but need not wait long for the first of them" do
    test = self()
    device = spawn_link(fn -> reply_with_sizes(test) end)
    opts = [into: IO.binstream(device, :line), stdio_window: 1]
    MuonTrap.cmd("head", ["-c", "20000", "/dev/zero"], opts)
    sizes = sizes()
    assert Enum.sum(sizes) == 20_000
    # Each byte is a frame, and needs an acknowledgement.
    assert Enum.max(sizes) < 10_000
  end

  defp reply_with_sizes(test) do
    receive do
      {:io_request, from, ref, {:put_chars, _encoding, bytes}} ->
        send(test, {:size, IO.iodata_length(bytes)})
        send(from, {:io_reply, ref, :ok})
        reply_with_sizes(test)
    end
  end

  defp sizes do
    receive do
      {:size, size} -> [size | sizes()]
    after
      0 -> []
    end
  end
end
