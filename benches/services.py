"""What a service on this machine takes, found by the port that it listens on.

Owns: finding the process of a port, its CPU time and memory; a question in CQL. Must not know: what is measured.
"""

import os
import socket
import struct

TICK = os.sysconf("SC_CLK_TCK")
LISTEN = "0A"


def _inodes(port):
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table, encoding="ascii") as lines:
            for line in list(lines)[1:]:
                words = line.split()
                if words[3] == LISTEN and int(words[1].rsplit(":", 1)[1], 16) == port:
                    yield words[9]


def process_of(address):
    """The process that listens on host:port of this machine; None where there is none, or it is somebody else's."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(int(address.rsplit(":", 1)[1]))}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") in wanted for fd in os.listdir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            continue
    return None


def cpu(pid):
    """Seconds that a process has taken, or 0 where there is none."""
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICK


def resident(pid):
    """Bytes of memory that a process has now."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


class CqlError(Exception):
    """Cassandra does not answer a question."""


class Cql:
    """A connection to Cassandra, over version 4 of its protocol; for few rows of numbers."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        version = b"\x00\x01" + self._text("CQL_VERSION") + self._text("3.0.0")
        self._ask(1, version)

    @staticmethod
    def _text(text):
        return struct.pack(">H", len(text)) + text.encode()

    def _ask(self, opcode, body):
        self.socket.sendall(struct.pack(">BBhBi", 4, 0, 0, opcode, len(body)) + body)
        opcode, length = struct.unpack(">xxxxBi", self._read(9))
        answer = self._read(length)
        if opcode == 0:
            raise CqlError(answer[6:].decode(errors="replace"))
        return answer

    def _read(self, count):
        found = b""
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                raise OSError("the connection ended")
            found += more
        return found

    def numbers(self, query):
        """The rows of a query, whose values are all whole numbers or null."""
        asked = query.encode()
        answer = self._ask(7, struct.pack(">i", len(asked)) + asked + b"\x00\x01\x00")
        at = 0

        def take(form):
            nonlocal at
            values = struct.unpack_from(form, answer, at)
            at += struct.calcsize(form)
            return values[0]

        def skip_text():
            nonlocal at
            length = take(">H")
            at += length

        if take(">i") != 2:
            return []
        flags, columns = take(">i"), take(">i")
        if flags & 1:
            skip_text()
            skip_text()
        for _ in range(columns):
            if not flags & 1:
                skip_text()
                skip_text()
            skip_text()
            take(">H")
        rows = []
        for _ in range(take(">i")):
            row = []
            for _ in range(columns):
                length = take(">i")
                row.append(None if length < 0 else int.from_bytes(answer[at:at + length], "big", signed=True))
                at += max(length, 0)
            rows.append(row)
        return rows
