"""A private network between hosts, all of whose traffic may go through one of them."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "interop"))

from hosts import SERVER, SERVER_V6, Host, Internet  # noqa: E402
from jsonlines import Speaker  # noqa: E402

PORT = 9993
SERVER_PORT = 8000
GATEWAY, GATEWAY_V6 = "10.42.0.1", "fd42::1"
MEMBER, MEMBER_V6 = "10.42.0.20", "fd42::20"
ROUTES = [
    {"target": "10.42.0.0/24"},
    {"target": "fd42::/64"},
    {"target": "172.20.0.0/16", "via": GATEWAY},
    {"target": "0.0.0.0/0", "via": GATEWAY},
    {"target": "::/0", "via": GATEWAY_V6},
]
DNS = {"domain": "corp.example", "servers": [GATEWAY, GATEWAY_V6]}


def eventually(what: str, holds: Callable[[], bool], within: float = 15) -> float:
    """Waits until `holds`; returns the seconds it took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < within, f"not within {within:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - started


class Node:
    """A node of ours, in a home directory of its own."""

    def __init__(self, world: World, name: str, *options: str) -> None:
        self.home = world.directory / name
        self.host: Host = world.internet.hosts[name]
        self._world, self._name, self._options = world, name, options
        world.run_zt("id", "new", "--out", str(self.home))
        self.address = (self.home / "identity.public").read_text().split(":")[0]

    def start(self) -> None:
        """Starts it, the first time or again."""
        self.speaker = self._world.node(
            self._name, self.host, str(self._world.zt), "node", "--home", str(self.home), "--port", str(PORT),
            "--planet", str(self._world.planet), "--json", *self._options)

    def allow(self, network: str, **settings: bool) -> None:
        """Writes what the user allows the network to do to this host. Call before `start`."""
        names = {"default": "allowDefault", "dns": "allowDNS"}
        lines = ["allowManaged=1", "allowGlobal=0"]
        lines += [f"{key}={int(settings.get(name, False))}" for name, key in names.items()]
        directory = self.home / "networks.d"
        directory.mkdir(exist_ok=True)
        (directory / f"{network}.local.conf").write_text("\n".join(lines) + "\n")

    def join(self, network: str) -> None:
        """Joins another network. Call before `start`."""
        self._options = (*self._options, "--join", network)

    def come_up(self, network: str) -> None:
        """Waits until it has its addresses on the network."""
        self.speaker.wait("network", 20, lambda e: e["id"] == network and e["status"] == "OK" and e["addresses"])

    def seen_as(self, server: str = SERVER) -> str:
        """Which address a server on the internet sees this host come from."""
        speaker = self._world.program(self.host, "ask", server, str(SERVER_PORT))
        return str(speaker.wait("seen", 10)["as"])


class World:
    """The hosts, the nodes on them and the files they keep. Leaving it ends and removes all of them."""

    def __init__(self, zt: Path, logs: Path) -> None:
        self.zt = zt
        self._logs = logs
        self._stack = ExitStack()
        self._nodes: Dict[str, Speaker] = {}

    def __enter__(self) -> World:
        self._logs.mkdir(parents=True, exist_ok=True)
        for old in self._logs.glob("*.log"):
            old.unlink()
        with ExitStack() as stack:
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zt-e2e-")))
            self.internet = Internet(self.directory)
            stack.callback(self.internet.close)
            self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _build(self, stack: ExitStack) -> None:
        self._stack = stack
        for name in ("member", "gateway", "infra"):
            self.internet.host(name)
        server = self.internet.server()
        for ip in (SERVER, SERVER_V6):
            self.program(server, "serve", ip, str(SERVER_PORT)).wait("listening", 5)
        self.internet.hosts["gateway"].masquerade()

        self.planet = self.directory / "planet"
        self.infra = Node(self, "infra", "--no-tun", "--controller")
        self.run_zt("planet", "make", "--out", str(self.planet),
                    f"{self.infra.home / 'identity.public'}={self.infra.host.ip}/{PORT}")
        self.network = self.create_network()
        self.gateway = Node(self, "gateway", "--tun", "zt0", "--join", self.network)
        self.member = Node(self, "member", "--tun", "zt0", "--join", self.network)
        self.edit_network(routes=ROUTES, dns=DNS)
        self.assign(self.gateway, [GATEWAY, GATEWAY_V6])
        self.assign(self.member, [MEMBER, MEMBER_V6])

    def create_network(self) -> str:
        """Makes a private network and returns its ID."""
        return self.run_zt("network", "create", "--home", str(self.infra.home), "--private")

    def start(self) -> None:
        """Starts all nodes and waits until the member is on the network."""
        for node in (self.infra, self.gateway, self.member):
            node.start()
        for node in (self.gateway, self.member):
            node.come_up(self.network)

    def edit_network(self, network: str = "", **fields: Any) -> None:
        """Changes the record of the network, or of another."""
        _edit(self.infra.home / f"controller.d/network/{network or self.network}.json", fields)

    def assign(self, node: Node, addresses: List[str], network: str = "") -> None:
        """Lets a node onto the network, or another, and gives it these addresses."""
        network = network or self.network
        member = self.infra.home / f"controller.d/network/{network}/member/{node.address}.json"
        if not member.exists():
            self.run_zt("network", "allow", "--home", str(self.infra.home), network, node.address)
        _edit(member, {"ipAssignments": addresses})

    def deny(self, node: Node) -> None:
        """Takes a node off the network."""
        # It asks whether that is so, which a controller answers once a second, and it has just joined.
        time.sleep(2)
        self.run_zt("network", "deny", "--home", str(self.infra.home), self.network, node.address)

    def speaker(self, name: str, host: Host, *command: str) -> Speaker:
        """Starts a process on `host` that ends with this world."""
        speaker = Speaker(name, host.command(*command), self._logs / f"{name}.log")
        self._stack.callback(speaker.stop)
        return speaker

    def node(self, name: str, host: Host, *command: str) -> Speaker:
        """Starts a node of ours on `host`, the first time or again, that ends with this world."""
        self._nodes[name] = self.speaker(name, host, *command)
        return self._nodes[name]

    @property
    def nodes(self) -> Collection[Speaker]:
        """The nodes of ours that were started."""
        return self._nodes.values()

    def program(self, host: Host, *arguments: str) -> Speaker:
        """Starts a person's program on `host`."""
        return self.speaker(f"{host.name}-{arguments[0]}", host, sys.executable, str(HERE / "traffic.py"), *arguments)

    def run_zt(self, *arguments: str) -> str:
        """Runs a `zt` command that does not stay, and returns what it printed."""
        command = [str(self.zt), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}"
        return done.stdout.strip()


def _edit(record: Path, fields: Dict[str, Any]) -> None:
    edited = {**json.loads(record.read_text()), **fields}
    beside = record.with_suffix(".tmp")
    beside.write_text(json.dumps(edited))
    beside.rename(record)
