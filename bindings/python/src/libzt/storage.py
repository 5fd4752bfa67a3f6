"""State the program keeps itself, in place of a home directory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Callable, Optional, Protocol, TypeVar

from . import _native

_T = TypeVar("_T")
_Names = list[str]


class StateStorage(Protocol):
    """Keeps what outlives a node, in place of a home directory: any object with these methods.

    Names are those of the files there would be (`"identity.secret"`, `"networks.d/….conf"`). Whatever
    is written has to be read back, by this node and the next, and while it is written the old is not
    to be lost. No two nodes share a storage.

    Calls come one at a time, on threads of the library: not on the event loop, which they must not
    wait for, and they must not call the node. What they raise is a `Storage` error of whoever asked
    for it, or a line in the log.
    """

    def read(self, name: str) -> Optional[bytes]:
        """Returns what is kept under a name; None if there is nothing."""

    def write(self, name: str, content: bytes) -> None:
        """Keeps this under a name, in place of what was there."""

    def remove(self, name: str) -> None:
        """Keeps nothing under a name any more. That there was nothing is no error."""

    def list(self, prefix: str) -> Iterable[str]:
        """Returns the names something is kept under and that begin with `prefix`, in any order."""


class Adapter(_native.Storage):
    """A storage as the library calls it."""

    def __init__(self, storage: StateStorage) -> None:
        self._storage = storage

    def read(self, name: str) -> Optional[bytes]:
        return _told(lambda: self._storage.read(name))

    def write(self, name: str, bytes: bytes) -> None:
        _told(lambda: self._storage.write(name, bytes))

    def remove(self, name: str) -> None:
        _told(lambda: self._storage.remove(name))

    def list(self, prefix: str) -> _Names:
        return _told(lambda: [*self._storage.list(prefix)])


def _told(ask: Callable[[], _T]) -> _T:
    """Does what a program's storage does; what it raises is told to the library in words."""
    try:
        return ask()
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise _native.StorageFailure.Failed(text) from error  # type: ignore[attr-defined]
