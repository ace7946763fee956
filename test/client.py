#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

"""A client of the protocol, written after docs/protocol.md and nothing else.

    with ForkServer("path/to/muontrap") as server:
        session = server.connect()
        session.start(program="echo", argument=["hello"], stdout="capture")
        print(session.finish().stdout)

Run as a program, it speaks with the muontrap whose path it gets, over a pipe and over a fork server.
"""

import os
import random
import socket
import struct
import subprocess
import sys
from types import SimpleNamespace

PROTOCOL = 2

ACK, SIGNAL, STOP, INPUT, INPUT_EOF, DISCARD, HELLO, START = range(1, 9)
CGROUP_GET, CGROUP_SET, CGROUP_STATISTICS, CGROUP_CONFIG, CGROUP_CLEAN = range(0x09, 0x0E)
STARTED, STDOUT, STDERR, INPUT_ACK, EXITED, FAILED = range(0x81, 0x87)
ANSWER, REFUSED, ENVIRONMENT_WANTED = range(0x87, 0x8A)
ACK_BY_READING, ACKED_BY_READING = 0x12, 0x8B
CONFIG, ENVIRONMENT, WATCH, COUNT = range(0x41, 0x45)
READY, SESSION_ENDED, COUNTS = range(0xC1, 0xC4)

FIELDS = dict(
    program=1, argument=2, arg0=3, directory=4, cd=5, variable=6, environment=7, set=8, unset=9,
    stdin=16, stdout=17, stderr=18, stdio_window=19,
    stdin_path=20, stdout_path=21, stderr_path=22, stdout_append=23, stderr_append=24,
    stdout_mode=25, stderr_mode=26,
    stop_signal=32, delay_to_sigkill=33, orphans=34, stop_step=35, stop_scope=36, notify=37,
    uid=48, gid=49, groups=50,
    cgroup_path=64, cgroup_controller=65, cgroup_set=66, cgroup_file=67, timeout=68,
)  # fmt: skip


class Failed(Exception):
    """FAILED or REFUSED, with its parts as attributes."""

    def __init__(self, payload):
        self.status, self.errno = struct.unpack_from(">BI", payload)
        self.step, self.path, self.message, self.advice = strings(payload[5:])
        super().__init__(self.message)


def strings(payload):
    """All that is in a sequence of `str`."""
    found = []
    while payload:
        string, payload = first_string(payload)
        found.append(string)
    return found


def first_string(payload):
    """A `str`, and what follows it."""
    (length,) = struct.unpack_from(">H", payload)
    return payload[2 : 2 + length].decode(errors="surrogateescape"), payload[2 + length :]


def field(number, value):
    if isinstance(value, int):
        value = struct.pack(">Q" if number == FIELDS["environment"] else ">I", value)
    value = os.fsencode(value)
    return struct.pack(">HI", number, len(value)) + value


def fields(values):
    """Fields by name; a list stands for several of one name."""
    payload = b""
    for name, value in values.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            payload += field(FIELDS[name], one)
    return payload


class Stream:
    """Frames over a pair of files."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, tag, payload=b""):
        self.send_bytes(struct.pack(">IB", len(payload) + 1, tag) + payload)

    def send_bytes(self, data):
        self.writer.write(data)
        self.writer.flush()

    def receive(self):
        """The next frame as (tag, payload), or None at the end of the stream."""
        header = self.reader.read(4)
        if len(header) < 4:
            return None
        (length,) = struct.unpack(">I", header)
        frame = self.reader.read(length)
        return (frame[0], frame[1:]) if len(frame) == length else None

    def close(self):
        self.writer.close()
        self.reader.close()


class Session:
    """A session that runs a program, or is going to."""

    def __init__(self, stream, token=b"", connection=0, environments=None):
        self.stream, self.connection = stream, connection
        self.environments = environments
        self.pid = self.program = self.start_time = None
        self.stdout = self.stderr = b""
        self.in_flight = 0
        self.input_written = self.input_dropped = 0
        self.acked_by_reading = False
        stream.send(HELLO, struct.pack(">H", PROTOCOL) + token)

    def start(self, **values):
        """START. The environment is this process's own, unless there is another one."""
        values.setdefault("directory", os.getcwd())
        if "variable" not in values and "environment" not in values:
            values["variable"] = [f"{name}={value}" for name, value in os.environ.items()]
        self.stream.send(START, fields(values))
        tag, payload = self.frame()
        if tag == ENVIRONMENT_WANTED:
            values["variable"] = self.environments[values.pop("environment")]
            return self.start(**values)
        assert tag == STARTED, tag
        self.pid, self.program, self.start_time = struct.unpack_from(">IIQ", payload)
        paths = strings(payload[16:])
        self.cgroups = dict(zip(paths[::2], paths[1::2]))
        return self

    def frame(self):
        """The next frame. Output is noted, but not acknowledged."""
        frame = self.stream.receive()
        if frame is None:
            raise EOFError("the session is gone")
        tag, payload = frame
        if tag == FAILED:
            raise Failed(payload)
        if tag == STDOUT:
            self.stdout += payload
        elif tag == STDERR:
            self.stderr += payload
        elif tag == INPUT_ACK:
            written, dropped = struct.unpack(">II", payload)
            self.input_written += written
            self.input_dropped += dropped
        elif tag == ACKED_BY_READING:
            self.acked_by_reading = True
        if tag in (STDOUT, STDERR):
            self.in_flight += len(payload)
        return tag, payload

    def ack(self):
        if not self.acked_by_reading:
            self.stream.send(ACK, struct.pack(">I", self.in_flight))
        self.in_flight = 0

    def cgroup(self, tag, **values):
        """Sends a CGROUP frame, and returns the values of its answer."""
        request = random.getrandbits(32)
        self.stream.send(tag, struct.pack(">I", request) + fields(values))
        while True:
            tag, payload = self.frame()
            if tag in (ANSWER, REFUSED):
                assert struct.unpack_from(">I", payload) == (request,)
                if tag == REFUSED:
                    raise Failed(payload[4:])
                return answer(payload[4:])

    def finish(self):
        """Reads up to EXITED, closes the stream, and returns the report."""
        while True:
            tag, payload = self.frame()
            if tag in (STDOUT, STDERR):
                self.ack()
            elif tag == EXITED:
                self.stream.close()
                return self.report(payload)

    def report(self, payload):
        names = "how code flags user system peak_rss wall stdout_bytes stderr_bytes swept survivors peak"
        report = SimpleNamespace(**dict(zip(names.split(), struct.unpack(">BBBQQQQQQIIQ", payload))))
        report.stdout, report.stderr = self.stdout, self.stderr
        assert report.stdout_bytes == len(self.stdout) and report.stderr_bytes == len(self.stderr)
        return report


def answer(payload):
    values = {}
    while payload:
        (size,) = struct.unpack_from(">H", payload)
        name, payload = payload[2 : 2 + size].decode(), payload[2 + size :]
        (size,) = struct.unpack_from(">I", payload)
        values[name], payload = payload[4 : 4 + size].decode(), payload[4 + size :]
    return values


class Piped(Session):
    """A session of its own muontrap, over a pipe."""

    def __init__(self, muontrap):
        self.process = subprocess.Popen(
            [muontrap, "--framed"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        super().__init__(Stream(self.process.stdout, self.process.stdin))

    def finish(self):
        report = super().finish()
        report.status = self.process.wait()
        return report


class ForkServer:
    """A fork server, and the way to its sessions."""

    def __init__(self, muontrap, **options):
        self.environments = {}
        # Descriptors 3 and 4 of the fork server, whatever is open here.
        script = f'exec "$0" --fork-server 3<&"$1" 4>&"$2"'
        (its_input, commands), (frames, its_output) = os.pipe(), os.pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", script, muontrap, str(its_input), str(its_output)],
            pass_fds=(its_input, its_output),
            **options,
        )
        os.close(its_input)
        os.close(its_output)
        self.control = Stream(os.fdopen(frames, "rb"), os.fdopen(commands, "wb"))
        self.token = os.urandom(32)
        self.configure()

    def configure(self):
        config = field(1, self.token) + field(2, os.getpid())
        self.control.send(CONFIG, struct.pack(">H", PROTOCOL) + config)
        tag, payload = self.control.receive()
        if tag == FAILED:
            raise Failed(payload)
        assert tag == READY, tag
        protocol, self.pid = struct.unpack_from(">HI", payload)
        assert protocol == PROTOCOL
        self.version, rest = first_string(payload[6:])
        # Its environment follows, which a client with one of its own need not look at.
        self.address, _environment = first_string(rest)

    def socket(self):
        """A connected socket, and the number of the connection."""
        connection = random.getrandbits(64) or 1
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.bind(f"{self.address}.{connection:016x}")
        client.connect(self.address)
        peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("iII", peer)[0] == self.pid, "somebody else has the address"
        return client, connection

    def connect(self):
        client, connection = self.socket()
        stream = Stream(client.makefile("rb"), client.makefile("wb"))
        client.close()
        return Session(stream, self.token, connection, self.environments)

    def give_environment(self, number, variables):
        self.environments[number] = variables
        payload = struct.pack(">Q", number) + fields({"variable": variables})
        self.control.send(ENVIRONMENT, payload)

    def watch(self, session, limit=0):
        """Waits until a session is gone."""
        payload = struct.pack(">QII", session.connection, session.pid or 0, limit)
        self.control.send(WATCH, payload)
        tag, payload = self.control.receive()
        assert tag == SESSION_ENDED, tag
        names = "connection pid how code swept survivors"
        ended = SimpleNamespace(**dict(zip(names.split(), struct.unpack(">QIBBII", payload))))
        assert ended.connection == session.connection
        return ended

    def counts(self):
        self.control.send(COUNT)
        tag, payload = self.control.receive()
        assert tag == COUNTS, tag
        names = "accepted refused_pid refused_uid sessions lost swept continued".split()
        values = [struct.unpack_from(">HIQ", payload, 14 * index) for index in range(len(names))]
        assert [number for number, _, _ in values] == list(range(1, 8))
        return SimpleNamespace(**dict(zip(names, (value for _, _, value in values))))

    def close(self):
        self.control.close()
        return self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def speak(session):
    """One program with input, output on both streams, and an exit code."""
    session.start(
        program="sh",
        argument=["-c", 'read line; echo "$line $CLIENT"; pwd; echo err >&2; exit 3'],
        set=["CLIENT=python"],
        directory="/",
        cd="usr",
        stdin="pipe",
        stdout="capture",
        stderr="capture",
    )
    session.stream.send(INPUT, b"hello\n")
    session.stream.send(INPUT_EOF)
    report = session.finish()
    assert (report.how, report.code) == (0, 3), report
    assert (report.stdout, report.stderr) == (b"hello python\n/usr\n", b"err\n"), report
    assert (session.input_written, session.input_dropped) == (6, 0)


def refuse(session):
    """A program that does not exist, and a field that does not."""
    try:
        session.start(program="no-such-program")
    except Failed as failed:
        assert (failed.status, failed.errno, failed.step) == (127, 2, "exec"), vars(failed)
    else:
        raise AssertionError("it ran")


def read(session):
    """Much output, acknowledged by reading it if the session sees that."""
    session.start(program="seq", argument=["1", "50000"], stdout="capture", stdio_window=1000)
    session.stream.send(ACK_BY_READING)
    report = session.finish()
    assert report.stdout == b"".join(b"%d\n" % number for number in range(1, 50001))


def main(muontrap):
    speak(Piped(muontrap))
    refuse(Piped(muontrap))
    read(Piped(muontrap))
    with ForkServer(muontrap) as server:
        speak(server.connect())
        refuse(server.connect())
        read(server.connect())
        server.give_environment(7, ["GREETING=hello", f"PATH={os.environ['PATH']}"])
        # The fork server does not know this one.
        server.environments[8] = ["GREETING=hi", f"PATH={os.environ['PATH']}"]
        for number, greeting in [(7, b"hello\n"), (8, b"hi\n")]:
            session = server.connect()
            session.start(
                program="sh",
                argument=["-c", "echo $GREETING"],
                environment=number,
                stdout="capture",
            )
            assert session.finish().stdout == greeting
            assert server.watch(session).pid == session.pid
        session = server.connect().start(program="sleep", argument=["1000"])
        session.stream.send(STOP)
        assert session.finish().how == 1
        counts = server.counts()
        assert (counts.accepted, counts.lost) == (6, 0), counts
    print("all of it held")


if __name__ == "__main__":
    main(sys.argv[1])
