"""A world of ZeroTier nodes, ours and the reference's, that is gone without a trace afterwards."""
from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable, Collection, Dict, Iterable, List, Optional, Sequence, Set

import symptoms
from agent import group_mac, is_ipv6
from jsonlines import Event, Speaker
from namespaces import Host, Internet
from reference import CURRENT, fetch

HERE = Path(__file__).parent
PORT = 9993
ECHO_PORT = 7007
REACHED_SECONDS = 5.0
"""Long enough for a connection whose first packets were lost to credentials still on their way."""


class Peer:
    """A node of either kind that is a member of a network, and what is sent to and from it."""

    host: Host
    speaker: Speaker
    address: str

    @property
    def agent(self) -> Speaker:
        """What sends and receives for it: its host's kernel, or the reference's own TCP/IP stack."""
        raise NotImplementedError

    def come_online(self, within: float = 20) -> None:
        self.address = self.speaker.wait("online", within)["address"]

    def ips(self, network: str, within: float = 20) -> List[str]:
        """The addresses the network gave it, without prefix lengths, once its status is OK."""
        event = self.speaker.wait("network", within, _is_ready(network))
        return [address.split("/")[0] for address in event["addresses"]]

    def ip(self, network: str, within: float = 20) -> str:
        """The first of its `ips` that is of IPv4, or the first if none is."""
        return min(self.ips(network, within), key=is_ipv6)

    def ip6(self, network: str, within: float = 20) -> str:
        """The first of its `ips` that is of IPv6."""
        return next(ip for ip in self.ips(network, within) if is_ipv6(ip))

    def echo(self, ip: str, port: int = ECHO_PORT) -> None:
        """Starts an echo server at its own address `ip`."""
        self.agent.tell(do="echo", ip=ip, port=port)
        self.agent.wait("listening", 5, lambda e: (e["ip"], e["port"]) == (ip, port))

    def exchange(self, ip: str, length: int, within: float = 60) -> float:
        """Has `length` bytes echoed by the peer at `ip`, over TCP; returns the seconds it took."""
        since = self.agent.mark()
        self.agent.tell(do="exchange", ip=ip, port=ECHO_PORT, length=length)
        event = self.agent.wait("exchanged", within, lambda e: e["ip"] == ip, since)
        assert event["bytes"] == length, \
            f"{self.host.name}: {event['bytes']} of {length} bytes came back from {ip}: {event['why']}"
        return float(event["seconds"])

    def reached(self, ip: str, ports: Iterable[int], within: float = REACHED_SECONDS) -> Set[int]:
        """The ports of `ip` to which a TCP connection from it comes about in time."""
        asked, since = set(ports), self.agent.mark()
        for port in asked:
            self.agent.tell(do="connect", ip=ip, port=port, within=within)
        answers = [self.agent.wait("connected", within + 5, lambda e: (e["ip"], e["port"]) == (ip, port), since)
                   for port in asked]
        return {answer["port"] for answer in answers if answer["ok"]}

    def reaches(self, ip: str, port: int = ECHO_PORT, within: float = REACHED_SECONDS) -> bool:
        """Whether a TCP connection from it to `ip` comes about in time."""
        return bool(self.reached(ip, [port], within))

    def receive(self, ip: str, port: int, **options: Any) -> None:
        """Has it receive by UDP, at its own address `ip` or from a `group`; see `hear`.

        If a port is given as `answers_to`, it sends back to that port whatever comes.
        """
        since = self.agent.mark()
        self.agent.tell(do="receive", ip=ip, port=port, **options)
        self.agent.wait("receiving", 5, lambda e: e["port"] == port, since)

    def send(self, source: str, ip: str, port: int, text: str, times: int = 1, every: float = 0.1) -> None:
        """Sends `text` and a number by UDP from its own address `source`, `times` times; does not wait."""
        self.agent.tell(do="send", source=source, ip=ip, port=port, text=text, times=times, every=every)

    def hear(self, text: str, within: float) -> Event:
        """Waits for a datagram that begins with `text`."""
        return self.agent.wait("datagram", within, lambda e: e["text"].startswith(text))

    def last_heard(self, text: str) -> Optional[Event]:
        """The last datagram that begins with `text`."""
        return self.agent.last("datagram", lambda e: e["text"].startswith(text))


def _is_ready(network: str) -> Any:
    return lambda e: e["id"] == network and e["status"].upper() == "OK" and e["addresses"]


class Reference(Peer):
    """A reference node."""

    def __init__(self, world: World, name: str, planet: Path, version: str = CURRENT) -> None:
        fetch(version)  # here: a host has no way to a registry
        self.host = world.host(name)
        self.speaker = world.speaker(name, self.host, sys.executable, str(HERE / "reference_node.py"),
                                     "--home", str(world.home(name)), "--planet", str(planet), "--port", str(PORT),
                                     "--version", version)

    @property
    def agent(self) -> Speaker:
        return self.speaker

    def join(self, network: str) -> None:
        self.speaker.tell(do="join", network=network)

    def subscribe(self, network: str, group: str) -> None:
        """Has it announce that it listens to an IP group."""
        since = self.speaker.mark()
        self.speaker.tell(do="subscribe", network=network, mac=group_mac(group))
        self.speaker.wait("subscribed", 5, since=since)


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
        self.speaker = self._world.node(self._name, self.host, *self._command)

    @property
    def agent(self) -> Speaker:
        return self._world.kernel(self.host)

    def path_to(self, peer: Peer) -> Optional[str]:
        """How it said last that it reaches `peer`: an ip/port, "relay", or None if it said nothing."""
        event = self.speaker.last("peer", lambda e: e["address"] == peer.address)
        return str(event["path"]) if event else None

    def wait_for_direct_path(self, peer: Peer, within: float = 20) -> str:
        """Waits until it says that it reaches `peer` directly; returns the path."""
        event = self.speaker.wait("peer", within, lambda e: e["address"] == peer.address and e["path"] != "relay")
        assert event["path"].startswith(peer.host.seen_as + "/"), event
        return str(event["path"])

    def start_pinging(self, ip: str, seconds: float) -> Speaker:
        """Sends ICMP echo to `ip` until the first reply, which the speaker says as {"event":"pong"}."""
        self.agent.tell(do="ping", ip=ip, within=seconds)
        return self.agent

    def ping(self, ip: str, within: float = 20) -> None:
        since = self.agent.mark()
        self.start_pinging(ip, within).wait("pong", within, lambda e: e["ip"] == ip, since)

    def watch(self, interface: str) -> Watch:
        """Starts to look at what passes one of its host's interfaces."""
        return Watch(self.agent, interface)

    def dropped(self, reason: str) -> int:
        """How many frames or packets it has dropped for a reason, by the reason's name."""
        return int(symptoms.drops(self.speaker)["reasons"].get(reason, 0))

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.speaker.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


class Watch:
    """What passes an interface of a host."""

    def __init__(self, agent: Speaker, interface: str) -> None:
        self._agent = agent
        since = agent.mark()
        agent.tell(do="watch", interface=interface)
        agent.wait("watching", 5, lambda e: e["interface"] == interface, since)

    def mark(self) -> int:
        return self._agent.mark()

    def see(self, text: str, times: int, within: float, since: int = 0) -> None:
        """Waits until `text` has passed so many times."""
        self._agent.wait("frame", within, lambda _: self.times_seen(text, since) >= times, since)
        assert self.times_seen(text, since) == times, f"{text!r} passed more than {times} times"

    def times_seen(self, text: str, since: int = 0) -> int:
        """How many times `text` has passed. Datagrams alike may pass several at once, in one frame of the kernel's."""
        return sum(bytes.fromhex(frame["data"]).count(text.encode()) for frame in self.seen(lambda _: True, since))

    def seen(self, when: Callable[[Event], bool], since: int = 0) -> List[Event]:
        """The frames for which `when` holds."""
        return self._agent.all("frame", when, since)


class World:
    """The internet, the nodes on it and the files they keep. Leaving it ends and removes all of them."""

    def __init__(self, zt: Optional[Path], logs: Path) -> None:
        self._zt = zt
        self._logs = logs
        self._stack = ExitStack()
        self._hosts: Dict[str, Host] = {}
        self._kernels: Dict[Host, Speaker] = {}
        self._nodes: Dict[str, Speaker] = {}

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

    def settle(self, host: Host) -> None:
        """Has the node of this host's name live there, and not on the internet."""
        self._hosts[host.name] = host

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

    def node(self, name: str, host: Host, *command: str) -> Speaker:
        """Starts a node of ours on `host`, the first time or again, that ends with this world."""
        self._nodes[name] = self.speaker(name, host, *command)
        return self._nodes[name]

    @property
    def nodes(self) -> Collection[Speaker]:
        """The nodes of ours that were started."""
        return self._nodes.values()

    def kernel(self, host: Host) -> Speaker:
        """What sends and receives by the kernel of `host`; started at the first call."""
        if host not in self._kernels:
            self._kernels[host] = self.speaker(f"{host.name}-kernel", host, sys.executable, str(HERE / "kernel.py"))
        return self._kernels[host]

    def run_zt(self, *arguments: str) -> str:
        """Runs a `zt` command that does not stay, and returns what it printed."""
        command = [str(self.zt), *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}: {done.stderr.strip()}"
        return done.stdout.strip()
