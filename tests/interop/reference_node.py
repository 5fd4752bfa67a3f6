"""One reference node as a process: told what to do on stdin, says what happened on stdout.

    python reference_node.py --home DIR --planet FILE --port N [--version V]

Both directions are one JSON object a line. It begins with {"event":"online","address":…}. Told

    {"do":"join","network":ID}                          it says {"event":"network","id":…,"status":…,"addresses":[…]}
    {"do":"echo","ip":…,"port":N}                       {"event":"listening"}, and echoes what comes there by TCP
    {"do":"exchange","ip":…,"port":N,"bytes":N}         {"event":"exchanged","ip":…,"bytes":…,"seconds":…}

where `exchange` has its bytes echoed by such a server. It ends when stdin does.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from reference import CURRENT, Library

AF_INET, AF_INET6, SOCK_STREAM = 2, 10, 1
ADDRESS_TEXT = 46
CHUNK = 16384
STATUS = ["REQUESTING_CONFIGURATION", "OK", "ACCESS_DENIED", "NOT_FOUND", "PORT_ERROR", "CLIENT_TOO_OLD"]

_speaking = threading.Lock()


def say(event: str, **fields: Any) -> None:
    with _speaking:
        print(json.dumps({"event": event, **fields}), flush=True)


def family(ip: str) -> int:
    return AF_INET6 if ":" in ip else AF_INET


class ReferenceNode:
    """The node of this process; the library holds no more than one."""

    def __init__(self, home: Path, planet: bytes, port: int, version: str) -> None:
        self._library = Library(version)
        self._zt = self._library.call
        home.mkdir(parents=True, exist_ok=True)
        self._zt.zts_init_set_roots(planet, len(planet))
        self._zt.zts_init_from_storage(str(home).encode())
        self._zt.zts_init_set_port(port)
        self._zt.zts_init_allow_port_mapping(0)
        self._zt.zts_init_allow_secondary_port(0)
        self._zt.zts_node_start()

    def come_online(self) -> None:
        while self._zt.zts_node_is_online() != 1:
            time.sleep(0.02)
        say("online", address=f"{self._zt.zts_node_get_id():010x}")

    def join(self, network: str) -> None:
        """Joins, and reports each change of the network's status or addresses from then on."""
        number = int(network, 16)
        self._zt.zts_net_join(number)
        reported = None
        while True:
            status = self._zt.zts_net_get_status(number)
            ready = self._zt.zts_net_transport_is_ready(number) == 1
            state = {"status": STATUS[status] if 0 <= status < len(STATUS) else str(status),
                     "addresses": self._addresses(number) if ready else []}
            if state != reported:
                reported = state
                say("network", id=network, **state)
            time.sleep(0.02)

    def echo(self, ip: str, port: int) -> None:
        """Sends back whatever arrives at `ip`, an address of its own, to any number of peers at once."""
        listener = self._zt.zts_socket(family(ip), SOCK_STREAM, 0)
        for failed in (self._zt.zts_bind(listener, ip.encode(), port), self._zt.zts_listen(listener, 8)):
            if failed:
                raise OSError(f"the reference cannot listen at {ip} port {port}")
        in_background(self._accept, listener)
        say("listening", ip=ip, port=port)

    def exchange(self, ip: str, port: int, bytes: int) -> None:
        """Has `bytes` bytes echoed over one TCP connection, and compares."""
        started = time.monotonic()
        socket = self._connected(ip, port)
        done = 0
        while socket >= 0 and done < bytes:
            chunk = os.urandom(min(CHUNK, bytes - done))
            if not self._write(socket, chunk) or self._read(socket, len(chunk)) != chunk:
                break
            done += len(chunk)
        self._zt.zts_close(socket)
        say("exchanged", ip=ip, bytes=done, seconds=round(time.monotonic() - started, 3))

    def _addresses(self, network: int) -> List[str]:
        found = []
        for kind in (AF_INET, AF_INET6):
            if self._zt.zts_addr_is_assigned(network, kind) == 1:
                text = self._library.ffi.new(f"char[{ADDRESS_TEXT}]")
                self._zt.zts_addr_get_str(network, kind, text, ADDRESS_TEXT)
                found.append(self._library.ffi.string(text).decode())
        return found

    def _connected(self, ip: str, port: int) -> int:
        """A connected socket, or -1."""
        socket: int = self._zt.zts_socket(family(ip), SOCK_STREAM, 0)
        if self._zt.zts_connect(socket, ip.encode(), port, 20_000) == 0:
            return socket
        self._zt.zts_close(socket)
        return -1

    def _accept(self, listener: int) -> None:
        text, port = self._library.ffi.new(f"char[{ADDRESS_TEXT}]"), self._library.ffi.new("unsigned short *")
        while True:
            socket = self._zt.zts_accept(listener, text, ADDRESS_TEXT, port)
            if socket >= 0:
                in_background(self._send_back, socket)

    def _send_back(self, socket: int) -> None:
        buffer = self._library.ffi.new("char[65536]")
        while True:
            length = self._zt.zts_read(socket, buffer, 65536)
            if length <= 0 or not self._write(socket, bytes(self._library.ffi.buffer(buffer, length))):
                break
        self._zt.zts_close(socket)

    def _write(self, socket: int, data: bytes) -> bool:
        while data:
            written = self._zt.zts_write(socket, data, len(data))
            if written <= 0:
                return False
            data = data[written:]
        return True

    def _read(self, socket: int, length: int) -> bytes:
        """`length` bytes, or fewer if the connection ends."""
        buffer, data = self._library.ffi.new(f"char[{length}]"), b""
        while len(data) < length:
            got = self._zt.zts_read(socket, buffer, length - len(data))
            if got <= 0:
                break
            data += bytes(self._library.ffi.buffer(buffer, got))
        return data


def run_one_thread_at_a_time() -> None:
    """Lets no thread of this process interrupt another.

    The library's TCP stack is not safe against two of its threads at once: used from more than one
    core, or preempted, it crashes within some hundred packets. On one core, and first in first out, a
    thread goes on until it waits for something, which is when it is safe for another to go on.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def in_background(work: Callable[..., None], *arguments: Any, **named: Any) -> None:
    threading.Thread(target=work, args=arguments, kwargs=named, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--planet", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", default=CURRENT)
    arguments = parser.parse_args()
    run_one_thread_at_a_time()
    node = ReferenceNode(arguments.home, arguments.planet.read_bytes(), arguments.port, arguments.version)
    in_background(node.come_online)
    for line in sys.stdin:
        command: Dict[str, Any] = json.loads(line)
        in_background(getattr(node, command.pop("do")), **command)
    sys.stdout.flush()
    # The library's own threads do not end; the process does.
    os._exit(0)


if __name__ == "__main__":
    main()
