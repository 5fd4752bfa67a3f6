"""A process that is told what to do, one JSON object a line, and says what happens in the same way.

Agents of every kind understand the same words for traffic, so that a scenario need not know whether a
member's packets come from a kernel or from the reference's own stack.
"""
from __future__ import annotations

import ipaddress
import json
import sys
import threading
import time
from typing import Any, Callable, Dict

_speaking = threading.Lock()


def say(event: str, **fields: Any) -> None:
    with _speaking:
        print(json.dumps({"event": event, **fields}), flush=True)


def in_background(work: Callable[..., None], *arguments: Any, **named: Any) -> None:
    threading.Thread(target=work, args=arguments, kwargs=named, daemon=True).start()


def obey(agent: object) -> None:
    """Does what is asked for on stdin until that ends. Each thing done is a method, in a thread of its own."""
    for line in sys.stdin:
        command: Dict[str, Any] = json.loads(line)
        in_background(getattr(agent, command.pop("do")), **command)
    sys.stdout.flush()


def repeat(work: Callable[[str], None], text: str, times: int, every: float) -> None:
    """Calls `work` with `text` and a number, counted from 0, `times` times, `every` seconds apart."""
    started = time.monotonic()
    for number in range(times):
        work(f"{text} {number}")
        time.sleep(max(0.0, started + (number + 1) * every - time.monotonic()))


def is_ipv6(ip: str) -> bool:
    return ":" in ip


def group_mac(group: str) -> str:
    """The Ethernet group that frames for an IP group go to."""
    packed = ipaddress.ip_address(group).packed
    mac = bytes([0x33, 0x33, *packed[-4:]]) if is_ipv6(group) else bytes([1, 0, 0x5E, packed[1] & 0x7F, *packed[2:]])
    return mac.hex(":")
