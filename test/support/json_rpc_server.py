# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

"""A JSON-RPC server over stdin and stdout, with the framing of language servers.

Methods: `add` returns the sum of its params, `later` the same, after requests that follow, and `crash` ends the
server in the middle of a frame.
"""

import json
import os
import sys
import threading

lock = threading.Lock()


def read():
    length = None
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            sys.exit(0)
        if line == b"\r\n":
            return json.loads(sys.stdin.buffer.read(length))
        name, value = line.split(b":")
        if name.lower() == b"content-length":
            length = int(value)


def write(identifier, result):
    body = json.dumps({"jsonrpc": "2.0", "id": identifier, "result": result}).encode()
    with lock:
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sys.stdout.buffer.flush()


while True:
    request = read()
    answer = (request["id"], sum(request["params"]))
    if request["method"] == "crash":
        with lock:
            sys.stdout.buffer.write(b"Content-Length: 1000\r\n\r\n{")
            sys.stdout.buffer.flush()
            os._exit(70)
    elif request["method"] == "later":
        threading.Timer(0.005, write, answer).start()
    else:
        write(*answer)
