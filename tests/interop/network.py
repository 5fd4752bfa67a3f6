"""A private network of our controller: who is on it, and what its operator changes while it runs."""
from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List

from world import PORT, Ours, Peer, Reference, World

MEGABYTE = 1 << 20

VIRTUAL_POOL = "10.77.0.10-10.77.0.99"
VIRTUAL_ROUTE = "10.77.0.0/24"
IPV6_POOL = {
    "v6AssignMode": {"zt": True},
    "ipAssignmentPools": [{"ipRangeStart": "10.77.0.10", "ipRangeEnd": "10.77.0.99"},
                          {"ipRangeStart": "fd77::", "ipRangeEnd": "fd77::ffff:ffff:ffff:ffff"}],
    "routes": [{"target": VIRTUAL_ROUTE, "via": None}, {"target": "fd77::/64", "via": None}],
}
"""Settings that give members an address of each IP version, which they have to ask each other's for."""

REFUSED_FOR_SECONDS = 2.0
PUSHED_SECONDS = 5.0
"""Members that are not told ask for news once a minute."""
BETWEEN_CREDENTIALS_SECONDS = 2.0

Record = Dict[str, Any]


class PrivateNetwork:
    """A root, a controller with one private network, and a member, all ours, and whoever else is added."""

    def __init__(self, world: World, **settings: Any) -> None:
        """`settings` are fields of the network's record (spec 04 §6.1) that differ from the defaults."""
        self._world = world
        for name in ("root", "controller"):
            world.run_zt("id", "new", "--out", str(world.home(name)))
        self.planet = world.file("planet")
        world.run_zt("planet", "make", "--out", str(self.planet),
                     f"{world.home('root') / 'identity.public'}={world.host('root').ip}/{PORT}")
        self.id = world.run_zt("network", "create", "--home", str(world.home("controller")), "--private",
                               "--pool", VIRTUAL_POOL, "--route", VIRTUAL_ROUTE)
        self._edit(self._network_file(), settings)
        self.root = Ours(world, "root", self.planet, ["--no-tun"])
        self.controller = Ours(world, "controller", self.planet, ["--no-tun", "--controller"])
        self.member = self.new_member("member")
        self._members: List[Peer] = []
        self._revision = 0

    def start(self) -> None:
        """Starts our nodes, and lets our member in."""
        for node in (self.root, self.controller):
            node.start()
        for node in (self.root, self.controller):
            node.come_online()
        self.let_in(self.member)

    def add_member(self, name: str, interface: str = "--tun") -> Ours:
        """Adds a member of ours with an interface zt0, and an echo server, which is let in at once."""
        member = self.new_member(name, interface)
        self.let_in(member)
        return member

    def new_member(self, name: str, interface: str = "--tun", *options: str) -> Ours:
        """Makes a member of ours with an interface zt0, and does not start it."""
        self._world.run_zt("id", "new", "--out", str(self._world.home(name)))
        return Ours(self._world, name, self.planet, [interface, "zt0", "--join", self.id, *options])

    def let_in(self, *members: Ours, within: float = 20) -> None:
        """Starts members of ours, and lets them in once they are online. Then they have an echo server."""
        for member in members:
            member.start()
        for member in members:
            member.come_online(within)
            self.allow(member.address)
        for member in members:
            self._serve(member)

    def add_reference(self, name: str, **options: str) -> Reference:
        """Adds a reference node. It is refused, is let in, and has an echo server when this returns."""
        node = self.launch(name, **options)
        node.come_online()
        node.join(self.id)
        # libzt tells its user nothing of a refusal; what it must not say is that it is a member.
        time.sleep(REFUSED_FOR_SECONDS)
        assert not node.speaker.last("network", lambda e: e["status"] == "OK"), "a stranger was let in"
        self.allow(node.address)
        self._serve(node)
        return node

    def launch(self, name: str, **options: str) -> Reference:
        """Starts a reference node, which takes seconds to come online, and does not wait for it."""
        return Reference(self._world, name, self.planet, **options)

    def admit(self, *nodes: Reference) -> None:
        """Has reference nodes that were launched join, after they were let in."""
        for node in nodes:
            node.come_online()
            self.allow(node.address)
            node.join(self.id)
        for node in nodes:
            self._serve(node)

    def allow(self, address: str) -> None:
        self._world.run_zt("network", "allow", "--home", str(self._world.home("controller")), self.id, address)

    def deny(self, address: str) -> None:
        self._world.run_zt("network", "deny", "--home", str(self._world.home("controller")), self.id, address)

    def change(self, **settings: Any) -> None:
        """Changes fields of the network's record, and returns when every member has taken that in.

        The network's name is changed as well, so that one sees who has.
        """
        self._revision += 1
        name = f"revision {self._revision}"
        self._edit(self._network_file(), {**settings, "name": name})
        for member in self._members:
            member.speaker.wait("network", PUSHED_SECONDS, lambda e: e["id"] == self.id and e["name"] == name)

    def change_member(self, member: Peer, **settings: Any) -> None:
        """Changes fields of a member's record (spec 04 §6.3), and returns when it has taken that in."""
        # A reference ignores credentials that come within a second of others (spec 03 §6.5).
        time.sleep(BETWEEN_CREDENTIALS_SECONDS)
        self._edit(self._records() / self.id / "member" / f"{member.address}.json", settings)
        self.change()

    def exchange(self, reference: Reference) -> None:
        """Sends 1 MiB from each to the other and back again."""
        member_ip, reference_ip = self.member.ip(self.id), reference.ip(self.id)
        self.member.ping(reference_ip)
        self.member.exchange(reference_ip, MEGABYTE)
        reference.exchange(member_ip, MEGABYTE)

    def exchange_directly(self, reference: Reference) -> None:
        """`exchange`, and the traffic must not pass the root."""
        self.member.ping(reference.ip(self.id))
        self.member.wait_for_direct_path(reference)
        before = self._world.internet.counted(self.member.host, reference.host)
        self.exchange(reference)
        passed = self._world.internet.counted(self.member.host, reference.host) - before
        assert passed > 4 * MEGABYTE, f"only {passed} bytes went directly"

    def _serve(self, member: Peer) -> None:
        """Waits until the member that was let in has an address, and starts its echo server."""
        member.echo(member.ip(self.id))
        self._members.append(member)

    def _records(self) -> Path:
        return self._world.home("controller") / "controller.d" / "network"

    def _network_file(self) -> Path:
        return self._records() / f"{self.id}.json"

    def _edit(self, path: Path, settings: Record) -> None:
        """Edits a record as an operator's tool should: under the controller's lock, and replacing the file whole."""
        with self._lock():
            record: Record = json.loads(path.read_text())
            temporary = path.with_suffix(".edited")
            temporary.write_text(json.dumps({**record, **settings}))
            os.replace(temporary, path)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self._records() / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
