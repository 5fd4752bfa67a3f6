"""Traffic through the kernel of the host it is started on: what a person's programs would send.

    python kernel.py echo IP PORT              echoes what comes there by TCP
    python kernel.py exchange IP PORT BYTES    has BYTES bytes echoed, compares, and says how long it took
    python kernel.py ping IP SECONDS           sends ICMP echo until the first reply; says when that came

Each says what happened as one JSON object a line.
"""
from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import threading
import time
from typing import Any

CHUNK = 65536
PING_EVERY = 0.01


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def echo(ip: str, port: int) -> None:
    with socket.create_server((ip, port), family=family(ip)) as server:
        say("listening", ip=ip, port=port)
        while True:
            client, _ = server.accept()
            threading.Thread(target=_send_back, args=(client,), daemon=True).start()


def _send_back(client: socket.socket) -> None:
    with client:
        while data := client.recv(CHUNK):
            client.sendall(data)


def exchange(ip: str, port: int, length: int) -> None:
    """Sends and receives at the same time: both directions are full at once."""
    sent, received, started = os.urandom(length), bytearray(), time.monotonic()
    try:
        with socket.create_connection((ip, port), timeout=30) as connection:
            sender = threading.Thread(target=connection.sendall, args=(sent,), daemon=True)
            sender.start()
            while len(received) < length and (data := connection.recv(CHUNK)):
                received += data
            sender.join()
    except OSError as error:
        say("error", why=str(error))
    same = len(os.path.commonprefix([sent, bytes(received)]))
    say("exchanged", ip=ip, bytes=same, seconds=round(time.monotonic() - started, 3))


def ping(ip: str, seconds: float) -> None:
    """`at` is the wall clock at the first reply, to compare with that of another process."""
    version6 = family(ip) == socket.AF_INET6
    protocol = socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP
    mine, started = os.getpid() & 0xFFFF, time.monotonic()
    with socket.socket(family(ip), socket.SOCK_RAW, protocol) as icmp:
        number = 0
        while time.monotonic() < started + seconds:
            number += 1
            try:
                icmp.sendto(_echo_request(128 if version6 else 8, mine, number & 0xFFFF), (ip, 0))
            except OSError:
                pass  # no route to it yet
            if _echo_reply(icmp, 129 if version6 else 0, mine, PING_EVERY):
                say("pong", ip=ip, at=time.time(), sent=number)
                return
    say("silence", ip=ip, sent=number)


def _echo_request(kind: int, identifier: int, number: int) -> bytes:
    payload = b"libzt interop ping"
    words = struct.unpack("!9H", payload)
    total = (kind << 8) + identifier + number + sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    # For ICMPv6 the kernel writes the checksum itself.
    return struct.pack("!BBHHH", kind, 0, ~total & 0xFFFF, identifier, number) + payload


def _echo_reply(icmp: socket.socket, kind: int, identifier: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0 and select.select([icmp], [], [], left)[0]:
        packet = icmp.recv(2048)
        if icmp.family == socket.AF_INET:
            packet = packet[(packet[0] & 0xF) * 4:]
        if packet[0] == kind and struct.unpack_from("!H", packet, 4)[0] == identifier:
            return True
    return False


def main() -> None:
    what, *arguments = sys.argv[1:]
    if what == "echo":
        echo(arguments[0], int(arguments[1]))
    elif what == "exchange":
        exchange(arguments[0], int(arguments[1]), int(arguments[2]))
    elif what == "ping":
        ping(arguments[0], float(arguments[1]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
