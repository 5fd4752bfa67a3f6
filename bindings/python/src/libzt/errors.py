"""Everything that can go wrong, by whose fault it is.

Each kind of error has a number, which is the same in every language and never reused. Whatever was
asked for has not happened at all when an error is raised, except where it says otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar

from . import _native


class Error(Exception):
    """Why something was not done."""

    code: ClassVar[int] = 0
    """The number of the kind of error."""


class CallerError(Error):
    """1xx: the call cannot be carried out, by anybody, at any time."""


class StateError(Error):
    """2xx: not in this state of the node or network."""


class PeerError(Error):
    """3xx: the network, other nodes, and what they are called."""


class StorageError(Error):
    """4xx: what is stored."""


class SystemFailure(Error):
    """5xx: the system, and the library itself."""


class InvalidArgument(CallerError, ValueError):
    """An argument means nothing."""

    code = 102


class WouldDeadlock(CallerError):
    """The call waits, and was made on a thread that must not."""

    code = 106


class InvalidDescriptor(CallerError):
    """The descriptor is not open, or none packets can be exchanged by."""

    code = 107


class Unsupported(CallerError):
    """This system or this build has no such thing."""

    code = 108


class Stopped(StateError):
    """The node has stopped, or has not been started."""

    code = 200


class Timeout(StateError, TimeoutError):
    """It took too long. What was begun goes on by itself."""

    code = 201


class WouldBlock(StateError):
    """There is nothing to take, or no room."""

    code = 202


class NotJoined(StateError):
    """The network is not joined."""

    code = 203


class NotController(StateError):
    """The node does not control the network."""

    code = 204


class UnknownNetwork(StateError):
    """The node controls no such network."""

    code = 205


class NotPackets(StateError):
    """The network's packets go elsewhere."""

    code = 206


class NotFound(StateError, LookupError):
    """There is no such moon, pin or peer."""

    code = 207


class TooMany(StateError):
    """A bounded table is full."""

    code = 208


class InvalidNetwork(PeerError, ValueError):
    """Nobody can be the controller of such a network."""

    code = 300


class Rejected(PeerError):
    """Rules are not even asked about such a packet."""

    code = 301


class Bind(PeerError):
    """The UDP port, or the address, cannot be had."""

    code = 302


class World(PeerError):
    """The planet or moon is not accepted."""

    code = 303


class WrongPeer(PeerError):
    """The address or fingerprint cannot be that of the node meant."""

    code = 304


class Storage(StorageError):
    """The home directory, or the program's storage, cannot be read or written."""

    code = 400


class CorruptIdentity(StorageError):
    """The identity stored is none, or another than the one given."""

    code = 401


class CorruptState(StorageError):
    """Something else that is stored cannot be understood."""

    code = 402


class Sealed(StorageError):
    """A secret is sealed, and there is no storage key, another one, or it is damaged."""

    code = 403


class Panic(SystemFailure):
    """The library has failed; that is a defect of it."""

    code = 500


class OutOfResources(SystemFailure):
    """The system has no more threads, descriptors or random numbers."""

    code = 501


class NotPermitted(SystemFailure, PermissionError):
    """The process lacks the right to make an interface, or may not use a socket."""

    code = 502


class Interface(SystemFailure):
    """The interface cannot be had."""

    code = 503


def _leaves(kind: type[Error]) -> Iterator[type[Error]]:
    for below in kind.__subclasses__():
        yield from _leaves(below)
    if kind.code:
        yield kind


_BY_NAME = {kind.__name__: kind for kind in _leaves(Error)}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raises what the library raises within as the errors of this module."""
    try:
        yield
    except _native.ZtError as error:
        # One added to the library since is still an error.
        kind = _BY_NAME.get(type(error).__name__, Error)
        raise kind(str(error)) from None
    except _native.InternalError as error:
        raise Panic(str(error)) from None
