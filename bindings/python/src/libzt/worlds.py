"""Identities and planets, made without a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Optional, Union

from . import _native
from .errors import translated
from .records import NodeIdentity, PlanetFile


def generate_identity() -> NodeIdentity:
    """Makes an identity. Takes a second or two of this thread.

    Raises:
        OutOfResources: the system has no random numbers.
    """
    with translated():
        return _native.generate_identity()


def read_identity(text: str) -> NodeIdentity:
    """Reads an identity, with or without private key.

    Raises:
        InvalidArgument: it is none, or its address is not derived from its keys.
    """
    with translated():
        return _native.read_identity(text)


def make_planet(
    roots: Mapping[str, Union[str, Iterable[str]]], *, id: int = 1, secret_key: Optional[bytes] = None
) -> PlanetFile:
    """Makes a planet of these roots, or its next revision with the key of the last one.

    Args:
        roots: where each root is found, one `"192.0.2.1:9993"` or several, by its identity as text.
        id: the planet's ID, which is the same in all its revisions.
        secret_key: `PlanetFile.secret_key` of the last revision, or None for another planet.

    Raises:
        InvalidArgument: an identity, endpoint or the key is none.
        World: nobody could use it, as there are no roots or too many.
    """
    listed = [
        _native.PlanetRoot(identity=identity, endpoints=_listed(endpoints))
        for identity, endpoints in roots.items()
    ]
    with translated():
        return _native.make_planet(id, listed, secret_key)


def _listed(endpoints: Union[str, Iterable[str]]) -> list[str]:
    return [endpoints] if isinstance(endpoints, str) else list(endpoints)
