"""A person's programs, on the host they are started on.

    python traffic.py serve IP PORT...     tells whoever connects the address it comes from, for every line it sends
    python traffic.py ask IP PORT          connects, and says as whom: {"event": "seen", "as": ADDRESS}
    python traffic.py talk IP PORT         sends a line every 50 ms on one connection; says the longest wait for an
                                           answer so far about twice a second: {"event": "talking", "wait": SECONDS}
    python traffic.py drain IP PORT        takes what is poured, and says ten times a second how much that is so far:
                                           {"event": "drained", "bytes": N, "at": SECONDS}
    python traffic.py pour IP PORT         sends as fast as it can on one connection
    python traffic.py listen PATH          listens on a Unix socket
"""
from __future__ import annotations

import json
import socket
import sys
import threading
import time
from typing import Any

PATIENCE = 3
TALK_EVERY = 0.05
DRAINED_EVERY = 0.1
CHUNK = 1 << 20


def say(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def serve(ip: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.create_server((ip, port), family=family) as server:
        say("listening", ip=ip)
        while True:
            client, (who, *_) = server.accept()
            threading.Thread(target=_answer, args=(client, who), daemon=True).start()


def _answer(client: socket.socket, who: str) -> None:
    try:
        with client, client.makefile("rw") as lines:
            for _ in lines:
                lines.write(who + "\n")
                lines.flush()
    except OSError:
        pass


def ask(ip: str, port: int) -> None:
    try:
        with socket.create_connection((ip, port), timeout=PATIENCE) as connection, connection.makefile("rw") as lines:
            lines.write("who am I?\n")
            lines.flush()
            say("seen", **{"as": lines.readline().strip()})
    except OSError as error:
        say("seen", **{"as": f"nobody: {error}"})


def talk(ip: str, port: int) -> None:
    longest, since = 0.0, time.monotonic()
    try:
        with socket.create_connection((ip, port), timeout=30) as connection, connection.makefile("rw") as lines:
            while True:
                started = time.monotonic()
                lines.write("still there?\n")
                lines.flush()
                if not lines.readline():
                    raise OSError("closed")
                longest = max(longest, time.monotonic() - started)
                if time.monotonic() - since > 0.5:
                    since = time.monotonic()
                    say("talking", wait=round(longest, 3))
                time.sleep(TALK_EVERY)
    except OSError as error:
        say("broken", why=str(error))


def drain(ip: str, port: int) -> None:
    with socket.create_server((ip, port)) as server:
        say("listening", ip=ip)
        client, _ = server.accept()
    buffer, drained, said = bytearray(CHUNK), 0, 0.0
    with client:
        while got := client.recv_into(buffer):
            drained += got
            if time.monotonic() - said > DRAINED_EVERY:
                said = time.monotonic()
                say("drained", bytes=drained, at=said)


def pour(ip: str, port: int) -> None:
    chunk = bytes(CHUNK)
    with socket.create_connection((ip, port), timeout=30) as connection:
        while True:
            connection.sendall(chunk)


def listen(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        say("listening", path=path)
        while True:
            server.accept()[0].close()


def main() -> None:
    what, where, *ports = sys.argv[1:]
    if what == "listen":
        listen(where)
    else:
        {"serve": serve, "ask": ask, "talk": talk, "drain": drain, "pour": pour}[what](where, int(ports[0]))


if __name__ == "__main__":
    main()
