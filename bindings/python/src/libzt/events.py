"""What a node tells its program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

from . import _native
from .records import NetworkStatus, PlanChange, TunPlan


@dataclass(frozen=True)
class Online:
    """A root answered, or none has for a while."""

    online: bool
    """Which of the two."""


@dataclass(frozen=True)
class NetworkChanged:
    """A network's status changed. An interface of the node's own is configured already."""

    status: NetworkStatus
    """How it stands."""


@dataclass(frozen=True)
class PlanChanged:
    """What a network means for this machine changed.

    An interface of the node's own is configured already; whoever made another carries the plan out.
    """

    network: str
    """Which network."""
    plan: TunPlan
    """The plan, default routes included, which count only while the node is online."""
    change: PlanChange
    """How much of it is news."""


@dataclass(frozen=True)
class NetworkLeft:
    """The network was left."""

    network: str
    """Which network."""


@dataclass(frozen=True)
class PeerChanged:
    """The way to a peer changed."""

    address: str
    """The peer."""
    path: Optional[str]
    """The path in use; None if packets are relayed."""


@dataclass(frozen=True)
class WorldsChanged:
    """The roots in force changed: a planet or moon was updated, learned or given up."""


@dataclass(frozen=True)
class IdentityCollision:
    """Another node has this node's address, say roots.

    If it is confirmed, this one is of no use before it has another identity.
    """

    is_confirmed: bool
    """Whether several roots say so, and fewer contradict."""


@dataclass(frozen=True)
class IdentityConflict:
    """Somebody showed a valid identity whose address is another's, and was refused.

    Either that is an attack, or what is known is one: compare fingerprints by other ways than the
    network, and pin the right one.
    """

    address: str
    """The address."""
    known: str
    """The fingerprint its holder has, in full or in short, as it was told."""
    offered: str
    """That of the other, in full."""
    source: str
    """Where it came from, for people to read."""


@dataclass(frozen=True)
class InterfaceLost:
    """The network's interface is gone, or its descriptor was closed.

    The node goes on without it, until it is attached anew.
    """

    network: str
    """Which network."""


Event = Union[
    Online,
    NetworkChanged,
    PlanChanged,
    NetworkLeft,
    PeerChanged,
    WorldsChanged,
    IdentityCollision,
    IdentityConflict,
    InterfaceLost,
]
"""Something a program may want to know."""

_KINDS: dict[str, type[Event]] = {
    "Event.ONLINE": Online,
    "Event.NETWORK": NetworkChanged,
    "Event.PLAN": PlanChanged,
    "Event.NETWORK_LEFT": NetworkLeft,
    "Event.PEER": PeerChanged,
    "Event.WORLDS": WorldsChanged,
    "Event.IDENTITY_COLLISION": IdentityCollision,
    "Event.IDENTITY_CONFLICT": IdentityConflict,
    "Event.INTERFACE_LOST": InterfaceLost,
}


def of_native(event: _native.Event) -> Optional[Event]:
    """Translates an event, if it is of a kind known here."""
    kind = _KINDS.get(type(event).__name__)
    # The fields are the same by name.
    return kind(**vars(event)) if kind else None
