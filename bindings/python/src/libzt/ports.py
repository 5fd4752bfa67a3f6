"""How this machine takes part in a network: where its packets come from and go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union

from . import _native
from .records import Framing, PortMode


@dataclass(frozen=True)
class Tun:
    """An interface for IP packets, which the node creates and configures. Linux; needs rights."""

    name: Optional[str] = None
    """Its name; one derived from the network's ID if None."""


@dataclass(frozen=True)
class Tap:
    """An interface for Ethernet frames, likewise."""

    name: Optional[str] = None
    """Its name; one derived from the network's ID if None."""


@dataclass(frozen=True)
class Descriptor:
    """A descriptor each read and write of which is one packet: a TUN device, or a socket of a pair.

    The node uses a duplicate of it, so it may be closed at once; both are non-blocking from then on.
    Whoever made the interface also configures it, by `Network.plan`.
    """

    fd: int
    """The descriptor, which stays the caller's."""
    mode: PortMode = PortMode.L3
    """What is exchanged."""
    framing: Framing = Framing.PLAIN
    """What stands in front of each packet."""


Port = Union[Tun, Tap, Descriptor, None]
"""Where packets go; None for a member that takes none, until something is attached."""


def to_native(port: Port) -> _native.Port:
    """Translates a port."""
    # What it makes has types at run time only.
    kind: Any = _native.Port
    translated: _native.Port
    if port is None:
        translated = kind.NONE()
    elif isinstance(port, Tun):
        translated = kind.TUN(port.name)
    elif isinstance(port, Tap):
        translated = kind.TAP(port.name)
    else:
        translated = kind.DESCRIPTOR(port.fd, port.mode, port.framing)
    return translated
