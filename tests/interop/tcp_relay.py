"""A TCP relay: it sends and receives datagrams for nodes that have no UDP.

    python tcp_relay.py IP PORT

It begins with {"event":"listening"}. For each client it says {"event":"greeted","client":…,"from":…,"version":…},
and in the end {"event":"gone","client":…,"from":…,"why":…,"forwarded":…,"returned":…}, where the numbers are of
datagrams, and a client goes by the UDP port at which others see it.

Written after spec 02 §9.4, without a look at our client. Either direction is a stream of records that pass for TLS:

    17 03 03, length u16, and as many bytes: of the client's first record
                                  major u8, minor u8, revision u16
    which says that all others have the address to send to, or on the way back, the address it came from:
                                  04, IPv4 address, port u16, datagram
"""
from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Tuple

from agent import say

PREFIX = struct.Struct(">3sH")
MAGIC = bytes.fromhex("170303")
GREETING = struct.Struct(">BBH")
ADDRESS = struct.Struct(">B4sH")
IPV4 = 4
PORTS = range(1025, 65536)
"""Ports that are sent to."""
LENGTHS = range(16, 2048)
"""How long datagrams are that pass, in bytes."""
SILENCE_SECONDS = 300.0
WAITING_BYTES = 1 << 20
"""How much may wait for a client; as with any router, what is beyond that is lost."""


class Refused(Exception):
    """A client says what the protocol does not allow."""


class Client(asyncio.DatagramProtocol):
    """A connection, and the UDP socket that stands for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._forwarded = self._returned = 0

    async def serve(self, ip: str) -> None:
        """Passes on datagrams in both directions, until the client closes the connection or breaks a rule."""
        udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, (ip, 0))
        _, port = udp.get_extra_info("sockname")
        client = {"client": port, "from": self._writer.get_extra_info("peername")[0]}
        why = "closed"
        try:
            say("greeted", version=_version(await self._record()), **client)
            while True:
                datagram, to = _addressed(await self._record())
                if to[1] in PORTS and len(datagram) in LENGTHS:
                    self._forwarded += 1
                    udp.sendto(datagram, to)
        except asyncio.IncompleteReadError as ended:
            why = f"closed within a record, after {ended.partial.hex()}" if ended.partial else why
        except asyncio.TimeoutError:
            why = "silent"
        except (OSError, Refused) as error:
            why = str(error)
        finally:
            udp.close()
            self._writer.close()
        say("gone", why=why, forwarded=self._forwarded, returned=self._returned, **client)

    def datagram_received(self, datagram: bytes, source: Tuple[str, int]) -> None:
        if len(datagram) in LENGTHS and self._writer.transport.get_write_buffer_size() < WAITING_BYTES:
            self._returned += 1
            ip, port = source
            record = ADDRESS.pack(IPV4, socket.inet_aton(ip), port) + datagram
            self._writer.write(PREFIX.pack(MAGIC, len(record)) + record)

    async def _record(self) -> bytes:
        return await asyncio.wait_for(self._read(), SILENCE_SECONDS)

    async def _read(self) -> bytes:
        magic, length = PREFIX.unpack(await self._reader.readexactly(PREFIX.size))
        if magic != MAGIC:
            raise Refused(f"a record begins with {magic.hex()}")
        try:
            return await self._reader.readexactly(length)
        except asyncio.IncompleteReadError as ended:
            raise Refused(f"a record ends after {len(ended.partial)} of {length} bytes") from ended


def _version(greeting: bytes) -> str:
    if len(greeting) != GREETING.size:
        raise Refused(f"a greeting of {len(greeting)} bytes")
    return ".".join(map(str, GREETING.unpack(greeting)))


def _addressed(record: bytes) -> Tuple[bytes, Tuple[str, int]]:
    """Returns the datagram in a record and where to send it."""
    if len(record) < ADDRESS.size:
        raise Refused(f"a record of {len(record)} bytes")
    kind, ip, port = ADDRESS.unpack_from(record)
    if kind != IPV4:
        raise Refused(f"an address of type {kind}")
    return record[ADDRESS.size:], (socket.inet_ntoa(ip), port)


async def serve(ip: str, port: int) -> None:
    server = await asyncio.start_server(lambda reader, writer: Client(reader, writer).serve(ip), ip, port)
    say("listening", ip=ip, port=port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
