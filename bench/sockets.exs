# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0
#
# Compares clients of the fork server, gen_tcp with packet 4 and :socket, with System.cmd/3, in turn.
#
#     MIX_ENV=prod mix compile && elixir -pa _build/prod/lib/muontrap/ebin bench/sockets.exs [latency] [many] [throughput] [crowded]

Code.require_file("measure.exs", __DIR__)

defmodule Sockets.Server do
  # A fork server, according to docs/protocol.md.
  def start(helper) do
    port =
      Port.open({:spawn_executable, helper}, [
        {:packet, 4},
        :binary,
        :nouse_stdio,
        args: ["--fork-server"]
      ])

    token = :crypto.strong_rand_bytes(32)
    client = field(2, <<String.to_integer(System.pid())::32>>)
    Port.command(port, [<<0x41, 2::16>>, field(1, token), client])

    receive do
      {^port,
       {:data, <<0xC1, 2::16, _pid::32, size::16, _version::binary-size(size), rest::binary>>}} ->
        <<length::16, address::binary-size(length), _environment::binary>> = rest
        %{port: port, token: token, address: address}
    end
  end

  def field(number, value), do: [<<number::16, IO.iodata_length(value)::32>>, value]

  # The exact bytes of variables do not matter here.
  def environment do
    for {name, value} <- :os.env(), do: field(6, [to_string(name), ?=, to_string(value)])
  end

  def give_environment(server, number) do
    Port.command(server.port, [<<0x42, number::64>>, environment()])
    Map.put(server, :environment, number)
  end

  def hello(server), do: [<<0x07, 2::16>>, server.token]

  def start_frame(server, program, args, window, options) do
    environment =
      case server do
        %{environment: number} -> field(7, <<number::64>>)
        _without -> environment()
      end

    {:ok, directory} = :prim_file.get_cwd()

    [
      <<0x08>>,
      field(1, program),
      Enum.map(args, &field(2, &1)),
      field(4, directory),
      environment,
      field(17, "capture"),
      field(19, <<window::32>>),
      Enum.map(options, fn {number, value} -> field(number, value) end)
    ]
  end

  def bind_name(server),
    do: server.address <> "." <> Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)
end

defmodule Sockets.Tcp do
  # gen_tcp, passive, packets of four bytes' length.
  def open(server, named?) do
    name = if named?, do: [ifaddr: {:local, Sockets.Server.bind_name(server)}], else: []

    {:ok, socket} =
      :gen_tcp.connect(
        {:local, server.address},
        0,
        [:binary, {:packet, 4}, {:active, false}, {:buffer, 65_536}] ++ name
      )

    socket
  end

  def begin(socket, hello, start) do
    # Each is a packet, and both are sent by one write.
    :ok = :inet.setopts(socket, packet: :raw)
    :ok = :gen_tcp.send(socket, [framed(hello), framed(start)])
    :ok = :inet.setopts(socket, packet: 4)
  end

  # Without the two calls of setopts: two writes.
  def begin_apart(socket, hello, start) do
    :ok = :gen_tcp.send(socket, hello)
    :ok = :gen_tcp.send(socket, start)
  end

  defp framed(frame), do: [<<IO.iodata_length(frame)::32>>, frame]

  def send(socket, frame), do: :gen_tcp.send(socket, frame)

  def next(socket) do
    {:ok, frame} = :gen_tcp.recv(socket, 0)
    {frame, socket}
  end

  def close(socket), do: :gen_tcp.close(socket)
end

defmodule Sockets.Nif do
  # :socket, with a buffer here.
  def open(server, named?) do
    {:ok, socket} = :socket.open(:local, :stream)

    if named?,
      do: :ok = :socket.bind(socket, %{family: :local, path: Sockets.Server.bind_name(server)})

    :ok = :socket.connect(socket, %{family: :local, path: server.address})
    {socket, ""}
  end

  def begin({socket, _rest}, hello, start) do
    :ok = :socket.send(socket, [framed(hello), framed(start)])
  end

  defp framed(frame), do: [<<IO.iodata_length(frame)::32>>, frame]

  def send({socket, _rest}, frame), do: :socket.send(socket, framed(frame))

  def next({socket, rest}) do
    case rest do
      <<length::32, frame::binary-size(length), rest::binary>> ->
        {frame, {socket, rest}}

      <<length::32, part::binary>> when length > 8_192 ->
        # A long frame is read in one piece.
        {:ok, data} = :socket.recv(socket, length - byte_size(part))
        {part <> data, {socket, ""}}

      _part ->
        {:ok, data} = :socket.recv(socket, 0)
        next({socket, rest <> data})
    end
  end

  def close({socket, _rest}), do: :socket.close(socket)
end

defmodule Sockets.Run do
  alias Sockets.Server

  # Runs a program to its end, and returns how many bytes it wrote.
  def cmd(way, server, program, args, options \\ []) do
    window = Keyword.get(options, :window, 10_240)
    socket = way.open(server, Keyword.get(options, :named, true))
    start = Server.start_frame(server, program, args, window, [])

    if options[:apart],
      do: way.begin_apart(socket, Server.hello(server), start),
      else: way.begin(socket, Server.hello(server), start)

    collect(way, socket, 0)
  end

  defp collect(way, socket, count) do
    {frame, socket} = way.next(socket)

    case frame do
      <<0x82, data::binary>> ->
        size = byte_size(data)
        :ok = way.send(socket, <<0x01, size::32>>)
        collect(way, socket, count + size)

      <<0x81, _started::binary>> ->
        collect(way, socket, count)

      <<0x85, _report::binary>> ->
        way.close(socket)
        count
    end
  end
end

defmodule Sockets.Counter do
  defstruct count: 0

  defimpl Collectable do
    def into(counter) do
      {counter,
       fn
         counter, {:cont, data} -> %{counter | count: counter.count + byte_size(data)}
         counter, _done_or_halt -> counter
       end}
    end
  end
end

alias Bench.Measure
alias Sockets.{Counter, Nif, Run, Server, Tcp}

{:ok, _started} = Application.ensure_all_started(:muontrap)
helper = Application.app_dir(:muontrap, "priv/muontrap")
server = Server.start(helper)
cached = Server.give_environment(server, 1)
wanted = System.argv()
wanted? = fn name -> wanted == [] or name in wanted end

say = fn title, result ->
  values = [result.value, result.low, result.high, result.ours, result.theirs]
  [value, low, high, ours, theirs] = Enum.map(values, &Float.round(&1 / 1, 3))

  IO.puts(
    "#{String.pad_trailing(title, 64)} #{value} (#{low} to #{high}), #{ours} µs against #{theirs}"
  )
end

repeat = fn n, fun -> fn -> Enum.each(1..n, fn _ -> fun.() end) end end

if wanted?.("latency") do
  path = System.find_executable("true")

  for {title, program} <- [{"true", "true"}, {path, path}] do
    theirs = repeat.(50, fn -> System.cmd(program, []) end)

    ways = [
      {"MuonTrap.cmd/3", fn -> MuonTrap.cmd(program, []) end},
      {"gen_tcp", fn -> Run.cmd(Tcp, server, program, []) end},
      {"gen_tcp, environment by number", fn -> Run.cmd(Tcp, cached, program, []) end},
      {"gen_tcp, environment by number, no name",
       fn -> Run.cmd(Tcp, cached, program, [], named: false) end},
      {"gen_tcp, environment by number, HELLO and START apart",
       fn -> Run.cmd(Tcp, cached, program, [], apart: true) end},
      {":socket", fn -> Run.cmd(Nif, server, program, []) end},
      {":socket, environment by number", fn -> Run.cmd(Nif, cached, program, []) end}
    ]

    for {way, fun} <- ways do
      say.("#{title}: #{way}, time", Measure.pairs(15, :cost, repeat.(50, fun), theirs))
    end
  end
end

# The CPU time of this BEAM, all threads together, hardly depends on other load of the machine.
if wanted?.("cpu") do
  cpu = fn n, fun ->
    {before, _} = :erlang.statistics(:runtime)
    Enum.each(1..n, fn _ -> fun.() end)
    {later, _} = :erlang.statistics(:runtime)
    (later - before) * 1000 / n
  end

  ways = [
    {"System.cmd/3", fn -> System.cmd("true", []) end},
    {"MuonTrap.cmd/3", fn -> MuonTrap.cmd("true", []) end},
    {"gen_tcp", fn -> Run.cmd(Tcp, server, "true", []) end},
    {"gen_tcp, environment by number", fn -> Run.cmd(Tcp, cached, "true", []) end},
    {"gen_tcp, environment by number, no name",
     fn -> Run.cmd(Tcp, cached, "true", [], named: false) end},
    {"gen_tcp, environment by number, HELLO and START apart",
     fn -> Run.cmd(Tcp, cached, "true", [], apart: true) end},
    {":socket", fn -> Run.cmd(Nif, server, "true", []) end},
    {":socket, environment by number", fn -> Run.cmd(Nif, cached, "true", []) end}
  ]

  rounds = for _ <- 1..5, do: Enum.map(ways, fn {way, fun} -> {way, cpu.(200, fun)} end)

  for {way, _fun} <- ways do
    values = for round <- rounds, do: elem(List.keyfind(round, way, 0), 1)

    IO.puts(
      "CPU time of the BEAM for true: #{String.pad_trailing(way, 56)} #{round(Measure.median(values))} µs"
    )
  end
end

if wanted?.("many") do
  for callers <- [8, 64] do
    all = fn fun ->
      fn ->
        1..callers
        |> Enum.map(fn _ ->
          Task.async(fn -> Enum.each(1..div(1024, callers), fn _ -> fun.() end) end)
        end)
        |> Task.await_many(:infinity)
      end
    end

    theirs = all.(fn -> System.cmd("true", []) end)

    for {way, fun} <- [
          {"gen_tcp", fn -> Run.cmd(Tcp, cached, "true", []) end},
          {":socket", fn -> Run.cmd(Nif, cached, "true", []) end}
        ] do
      say.("#{callers} callers: #{way}, speed", Measure.pairs(5, :speed, all.(fun), theirs))
    end
  end
end

if wanted?.("throughput") do
  args = ["-c", "400000000", "/dev/zero"]
  theirs = fn -> System.cmd("head", args, into: struct(Counter)) end

  for window <- [10_240, 65_536, 1_048_576] do
    ways = [
      {"MuonTrap.cmd/3",
       fn -> MuonTrap.cmd("head", args, into: struct(Counter), stdio_window: window) end},
      {"gen_tcp", fn -> 400_000_000 = Run.cmd(Tcp, cached, "head", args, window: window) end},
      {":socket", fn -> 400_000_000 = Run.cmd(Nif, cached, "head", args, window: window) end}
    ]

    for {way, fun} <- ways do
      say.("400 MB, window #{window}: #{way}, speed", Measure.pairs(3, :speed, fun, theirs))
    end
  end
end

if wanted?.("crowded") do
  crowd = fn fun ->
    fn ->
      Task.async(fn ->
        for n <- 1..100_000, do: send(self(), {:unread, n})
        {us, _} = :timer.tc(fun)
        us
      end)
      |> Task.await(:infinity)
    end
  end

  # 2,000 chunks or so each.
  args = ["-c", "20000000", "/dev/zero"]

  for {way, fun} <- [
        {"System.cmd/3", fn -> System.cmd("head", args, into: struct(Counter)) end},
        {"MuonTrap.cmd/3", fn -> MuonTrap.cmd("head", args, into: struct(Counter)) end},
        {"gen_tcp", fn -> Run.cmd(Tcp, cached, "head", args) end},
        {":socket", fn -> Run.cmd(Nif, cached, "head", args) end}
      ] do
    {empty, _} = :timer.tc(fun)

    IO.puts(
      "20 MB with an empty mailbox and with 100,000 messages: #{way}: #{empty} µs, #{crowd.(fun).()} µs"
    )
  end
end
