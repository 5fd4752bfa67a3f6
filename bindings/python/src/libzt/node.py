"""A node: how it starts, what it says, how it stops."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Optional, Union

from . import _native, events, ports, storage
from .errors import InvalidArgument, Stopped, translated
from .network import HostedNetwork, Network
from .protect import Protect, Protector, blamed
from .records import (
    Bonding,
    Conditions,
    MappedPort,
    NetworkStatus,
    NodeStatus,
    PathExplanation,
    PeerStatus,
    PinsStatus,
    PortMapping,
    Profile,
    Route,
    Statistics,
    TcpRelay,
    WorldsStatus,
)
from .storage import StateStorage

EVENTS_MAX = 1024
"""Events nobody has taken; when there are more, the oldest is forgotten."""


class Node:
    """A node, which runs from when it is entered until it is left:

        async with Node("/var/lib/my-app") as node: ...

    `start` and `stop` are the same in two calls. All calls belong on the event loop it was started
    on. A node that is neither stopped nor left goes on until its loop ends. One that has been
    stopped can be started again. Any number of them may run in a process.

    Addresses, network IDs, MACs and endpoints are text, as people write them.
    """

    def __init__(
        self,
        home: Union[str, os.PathLike[str], StateStorage],
        *,
        planet: Optional[bytes] = None,
        port: Optional[int] = None,
        bind: Iterable[str] = (),
        identity: Optional[str] = None,
        profile: Profile = Profile.DESKTOP,
        controller: bool = False,
        allow_loopback: bool = False,
        secondary_port: Optional[int] = None,
        map_ports: Optional[bool] = None,
        tcp_relay: Optional[TcpRelay] = None,
        bonding: Optional[Bonding] = None,
        low_bandwidth: bool = False,
        storage_key: Optional[bytes] = None,
        memory_budget: Optional[int] = None,
        protect: Optional[Protect] = None,
    ) -> None:
        """Describes a node. Nothing runs yet.

        Args:
            home: the directory everything that outlives the node is kept in; made if need be. Or a
                `StateStorage`, which keeps all that instead. No two nodes share one.
            planet: the planet, as in a planet file; the one stored, or that of Earth, if None.
            port: the UDP port at every local address; any free one if 0; 9993 if None.
            bind: the addresses to bind instead, as `"192.0.2.1:9993"`, and no others.
            identity: the identity with its private key, as text. It is stored if there is none, and
                has to be the one that is stored if there is. Without any, the node makes one.
            profile: what kind of machine this is.
            controller: whether the node serves networks of its own as their controller.
            allow_loopback: whether peers may be at loopback addresses, which the protocol forbids:
                for a laboratory on one machine, with `bind` at 127.0.0.1.
            secondary_port: a second UDP port, for translators that mishandle the first: none if 0;
                one of the node's own choice if None. Not used with `bind`.
            map_ports: whether the gateway is asked to let strangers' datagrams through, by PCP,
                NAT-PMP or UPnP; if None, unless this is a phone.
            tcp_relay: what stands in for UDP where none gets through.
            bonding: how several paths to one peer are used; as `local.conf` in the home directory
                says, or `Bonding.OFF`, if None.
            low_bandwidth: whether paths are kept open with as little as on a metered network, always.
            storage_key: 32 bytes, kept in a key store, under which secrets, that is the private keys
                of identities, are sealed before they are stored, by XChaCha20-Poly1305. What is
                stored in clear is sealed at the start; what is sealed is opened with the same key
                only.
            memory_budget: how many bytes the node's tables may take, 4 MiB at least. If None, 16 MiB on
                a phone, and elsewhere whatever their own limits allow. At the budget, what costs least
                to lose makes room; peers in use never do.
            protect: is called with the descriptor of every socket before it is used, to keep the
                node's own packets out of a VPN for instance; also later, when some are opened anew.
                If it raises, or returns False, the socket is closed. It runs on a thread of the
                library's, should not take long, and must not call the node.
        """
        self._config = _native.Config(
            home=os.fspath(home) if isinstance(home, (str, os.PathLike)) else "",
            planet=planet,
            port=port,
            bind=list(bind),
            identity=identity,
            profile=profile,
            controller=controller,
            allow_loopback=allow_loopback,
            secondary_port=secondary_port,
            map_ports=map_ports,
            tcp_relay=tcp_relay,
            bonding=bonding,
            low_bandwidth=low_bandwidth,
            storage_key=storage_key,
            memory_budget=memory_budget,
        )
        self._protector = Protector(protect) if protect else None
        self._storage = None if isinstance(home, (str, os.PathLike)) else storage.Adapter(home)
        self._native: Optional[_native.Node] = None
        self._events: deque[events.Event] = deque(maxlen=EVENTS_MAX)
        self._forgotten = 0

    async def start(self) -> Node:
        """Starts the node, unless it runs. One without an identity makes one: a second or two.

        Raises:
            Bind: the port or an address cannot be had, or `protect` has refused every socket.
            CorruptIdentity: the identity stored is none, or another.
            Sealed: the identity stored is sealed, and the storage key is another or missing.
            Error: anything else; nothing of the node is running then.
        """
        if self._native is None:
            hooks = _native.Hooks(protector=self._protector, storage=self._storage)
            with blamed(self._protector):
                native = await _native.Node.start_with(self._config, hooks)
            self._events.clear()
            self._forgotten = 0
            self._news = asyncio.Event()
            self._native = native
            self._listening = asyncio.ensure_future(self._listen(native))
        return self

    async def stop(self) -> None:
        """Stops the node and waits until its state is saved and its interfaces are gone.

        Once it has stopped, this does nothing.

        Raises:
            Timeout: that takes longer than 10 s. The node goes on stopping.
        """
        native, self._native = self._native, None
        if native is not None:
            with translated():
                await native.stop()
            await self._listening

    async def __aenter__(self) -> Node:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __repr__(self) -> str:
        return f"<Node {self._native.address() if self._native else 'stopped'}>"

    # What it says.

    async def events(self) -> AsyncIterator[events.Event]:
        """Gives events as they come, those nobody has taken yet first, until the node stops.

        Each is given to one caller. There are at most 1024; when more come, the oldest are
        forgotten, which `statistics` counts.
        """
        self._running()
        while True:
            news = self._news
            while self._events:
                yield self._events.popleft()
            if self._listening.done():
                return
            if news is self._news:
                await news.wait()

    async def _listen(self, native: _native.Node) -> None:
        """Takes events from the node, so that many can wait for what they tell."""
        try:
            while (told := await native.next_event()) is not None:
                event = events.of_native(told)
                if event is not None:
                    self._forgotten += len(self._events) == EVENTS_MAX
                    self._events.append(event)
                self._wake()
        finally:
            # Once this is done, whoever waits is to see that it is.
            asyncio.get_running_loop().call_soon(self._wake)

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    @property
    def address(self) -> str:
        """The node's address."""
        return self._running().address()

    @property
    def identity(self) -> str:
        """The node's identity without its private key, as text."""
        return self._running().identity()

    @property
    def bound(self) -> list[str]:
        """Where the node's sockets are bound."""
        return self._running().bound()

    async def status(self) -> NodeStatus:
        """Returns how the node is doing."""
        with translated():
            return await self._running().status()

    async def statistics(self) -> Statistics:
        """Returns what the node has counted since it started, what it dropped, by reason, and what has
        woken it; and what its tables take of memory."""
        with translated():
            statistics = await self._running().statistics()
        statistics.lost_events += self._forgotten
        return statistics

    async def reload_local_conf(self) -> None:
        """Goes by `local.conf` and `trustedpaths` as they are, after the user has edited them.

        Rules for physical addresses, bonding and low-bandwidth mode take effect at once, unless the
        program has given them itself. What has to wait for the next start, such as a port, and what
        cannot be understood, is a warning in the log that names its key; the rest counts.

        Raises:
            CorruptState: `local.conf` is no JSON object, or it is not clear what it wants avoided.
                The node goes on as before.
            Storage: it cannot be read; likewise.
        """
        with translated():
            await self._running().reload_local_conf()

    # What it is told of the machine.

    async def network_changed(self) -> None:
        """Says that the machine may be in another network. On Linux the kernel says so itself.

        Sockets are opened anew, and no path is trusted until it has answered.
        """
        with translated():
            await self._running().network_changed()

    async def set_conditions(
        self, *, metered: bool = False, expensive: bool = False, offline: bool = False
    ) -> None:
        """Says what the machine's network is like, until told otherwise.

        Args:
            metered: somebody pays for each byte, so the node keeps itself reachable and does no more.
            expensive: it costs more than elsewhere otherwise; means the same.
            offline: there is none, so the node does nothing at all.
        """
        conditions = Conditions(metered=metered, expensive=expensive, offline=offline)
        with translated():
            await self._running().set_conditions(conditions)

    async def sleep(self) -> None:
        """Says that the machine is about to sleep: the node saves its state, and does nothing more
        until `wake`."""
        with translated():
            await self._running().sleep()

    async def wake(self) -> None:
        """Says that the machine is awake again, perhaps in another network."""
        with translated():
            await self._running().wake()

    async def trim_memory(self) -> None:
        """Says that the machine is short of memory: the node gives back what it can do without.

        Connections in use go on; others are found anew when they are used. The system gets the pages,
        where the allocator has a call for that. To have a node never take more than so much, start it
        with a `memory_budget`.
        """
        with translated():
            await self._running().trim_memory()

    async def bind_to_interface(self, name: Optional[str]) -> None:
        """Uses the interface of this name and no other, or all of them if None."""
        with translated():
            await self._running().bind_to_interface(name)

    async def set_protect(self, protect: Protect) -> None:
        """Has `protect` look at every socket from here on, as one given to `Node` does from the start.
        Those there are included.

        Raises:
            NotPermitted: it refused one that was in use, which is closed.
        """
        protector = Protector(protect)
        with blamed(protector):
            await self._running().set_protector(protector)

    @property
    def mapped_port(self) -> Optional[MappedPort]:
        """The port of the gateway's that leads to this node, if there is one."""
        return self._running().mapped_port()

    @property
    def port_mapping(self) -> Optional[PortMapping]:
        """What came of asking the gateway for a port; None if it is not asked."""
        return self._running().port_mapping()

    # Networks it is on.

    async def join(
        self, network: str, port: ports.Port = None, *, fingerprint: Optional[str] = None
    ) -> Network:
        """Joins a network, or changes the port of one that is joined.

        Returns once the port is open; `Network.ready` waits for the controller. The membership
        outlives the node: one started anew has to be told only by which port.

        Args:
            network: its ID.
            port: where packets go: `Tun`, `Tap`, `Descriptor`, or None until `Network.packets` or
                `Network.attach` says.
            fingerprint: that of the network's controller, in full or in short: nobody else is then
                taken for it. If somebody else is found there, the network stands at
                `Standing.IDENTITY_CONFLICT` until the right one is pinned. Without, whoever configures
                the network first is taken for its controller from then on.

        Raises:
            Error: the network is then not joined, or as it was.
        """
        with translated():
            await self._running().join(network, ports.to_native(port), fingerprint)
        return Network(self, network)

    def network(self, id: str) -> Network:
        """Returns a network that is joined, or may be."""
        return Network(self, id)

    async def networks(self) -> list[NetworkStatus]:
        """Returns how every joined network stands, by ascending ID."""
        with translated():
            return await self._running().networks()

    async def memberships(self) -> list[str]:
        """Returns the networks that were joined when the node last ran, or are, by ascending ID."""
        with translated():
            return await self._running().memberships()

    # Networks it controls.

    async def create_network(
        self,
        name: str = "",
        *subnets: str,
        private: bool = True,
        pools: Iterable[str] = (),
        routes: Iterable[Route] = (),
        six_plane: bool = False,
        rfc4193: bool = False,
    ) -> HostedNetwork:
        """Makes a network that this node, started with `controller=True`, controls.

        Args:
            name: what people call it.
            subnets: IPv4 networks, as `"10.1.0.0/24"`, members get addresses and a route in.
            private: whether members have to be allowed one by one.
            pools: more ranges members get addresses from, as `"10.1.0.1-10.1.0.99"`.
            routes: more routes members install.
            six_plane: whether members get an IPv6 address that gives each a /80 of its own.
            rfc4193: whether members get an IPv6 address by RFC 4193.

        Raises:
            InvalidArgument: a subnet or pool is none.
            Storage: that cannot be saved.
        """
        pools, routes = list(pools), list(routes)
        for text in subnets:
            subnet = _subnet(text)
            pools.append(f"{subnet[1]}-{subnet[-2]}")
            routes.append(Route(target=subnet.network_address, bits=subnet.prefixlen))
        description = _native.HostedNetwork(
            name=name,
            private=private,
            pools=pools,
            routes=routes,
            six_plane=six_plane,
            rfc4193=rfc4193,
        )
        with translated():
            return HostedNetwork(self, await self._running().create_network(description))

    def hosted_network(self, id: str) -> HostedNetwork:
        """Returns a network that this node controls, or may."""
        return HostedNetwork(self, id)

    # Peers and roots.

    async def peers(self) -> list[PeerStatus]:
        """Returns every known peer, by ascending address."""
        with translated():
            return await self._running().peers()

    async def explain(self, peer: str) -> Optional[PathExplanation]:
        """Returns why packets get to a peer the way they do; None if no such peer is known."""
        with translated():
            return await self._running().explain(peer)

    async def worlds(self) -> WorldsStatus:
        """Returns which planet and moons are in force and how their roots are reached."""
        with translated():
            return await self._running().worlds()

    async def orbit(self, moon: str, seed: Optional[str] = None) -> None:
        """Uses the roots of a moon beside those of the planet; asks `seed`, one of them, for it.

        Returns at once; `WorldsChanged` follows when the seed has answered. The moon, and the wish
        for it, outlive the node.

        Raises:
            NotFound: there is neither the moon nor a seed.
        """
        with translated():
            await self._running().orbit(moon, seed)

    async def orbit_file(self, file: bytes) -> None:
        """Uses the roots of the moon in a moon file.

        Raises:
            World: this is no moon, or no later revision of the one that is orbited already.
        """
        with translated():
            await self._running().orbit_file(file)

    async def deorbit(self, moon: str) -> None:
        """Does without a moon, or no longer asks for it.

        Raises:
            NotFound: there is no such moon.
        """
        with translated():
            await self._running().deorbit(moon)

    # Who holds which address.

    async def fingerprint(self, address: Optional[str] = None) -> Optional[str]:
        """Returns the fingerprint, in full, of whoever is known at an address; this node's own
        without one."""
        with translated():
            return await self._running().fingerprint(address or self.address)

    async def pins(self) -> PinsStatus:
        """Returns what is pinned, who was first seen elsewhere, and whether pins are required."""
        with translated():
            return await self._running().pins()

    async def pin(self, address: str, fingerprint: str) -> None:
        """Lets only the identity of this fingerprint, in full or in short, hold an address.

        Raises:
            InvalidArgument: this is no fingerprint.
            WrongPeer: it cannot be that of this address.
            TooMany: there are as many pins as there can be.
        """
        with translated():
            await self._running().pin(address, fingerprint)

    async def unpin(self, address: str) -> None:
        """Takes a pin back, or forgets who was first seen at an address.

        Raises:
            NotFound: there is no such pin.
        """
        with translated():
            await self._running().unpin(address)

    async def require_pinned(self, required: bool = True) -> None:
        """Has nobody but roots for a peer who is not pinned, or anybody again.

        Controllers are to be pinned as well then.
        """
        with translated():
            await self._running().require_pinned(required)

    def _running(self) -> _native.Node:
        if self._native is None:
            raise Stopped("the node is not running")
        return self._native


def _subnet(text: str) -> ipaddress.IPv4Network:
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError as why:
        raise InvalidArgument(str(why)) from None
    if subnet.prefixlen > 30:
        raise InvalidArgument(f"{text} has no room for members")
    return subnet
