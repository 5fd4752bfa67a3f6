"""A network, as a node sees it that is on it or controls it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Optional

from . import ports
from .errors import Timeout, translated
from .packets import Packets
from .records import (
    Direction,
    NetworkStatus,
    PortMode,
    Settings,
    Standing,
    TunPlan,
    Verdict,
)

if TYPE_CHECKING:
    from .node import Node


class Network:
    """A network a node is on. Keeps nothing: it asks the node, and may be made at any time."""

    def __init__(self, node: Node, id: str) -> None:
        """Called by `Node.join` and `Node.network`."""
        self.node = node
        self.id = id

    def __repr__(self) -> str:
        return f"<Network {self.id}>"

    async def status(self) -> NetworkStatus:
        """Returns how it stands.

        Raises:
            NotJoined: it is not joined.
        """
        with translated():
            return await self.node._running().network(self.id)

    async def ready(self, timeout: Optional[float] = None) -> NetworkStatus:
        """Waits until the controller lets this node in and has configured it.

        Takes no event from `Node.events`. A refusal is not the end: the node goes on asking, and the
        controller may change its mind.

        Args:
            timeout: how many seconds to wait at most.

        Raises:
            Timeout: it has not come so far. The network stays joined.
            NotJoined: it is left.
        """
        try:
            return await asyncio.wait_for(self._until_ready(), timeout)
        except asyncio.TimeoutError:
            raise Timeout(f"network {self.id} was not ready within {timeout} s") from None

    async def _until_ready(self) -> NetworkStatus:
        while True:
            news = self.node._news
            status = await self.status()
            if status.standing is Standing.OK:
                return status
            await news.wait()

    def packets(self, mode: PortMode = PortMode.L3) -> Packets:
        """Has the network's packets exchanged by this program, whatever its port was.

        Use it as `async with network.packets() as packets`.

        Args:
            mode: IP packets, or Ethernet frames.

        Raises, when it is entered:
            NotJoined: it is not joined.
        """

        async def attach() -> int:
            with translated():
                return await self.node._running().packet_socket(self.id, mode)

        return Packets(attach)

    async def attach(self, port: ports.Port) -> None:
        """Gives the network another port.

        A descriptor takes the place of another without loss: what was put into the old one is sent
        before it is closed.

        Raises:
            NotJoined: it is not joined.
            InvalidDescriptor: the descriptor is not open.
            NotPermitted: the process lacks the right to make an interface.
            Interface: the interface cannot be had.
        """
        with translated():
            await self.node._running().attach(self.id, ports.to_native(port))

    async def plan(self) -> TunPlan:
        """Returns what the network means for this machine: what its interface should be like.

        Raises:
            NotJoined: it is not joined.
        """
        with translated():
            return await self.node._running().plan(self.id)

    async def settings(self) -> Settings:
        """Returns what the user allows the network, joined or not, to do to this machine."""
        with translated():
            return await self.node._running().settings(self.id)

    async def set_settings(self, settings: Settings) -> None:
        """Allows the network this much and no more, at once and from now on, until it is left.

        Raises:
            Storage: that cannot be saved; it is then as it was.
        """
        with translated():
            await self.node._running().set_settings(self.id, settings)

    async def would_allow(self, peer: str, packet: bytes, direction: Direction) -> Verdict:
        """Returns whether the network's rules let an IP packet pass between this node and a peer,
        and why, without sending anything.

        Raises:
            InvalidArgument: this is no IP packet.
            Rejected: rules are not even asked.
        """
        with translated():
            return await self.node._running().would_allow(self.id, peer, packet, direction)

    async def leave(self) -> None:
        """Leaves the network and forgets everything about it.

        Raises:
            NotJoined: it is not joined.
        """
        with translated():
            await self.node._running().leave(self.id)


class HostedNetwork:
    """A network a node controls. Keeps nothing: it asks the node, and may be made at any time."""

    def __init__(self, node: Node, id: str) -> None:
        """Called by `Node.create_network` and `Node.hosted_network`."""
        self.node = node
        self.id = id

    def __repr__(self) -> str:
        return f"<HostedNetwork {self.id}>"

    async def allow(self, *members: str) -> None:
        """Lets members onto the network, whether they have asked yet or not.

        Raises:
            UnknownNetwork: the node controls no such network.
            Storage: that cannot be saved.
        """
        for member in members:
            with translated():
                await self.node._running().allow(self.id, member)

    async def deny(self, *members: str) -> None:
        """Takes members off the network.

        Raises:
            UnknownNetwork: the node controls no such network.
            Storage: that cannot be saved.
        """
        for member in members:
            with translated():
                await self.node._running().deny(self.id, member)
