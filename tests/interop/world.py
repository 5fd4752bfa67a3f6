"""A world of ZeroTier nodes, ours and the reference's, that is gone without a trace afterwards."""
from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from jsonlines import Event, Speaker
from namespaces import Host, Internet
from reference import CURRENT, fetch

HERE = Path(__file__).parent
PORT = 9993
ECHO_PORT = 7007


class Peer:
    """A node of either kind that is a member of a network, and what is sent to and from it."""

    host: Host
    speaker: Speaker
    address: str

    def ips(self, network: str, within: float = 20) -> List[str]:
        """The addresses the network gave it, without prefix lengths, once its status is OK."""
        event = self.speaker.wait("network", within, _is_ready(network))
        return [address.split("/")[0] for address in event["addresses"]]

    def ip(self, network: str, within: float = 20) -> str:
        """The first of its `ips`."""
        return self.ips(network, within)[0]

    def echo(self, ip: str) -> None:
        """Starts an echo server at its own address `ip`."""
        raise NotImplementedError

    def exchange(self, ip: str, length: int, within: float = 60) -> float:
        """Has `length` bytes echoed by the peer at `ip`, over TCP; returns the seconds it took."""
        raise NotImplementedError


def _is_ready(network: str) -> Any:
    return lambda e: e["id"] == network and e["status"].upper() == "OK" and e["addresses"]


def _seconds(event: Event, length: int) -> float:
    assert event["bytes"] == length, f"{event['bytes']} of {length} bytes came back from {event['ip']}"
    return float(event["seconds"])


class Reference(Peer):
    """A reference node."""

    def __init__(self, world: World, name: str, planet: Path, version: str = CURRENT) -> None:
        fetch(version)  # here: a host has no way to a registry
        self.host = world.host(name)
        self.speaker = world.speaker(name, self.host, sys.executable, str(HERE / "reference_node.py"),
                                     "--home", str(world.home(name)), "--planet", str(planet), "--port", str(PORT),
                                     "--version", version)

    def come_online(self, within: float = 20) -> None:
        self.address = self.speaker.wait("online", within)["address"]

    def join(self, network: str) -> None:
        self.speaker.tell(do="join", network=network)

    def echo(self, ip: str) -> None:
        self.speaker.tell(do="echo", ip=ip, port=ECHO_PORT)
        self.speaker.wait("listening", 5)

    def exchange(self, ip: str, length: int, within: float = 60) -> float:
        since = self.speaker.mark()
        self.speaker.tell(do="exchange", ip=ip, port=ECHO_PORT, bytes=length)
        return _seconds(self.speaker.wait("exchanged", within, lambda e: e["ip"] == ip, since), length)


class Ours(Peer):
    """A node of ours: `zt node` with the given options, in a home directory of its own."""

    def __init__(self, world: World, name: str, planet: Path, options: Sequence[str]) -> None:
        self._world = world
        self._name = name
        self._command = [str(world.zt), "node", "--home", str(world.home(name)), "--port", str(PORT),
                         "--planet", str(planet), "--json", *options]
        self.host = world.host(name)

    def start(self) -> None:
        """Starts it, the first time or again, with the home directory that it has."""
        self.speaker = self._world.speaker(self._name, self.host, *self._command)

    def come_online(self, within: float = 20) -> None:
        self.address = self.speaker.wait("online", within)["address"]

    def path_to(self, peer: Peer) -> Optional[str]:
        """How it said last that it reaches `peer`: an ip/port, "relay", or None if it said nothing."""
        event = self.speaker.last("peer", lambda e: e["address"] == peer.address)
        return str(event["path"]) if event else None

    def wait_for_direct_path(self, peer: Peer, within: float = 20) -> str:
        """Waits until it says that it reaches `peer` directly; returns the path."""
        event = self.speaker.wait("peer", within, lambda e: e["address"] == peer.address and e["path"] != "relay")
        assert event["path"].startswith(peer.host.ip + "/"), event
        return str(event["path"])

    def echo(self, ip: str) -> None:
        self._world.speaker(f"{self._name}-echo", self.host, sys.executable, str(HERE / "kernel.py"),
                            "echo", ip, str(ECHO_PORT)).wait("listening", 5)

    def exchange(self, ip: str, length: int, within: float = 60) -> float:
        client = self._world.speaker(f"{self._name}-tcp", self.host, sys.executable, str(HERE / "kernel.py"),
                                     "exchange", ip, str(ECHO_PORT), str(length))
        return _seconds(client.wait("exchanged", within), length)

    def start_pinging(self, ip: str, seconds: float) -> Speaker:
        """Sends ICMP echo to `ip` until the first reply, which it says as {"event":"pong"}."""
        return self._world.speaker(f"{self._name}-ping", self.host, sys.executable, str(HERE / "kernel.py"),
                                   "ping", ip, str(seconds))

    def ping(self, ip: str, within: float = 20) -> None:
        self.start_pinging(ip, within).wait("pong", within)

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.speaker.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


class World:
    """The internet, the nodes on it and the files they keep. Leaving it ends and removes all of them."""

    def __init__(self, zt: Optional[Path], logs: Path) -> None:
        self._zt = zt
        self._logs = logs
        self._stack = ExitStack()
        self._hosts: Dict[str, Host] = {}

    def __enter__(self) -> World:
        self._logs.mkdir(parents=True, exist_ok=True)
        for old in self._logs.glob("*.log"):
            old.unlink()
        with ExitStack() as stack:
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zt-interop-")))
            self.internet = Internet()
            stack.callback(self.internet.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def zt(self) -> Path:
        assert self._zt is not None, "this scenario needs --zt"
        return self._zt

    def host(self, name: str) -> Host:
        """The host of this name; made at the first call."""
        if name not in self._hosts:
            self._hosts[name] = self.internet.host(name)
        return self._hosts[name]

    def home(self, name: str) -> Path:
        """The home directory of the node of this name."""
        home = self._directory / name
        home.mkdir(exist_ok=True)
        return home

    def file(self, name: str) -> Path:
        return self._directory / name

    def speaker(self, name: str, host: Host, *command: str) -> Speaker:
        """Starts a process on `host` that ends with this world."""
        speaker = Speaker(name, host.command(*command), self._logs / f"{name}.log")
        self._stack.callback(speaker.stop)
        return speaker

    def run_zt(self, *arguments: str) -> str:
        """Runs a `zt` command that does not stay, and returns what it printed."""
        command = [str(self.zt), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}"
        return done.stdout.strip()
