"""A private network of one process over loopback, for the tests."""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libzt

ANYWHERE = "127.0.0.1:0"
PATIENCE = 30
"""Seconds to wait for what takes milliseconds on a machine that is not busy."""


def loopback(home: "Path | libzt.StateStorage", **settings: Any) -> libzt.Node:
    """Returns a node that stays on this machine."""
    settings.setdefault("bind", [ANYWHERE])
    return libzt.Node(home, allow_loopback=True, **settings)


def free_endpoint() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@dataclass
class Lab:
    """A root, and a controller with one private network."""

    home: Path
    planet: bytes
    root: libzt.Node
    controller: libzt.Node
    hosted: libzt.HostedNetwork

    def member(self, name: str) -> libzt.Node:
        return loopback(self.home / name, planet=self.planet)

    async def admit(self, member: libzt.Node) -> "tuple[libzt.Network, ipaddress.IPv4Address]":
        """Lets a member onto the network; returns that and the member's address on it."""
        await self.hosted.allow(member.address)
        network = await member.join(self.hosted.id)
        status = await network.ready(PATIENCE)
        return network, status.addresses[0].address


@contextlib.asynccontextmanager
async def lab(home: Path) -> AsyncIterator[Lab]:
    identity, endpoint = libzt.generate_identity(), free_endpoint()
    planet = libzt.make_planet({identity.public: endpoint}).planet
    root = loopback(home / "root", planet=planet, bind=[endpoint], identity=identity.secret)
    controller = loopback(home / "controller", planet=planet, controller=True)
    async with root, controller:
        hosted = await controller.create_network("lab", "10.1.0.0/24")
        yield Lab(home, planet, root, controller, hosted)


def ip_packet(source: Any, destination: Any, payload: bytes) -> bytes:
    """Returns an IPv4 packet of protocol 253, which is for experiments."""
    length = (20 + len(payload)).to_bytes(2, "big")
    head = b"\x45\0" + length + b"\0\0\0\0\x40\xfd\0\0"
    return head + source.packed + destination.packed + payload
