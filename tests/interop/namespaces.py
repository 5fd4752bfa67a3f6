"""Hosts and the internet between them, out of Linux network namespaces.

One namespace holds a bridge, which is the internet; each host is a namespace of its own with one
interface on that bridge, or on that of a router. Nothing outside of them is touched or reachable, so
any number of worlds can exist side by side. Needs root, iproute2 and nftables.
"""
from __future__ import annotations

import itertools
import os
import re
import subprocess
from typing import List

PREFIX = "5.99.0."
"""Addresses as public as any: nodes treat those of documentation and private networks differently."""
LAN_PREFIX = "192.168.1."
_serial = itertools.count(1)


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{stdin}")
    return done.stdout


class Host:
    """A host with one address, and the one that others on the internet see it come from."""

    def __init__(self, name: str, namespace: str, ip: str, seen_as: str) -> None:
        self.name = name
        self.ip = ip
        self.seen_as = seen_as
        self.namespace = namespace

    def command(self, *command: str) -> List[str]:
        """What to execute so that `command` runs on this host, in the process that is started."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def run(self, *command: str) -> str:
        """Runs `command` on this host and returns what it printed."""
        return _run(*self.command(*command))

    def filter(self, rules: str) -> None:
        """Adds tables to the packet filter of this host, as `nft` reads them."""
        _run(*self.command("nft", "-f", "-"), stdin=rules)


class Namespaces:
    """All that one world is made of."""

    def __init__(self) -> None:
        self._world = f"zt{os.getpid()}-{next(_serial)}"
        self._names: List[str] = []

    def add(self, name: str) -> str:
        """Makes a namespace and returns its full name."""
        namespace = f"{self._world}-{name}"
        _run("ip", "netns", "add", namespace)
        self._names.append(namespace)
        return namespace

    def remove(self) -> None:
        """Removes every namespace that was made, and all that is in it."""
        for namespace in reversed(self._names):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)
        self._names.clear()


class Lan:
    """Hosts on one bridge, which is in a namespace that may have other interfaces."""

    def __init__(self, namespaces: Namespaces, namespace: str, prefix: str, first: int) -> None:
        self.namespaces = namespaces
        self._bridge = namespace
        self._prefix = prefix
        self._numbers = itertools.count(first)
        self._ip("link", "add", "bridge", "type", "bridge")
        self._ip("link", "set", "bridge", "up")

    def host(self, name: str) -> Host:
        """Adds a host."""
        number = next(self._numbers)
        ip, port = f"{self._prefix}{number}", f"port{number}"
        namespace = self.namespaces.add(name)
        self._ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        self._ip("link", "set", port, "master", "bridge", "up")
        _run("ip", "-n", namespace, "addr", "add", f"{ip}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", namespace, "link", "set", device, "up")
        return Host(name, namespace, ip, ip)

    def _ip(self, *arguments: str) -> None:
        _run("ip", "-n", self._bridge, *arguments)


class Router(Lan):
    """A LAN, and the router by which its hosts reach the network that the router itself is a host of.

    The router's interfaces are eth0, to that network, and `bridge`, the LAN.
    """

    def __init__(self, outside: Lan, name: str, prefix: str = LAN_PREFIX) -> None:
        self.outside = outside.host(name)
        super().__init__(outside.namespaces, self.outside.namespace, prefix, first=2)
        self._gateway = f"{prefix}1"
        self._ip("addr", "add", f"{self._gateway}/24", "dev", "bridge")
        self.outside.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def host(self, name: str) -> Host:
        host = super().host(name)
        host.run("ip", "route", "add", "default", "via", self._gateway)
        host.seen_as = self.outside.seen_as
        return host


class Internet(Lan):
    """The bridge, the hosts on it, and who may reach whom."""

    def __init__(self) -> None:
        namespaces = Namespaces()
        super().__init__(namespaces, namespaces.add("internet"), PREFIX, first=1)
        self._nft("add table bridge world",
                  "add chain bridge world forward { type filter hook forward priority 0; }")

    def block(self, a: Host, b: Host) -> None:
        """Drops whatever `a` and `b` send to each other. Call before `count`."""
        self._nft(*(f"add rule bridge world forward ip saddr {x.ip} ip daddr {y.ip} drop"
                    for x, y in ((a, b), (b, a))))

    def block_udp(self, *hosts: Host) -> None:
        """Drops whatever these hosts send and are sent by UDP, until `allow_udp`."""
        self._nft("add table bridge without_udp",
                  "add chain bridge without_udp forward { type filter hook forward priority 0; }",
                  *(f"add rule bridge without_udp forward ip protocol udp ip {end} {host.ip} drop"
                    for host in hosts for end in ("saddr", "daddr")))

    def allow_udp(self) -> None:
        """Lets UDP pass again."""
        self._nft("delete table bridge without_udp")

    def count(self, a: Host, b: Host) -> None:
        """Starts to count the bytes that pass between `a` and `b`."""
        self._nft(*(f'add rule bridge world forward ip saddr {x.ip} ip daddr {y.ip} counter comment "{a.name}-{b.name}"'
                    for x, y in ((a, b), (b, a))))

    def counted(self, a: Host, b: Host) -> int:
        """The bytes that have passed between `a` and `b` since `count`."""
        rules = _run("ip", "netns", "exec", self._bridge, "nft", "list", "chain", "bridge", "world", "forward")
        return sum(int(n) for n in re.findall(rf'bytes (\d+) comment "{a.name}-{b.name}"', rules))

    def close(self) -> None:
        """Removes it and all hosts, those of routers included."""
        self.namespaces.remove()

    def _nft(self, *commands: str) -> None:
        _run("ip", "netns", "exec", self._bridge, "nft", "-f", "-", stdin="\n".join(commands) + "\n")
