# SPDX-FileCopyrightText: 2026 The MuonTrap authors
#
# SPDX-License-Identifier: Apache-2.0

"""Checks a helper for macOS or FreeBSD, which cannot be run here: scripts/check_linked.py FILE TARGET

It has to be for that system and processor, and to need nothing but the libraries of the system. A Mach-O file may have
a signature, whose hashes have to match the file. For arm64 it must have one: macOS kills programs without.
"""

import hashlib
import struct
import sys

CPUS = {"aarch64-apple-darwin": 0x0100000C, "x86_64-apple-darwin": 0x01000007}
LC_LOAD_DYLIB, LC_CODE_SIGNATURE, LC_BUILD_VERSION = 0xC, 0x1D, 0x32
PLATFORM_MACOS = 1
CODE_DIRECTORY, ADHOC, SHA256 = 0xFADE0C02, 0x2, 2
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, DT_NEEDED, DT_STRTAB, EM_X86_64 = 1, 2, 3, 4, 1, 5, 62


def main(path, target):
    with open(path, "rb") as file:
        data = file.read()
    print(f"{path}: {mach_o(data, target) if target in CPUS else elf(data)}")


def string(data, offset):
    return data[offset : data.index(b"\0", offset)].decode()


def mach_o(data, target):
    magic, cpu, _, kind, count = struct.unpack_from("<5I", data)
    assert magic == 0xFEEDFACF and cpu == CPUS[target] and kind == 2, "not an executable of this processor"
    libraries, oldest, signature = [], None, None
    offset = 32
    for _ in range(count):
        command, size = struct.unpack_from("<2I", data, offset)
        if command == LC_LOAD_DYLIB:
            libraries.append(string(data, offset + struct.unpack_from("<I", data, offset + 8)[0]))
        elif command == LC_BUILD_VERSION:
            platform, version = struct.unpack_from("<2I", data, offset + 8)
            assert platform == PLATFORM_MACOS, f"for platform {platform}"
            oldest = f"{version >> 16}.{version >> 8 & 0xFF}"
        elif command == LC_CODE_SIGNATURE:
            start, length = struct.unpack_from("<2I", data, offset + 8)
            signature = code_directory(data, start, length)
        offset += size
    assert all(library.startswith("/usr/lib/lib") for library in libraries), libraries
    assert signature or target != "aarch64-apple-darwin", "not signed"
    return f"{target}, from macOS {oldest}, needs {', '.join(libraries)}, {signature or 'not signed'}"


def code_directory(data, start, length):
    """Verifies an ad-hoc signature: the file's pages must have the hashes of the code directory."""
    assert start + length <= len(data), "the signature is cut off"
    _, _, blobs = struct.unpack_from(">3I", data, start)
    offsets = [struct.unpack_from(">2I", data, start + 12 + 8 * n)[1] for n in range(blobs)]
    at = next(start + o for o in offsets if struct.unpack_from(">I", data, start + o)[0] == CODE_DIRECTORY)
    _, _, _, flags, hashes, _, _, slots, limit = struct.unpack_from(">9I", data, at)
    size, kind, _, page = struct.unpack_from("4B", data, at + 36)
    assert kind == SHA256 and size == 32 and flags & ADHOC, "not an ad-hoc signature with SHA-256"
    assert limit == start, "the signature does not cover the file"
    for slot in range(slots):
        end = min((slot + 1) << page, limit)
        found = hashlib.sha256(data[slot << page : end]).digest()
        position = at + hashes + slot * size
        assert found == data[position : position + size], f"page {slot} does not match its hash"
    return f"signed ad hoc, {slots} pages match"


def elf(data):
    assert data[:5] == b"\x7fELF\x02" and struct.unpack_from("<H", data, 18)[0] == EM_X86_64, "not for x86_64"
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<2H", data, 54)
    headers = [struct.unpack_from("<2I6Q", data, table + size * n) for n in range(count)]
    # By this note the kernel knows its programs.
    notes = [data[header[2] : header[2] + header[5]] for header in headers if header[0] == PT_NOTE]
    assert any(b"\0\0\0FreeBSD\0" in note for note in notes), "not for FreeBSD"
    interpreter = next(string(data, header[2]) for header in headers if header[0] == PT_INTERP)
    dynamic = next(header for header in headers if header[0] == PT_DYNAMIC)
    entries = [struct.unpack_from("<2Q", data, dynamic[2] + at) for at in range(0, dynamic[5], 16)]
    address = next(value for tag, value in entries if tag == DT_STRTAB)
    strings = next(h[2] + address - h[3] for h in headers if h[0] == PT_LOAD and h[3] <= address < h[3] + h[5])
    libraries = [string(data, strings + value) for tag, value in entries if tag == DT_NEEDED]
    return f"FreeBSD, loaded by {interpreter}, needs {', '.join(libraries)}"


main(*sys.argv[1:])
