"""Sockets shown to the host before the node uses them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Callable, Optional

from . import _native
from .errors import Error, translated

Protect = Callable[[int], Optional[bool]]
"""Prepares the socket with this descriptor; raises, or returns False, to have it closed."""


class Protector(_native.SocketProtector):
    """A callback as the library calls it, on a thread of its own, where no exception may get."""

    def __init__(self, callback: Protect) -> None:
        self._callback = callback
        self.raised: Optional[BaseException] = None

    def protect(self, fd: int) -> bool:
        try:
            return self._callback(fd) is not False
        except BaseException as why:
            self.raised = why
            return False


@contextlib.contextmanager
def blamed(protector: Optional[Protector]) -> Iterator[None]:
    """Raises what the library raises within; its cause is what the callback raised, if it did."""
    try:
        with translated():
            yield
    except Error as error:
        if protector is None or protector.raised is None:
            raise
        cause, protector.raised = protector.raised, None
        raise error from cause
