"""Packets of a network, exchanged by the program itself.

They pass through a pair of sockets, one end of which the node holds: no call of the library is made
for a packet, and asyncio waits for them as for any other socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable
from typing import Optional, Union

from .errors import Stopped

PACKET_LEN_MAX = 16 * 1024
"""Longer than any packet or frame of a network, in bytes."""

BATCH_MAX = 64
"""Packets received at a time, at most."""

Bytes = Union[bytes, bytearray, memoryview]


class Packets:
    """One end of a network's packets: iterate it to receive, `send` to send.

    Use it as `async with network.packets() as packets`, or await it and `close` it later. Packets
    are IP packets, or Ethernet frames with their 14-byte headers, as was asked for. Who does not
    receive loses packets, as on any link. It ends when the network is left or given another port,
    and when the node stops.
    """

    def __init__(self, attach: Callable[[], Awaitable[int]]) -> None:
        """Called by `Network.packets`."""
        self._attach = attach
        self._socket: Optional[socket.socket] = None

    async def _open(self) -> Packets:
        if self._socket is None:
            self._socket = socket.socket(fileno=await self._attach())
            self._socket.setblocking(False)
        return self

    def __await__(self) -> Generator[None, None, Packets]:
        return self._open().__await__()

    async def __aenter__(self) -> Packets:
        return await self._open()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the packets. The network stays joined, without a port."""
        if self._socket is not None:
            self._socket.close()

    def fileno(self) -> int:
        """Returns the socket's descriptor, for a loop of the caller's own; it is not blocking.

        Each read and write of it is one packet. It stays this object's.
        """
        return self._end().fileno()

    async def receive(self) -> list[bytes]:
        """Waits for packets; returns those that are there, at most 64, and none at the end."""
        end, loop = self._end(), asyncio.get_running_loop()
        batch: list[bytes] = []
        # Reset: the node let go of its end with packets of ours in it.
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            packet = await loop.sock_recv(end, PACKET_LEN_MAX)
            while packet:
                batch.append(packet)
                if len(batch) == BATCH_MAX:
                    # Whoever is fast is not to keep all others from running.
                    await asyncio.sleep(0)
                    break
                packet = end.recv(PACKET_LEN_MAX)
        return batch

    async def __aiter__(self) -> AsyncIterator[list[bytes]]:
        """Gives packets in batches, as they come, until the end."""
        while batch := await self.receive():
            yield batch

    async def send(self, packets: Union[Bytes, Iterable[Bytes]]) -> None:
        """Sends a packet or many, and waits while the node is behind.

        Raises:
            Stopped: the node does not take packets here any more.
            ValueError: a packet is empty.
        """
        end, loop = self._end(), asyncio.get_running_loop()
        if isinstance(packets, (bytes, bytearray, memoryview)):
            packets = (packets,)
        try:
            for packet in packets:
                if not packet:
                    raise ValueError("a packet has at least one byte")
                try:
                    end.send(packet)
                except BlockingIOError:
                    await loop.sock_sendall(end, packet)
        except (BrokenPipeError, ConnectionResetError):
            raise Stopped("the network's packets go elsewhere") from None

    def _end(self) -> socket.socket:
        if self._socket is None:
            raise RuntimeError("use it as `async with network.packets() as packets`")
        return self._socket
