"""Hosts and the internet between them, out of Linux network namespaces.

One namespace holds a bridge, which is the internet; each host is a namespace of its own with one
interface on that bridge. Nothing outside of them is touched or reachable, so any number of worlds
can exist side by side. Needs root, iproute2 and nftables.
"""
from __future__ import annotations

import itertools
import os
import re
import subprocess
from typing import List

PREFIX = "10.99.0."
_serial = itertools.count(1)


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{stdin}")
    return done.stdout


class Host:
    """A host on the internet, with one address."""

    def __init__(self, name: str, namespace: str, ip: str) -> None:
        self.name = name
        self.ip = ip
        self._namespace = namespace

    def command(self, *command: str) -> List[str]:
        """What to execute so that `command` runs on this host, in the process that is started."""
        return ["ip", "netns", "exec", self._namespace, *command]

    def run(self, *command: str) -> str:
        """Runs `command` on this host and returns what it printed."""
        return _run(*self.command(*command))


class Internet:
    """The bridge, the hosts on it, and who may reach whom."""

    def __init__(self) -> None:
        self._world = f"zt{os.getpid()}-{next(_serial)}"
        self._namespaces: List[str] = []
        self._bridge = self._add_namespace("internet")
        self._ip("link", "add", "bridge", "type", "bridge")
        self._ip("link", "set", "bridge", "up")
        self._nft("add table bridge world",
                  "add chain bridge world forward { type filter hook forward priority 0; }")

    def host(self, name: str) -> Host:
        """Adds a host."""
        ip = f"{PREFIX}{len(self._namespaces)}"
        namespace = self._add_namespace(name)
        self._ip("link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        self._ip("link", "set", f"to-{name}", "master", "bridge", "up")
        _run("ip", "-n", namespace, "addr", "add", f"{ip}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", namespace, "link", "set", device, "up")
        return Host(name, namespace, ip)

    def block(self, a: Host, b: Host) -> None:
        """Drops whatever `a` and `b` send to each other. Call before `count`."""
        self._nft(*(f"add rule bridge world forward ip saddr {x.ip} ip daddr {y.ip} drop"
                    for x, y in ((a, b), (b, a))))

    def count(self, a: Host, b: Host) -> None:
        """Starts to count the bytes that pass between `a` and `b`."""
        self._nft(*(f'add rule bridge world forward ip saddr {x.ip} ip daddr {y.ip} counter comment "{a.name}-{b.name}"'
                    for x, y in ((a, b), (b, a))))

    def counted(self, a: Host, b: Host) -> int:
        """The bytes that have passed between `a` and `b` since `count`."""
        rules = _run("ip", "netns", "exec", self._bridge, "nft", "list", "chain", "bridge", "world", "forward")
        return sum(int(n) for n in re.findall(rf'bytes (\d+) comment "{a.name}-{b.name}"', rules))

    def close(self) -> None:
        """Removes every namespace that was made, and all that is in it."""
        for namespace in reversed(self._namespaces):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)
        self._namespaces.clear()

    def _add_namespace(self, name: str) -> str:
        namespace = f"{self._world}-{name}"
        _run("ip", "netns", "add", namespace)
        self._namespaces.append(namespace)
        return namespace

    def _ip(self, *arguments: str) -> None:
        _run("ip", "-n", self._bridge, *arguments)

    def _nft(self, *commands: str) -> None:
        _run("ip", "netns", "exec", self._bridge, "nft", "-f", "-", stdin="\n".join(commands) + "\n")
