"""Hosts around a router, out of Linux network namespaces.

Each host has a network of its own, and a default route by the router to all the others:

    member 10.99.1.2 ──┐
    gateway 10.99.2.2 ─┼─ router ── 203.0.113.2, a server on the internet
    infra 10.99.3.2 ───┘

and likewise with 2001:db8:N::2. A host also has an /etc and a /run of its own. Nothing outside of
them is touched or reachable. Needs root, iproute2 and nftables.
"""
from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path
from typing import Dict, List

SERVER = "203.0.113.2"
SERVER_V6 = "2001:db8:113::2"
FORWARDING = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")
_serial = itertools.count(1)

NAME_SERVER = "192.0.2.53"
RESOLV_CONF = f"# written by the administrator\nnameserver {NAME_SERVER}\noptions edns0\n"


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{stdin}")
    return done.stdout


def _set(namespace: str, setting: str) -> None:
    run("ip", "netns", "exec", namespace, "sh", "-c", f"echo 1 >/proc/sys/net/{setting}")


class Host:
    """A host with one address of each family."""

    def __init__(self, name: str, namespace: str, ip: str, ip6: str, files: Path) -> None:
        self.name, self.ip, self.ip6 = name, ip, ip6
        self.namespace = namespace
        self._files = files
        for directory in ("etc", "run", "bin"):
            (files / directory).mkdir(parents=True)
        self.resolv_conf.write_text(RESOLV_CONF)

    @property
    def resolv_conf(self) -> Path:
        return self._files / "etc" / "resolv.conf"

    @property
    def runtime_files(self) -> Path:
        """What the host has as /run."""
        return self._files / "run"

    @property
    def programs(self) -> Path:
        """Programs that only this host has, found before others of their name."""
        return self._files / "bin"

    def command(self, *command: str) -> List[str]:
        """What to execute so that `command` runs on this host, in the process that is started."""
        mounts = " && ".join(f"mount --bind {self._files / name} /{name}" for name in ("etc", "run"))
        return ["ip", "netns", "exec", self.namespace, "sh", "-c",
                f'{mounts} && PATH={self.programs}:$PATH && exec "$@"', "sh", *command]

    def run(self, *command: str) -> str:
        """Runs `command` on this host and returns what it printed."""
        return run("ip", "netns", "exec", self.namespace, *command)

    def set(self, *settings: str) -> None:
        """Sets each of these kernel parameters below `net` to 1."""
        for setting in settings:
            _set(self.namespace, setting)

    def masquerade(self) -> None:
        """Makes the host a gateway: whatever it forwards leaves with its own address."""
        self.set(*FORWARDING)
        run("ip", "netns", "exec", self.namespace, "nft", "-f", "-", stdin="""
            table inet gateway {
                chain leaving { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
            }""")

    def routing(self) -> str:
        """All that decides where packets go: policy rules, and routes of every table but the local one."""
        parts = []
        for family in ("-4", "-6"):
            parts.append(self.run("ip", family, "rule"))
            routes = self.run("ip", family, "route", "show", "table", "all").splitlines()
            parts.extend(sorted(route for route in routes if "table local" not in route))
        # What neighbour discovery learns in passing.
        return "\n".join(re.sub(r" (expires|pref|used) \S+", "", part) for part in parts)


class Internet:
    """The router and the hosts around it."""

    def __init__(self, directory: Path) -> None:
        self._world = f"zte{os.getpid()}-{next(_serial)}"
        self._directory = directory
        self._namespaces: List[str] = []
        self.hosts: Dict[str, Host] = {}
        self._router = self._add_namespace("router")
        for setting in FORWARDING:
            _set(self._router, setting)

    def host(self, name: str) -> Host:
        """Adds a host."""
        number = len(self._namespaces)
        return self._add(name, f"10.99.{number}", f"2001:db8:{number}:")

    def public_host(self, name: str) -> Host:
        """Adds a host with an IPv4 address of the internet's own, as only those count that gateways have."""
        number = len(self._namespaces)
        return self._add(name, f"5.2.{number}", f"2001:db8:{number}:")

    def host_behind(self, gateway: Host, name: str) -> Host:
        """Adds a host whose only way out is `gateway`, on that one's interface `lan`, by IPv4."""
        number = len(self._namespaces)
        namespace = self._add_namespace(name)
        run("ip", "-n", gateway.namespace, "link", "add", "lan", "type", "veth",
            "peer", "name", "eth0", "netns", namespace)
        for side, device, last in ((gateway.namespace, "lan", 1), (namespace, "eth0", 2)):
            run("ip", "-n", side, "addr", "add", f"192.168.{number}.{last}/24", "dev", device)
            run("ip", "-n", side, "link", "set", device, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", namespace, "route", "add", "default", "via", f"192.168.{number}.1")
        return self._made(name, namespace, f"192.168.{number}.2", "")

    def server(self) -> Host:
        """Adds a host that is not near to anybody."""
        return self._add("server", SERVER.rsplit(".", 1)[0], SERVER_V6[:-2])

    def block_udp(self, a: Host, b: Host) -> None:
        """Drops whatever `a` and `b` send to each other by UDP."""
        drops = "\n".join(f"{ip} saddr {x} {ip} daddr {y} meta l4proto udp drop"
                          for ip, x, y in (("ip", a.ip, b.ip), ("ip", b.ip, a.ip), ("ip6", a.ip6, b.ip6),
                                           ("ip6", b.ip6, a.ip6)))
        run("ip", "netns", "exec", self._router, "nft", "-f", "-", stdin=f"""
            table inet blocked {{
                chain forward {{
                    type filter hook forward priority filter
                    {drops}
                }}
            }}""")

    def close(self) -> None:
        """Removes every namespace that was made, and all that is in it."""
        for namespace in reversed(self._namespaces):
            subprocess.run(["ip", "netns", "delete", namespace], check=False)
        self._namespaces.clear()

    def _add(self, name: str, prefix: str, prefix6: str) -> Host:
        namespace = self._add_namespace(name)
        run("ip", "-n", self._router, "link", "add", f"to-{name}", "type", "veth",
            "peer", "name", "eth0", "netns", namespace)
        for side, device, last in ((self._router, f"to-{name}", 1), (namespace, "eth0", 2)):
            run("ip", "-n", side, "addr", "add", f"{prefix}.{last}/24", "dev", device)
            run("ip", "-n", side, "addr", "add", f"{prefix6}:{last}/64", "dev", device, "nodad")
            run("ip", "-n", side, "link", "set", device, "up")
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", namespace, "route", "add", "default", "via", f"{prefix}.1")
        run("ip", "-n", namespace, "-6", "route", "add", "default", "via", f"{prefix6}:1")
        return self._made(name, namespace, f"{prefix}.2", f"{prefix6}:2")

    def _made(self, name: str, namespace: str, ip: str, ip6: str) -> Host:
        self.hosts[name] = Host(name, namespace, ip, ip6, self._directory / f"{name}.host")
        return self.hosts[name]

    def _add_namespace(self, name: str) -> str:
        namespace = f"{self._world}-{name}"
        run("ip", "netns", "add", namespace)
        self._namespaces.append(namespace)
        return namespace
