"""Traffic through the kernel of the host it is started on: what a person's programs would send.

Told by `agent.obey`

    {"do":"echo","ip":…,"port":N}                         {"event":"listening"}, and echoes what comes there by TCP
    {"do":"exchange","ip":…,"port":N,"length":N}          {"event":"exchanged","ip":…,"bytes":…,"why":…,"seconds":…}
    {"do":"connect","ip":…,"port":N,"within":S}           {"event":"connected","ip":…,"port":…,"ok":…}
    {"do":"receive","ip":…,"port":N,"group":…,…}          {"event":"receiving"}, then {"event":"datagram",…} for each
    {"do":"send","ip":…,"port":N,"text":…,"source":…,…}   nothing: sends UDP `times` times, `every` seconds apart
    {"do":"ping","ip":…,"within":S}                       {"event":"pong"} at the first reply, or {"event":"silence"}
    {"do":"watch","interface":…}                          {"event":"watching"}, then {"event":"frame",…} for each

`exchange` has its bytes echoed by such a server and compares; `why` tells what was the matter if not all came back.
`ping` sends ICMP echo.
"""
from __future__ import annotations

import errno
import os
import random
import select
import socket
import struct
import threading
import time
from typing import Optional, Tuple

from agent import in_background, is_ipv6, obey, repeat, say

CHUNK = 65536
PING_EVERY = 0.01
BETWEEN_TRIES = 0.1
EVERY_ETHERTYPE = 3
FRAME_BYTES_SAID = 512


def family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if is_ipv6(ip) else socket.AF_INET


class Kernel:
    """The sockets of this host."""

    def echo(self, ip: str, port: int) -> None:
        with socket.create_server((ip, port), family=family(ip)) as server:
            say("listening", ip=ip, port=port)
            while True:
                client, _ = server.accept()
                in_background(_send_back, client)

    def exchange(self, ip: str, port: int, length: int) -> None:
        """Sends and receives at the same time: both directions are full at once."""
        sent, received, started = os.urandom(length), bytearray(), time.monotonic()
        why = "the connection ended or its bytes differ"
        try:
            with socket.create_connection((ip, port), timeout=30) as connection:
                sender = threading.Thread(target=connection.sendall, args=(sent,), daemon=True)
                sender.start()
                while len(received) < length and (data := connection.recv(CHUNK)):
                    received += data
                sender.join()
        except OSError as error:
            why = str(error)
        same = len(os.path.commonprefix([sent, bytes(received)]))
        say("exchanged", ip=ip, bytes=same, why=why, seconds=round(time.monotonic() - started, 3))

    def connect(self, ip: str, port: int, within: float) -> None:
        """Tries again if the kernel gives up first, which it does after asking for an Ethernet address for 3 s."""
        deadline = time.monotonic() + within
        ok = False
        while not ok and (left := deadline - time.monotonic()) > 0:
            try:
                socket.create_connection((ip, port), timeout=left).close()
                ok = True
            except OSError as error:
                if error.errno != errno.EHOSTUNREACH:
                    break
                time.sleep(BETWEEN_TRIES)
        say("connected", ip=ip, port=port, ok=ok)

    def receive(self, ip: str, port: int, group: Optional[str] = None, answers_to: Optional[int] = None) -> None:
        """Says what comes by UDP to its address `ip`, or to `group` on the interface that has this address.

        If `answers_to` is given, it sends the same back, to that port.
        """
        with socket.socket(family(ip), socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.bind(("" if group else ip, port))
            if group is not None:
                _join(receiver, ip, group)
            say("receiving", port=port)
            while True:
                text, sender = receiver.recvfrom(CHUNK)
                say("datagram", port=port, text=text.decode(errors="replace"), at=time.time())
                if answers_to is not None:
                    _send(receiver, text, (sender[0], answers_to))

    def send(self, ip: str, port: int, text: str, source: str, times: int, every: float) -> None:
        """Sends `text` and a number from its address `source`, to an address or a group."""
        with socket.socket(family(ip), socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            _choose_interface(sender, source)
            repeat(lambda numbered: _send(sender, numbered.encode(), (ip, port)), text, times, every)

    def ping(self, ip: str, within: float) -> None:
        """`at` is the wall clock at the first reply, to compare with that of another process."""
        version6, mine, started = is_ipv6(ip), random.getrandbits(16), time.monotonic()
        protocol = socket.IPPROTO_ICMPV6 if version6 else socket.IPPROTO_ICMP
        with socket.socket(family(ip), socket.SOCK_RAW, protocol) as icmp:
            number = 0
            while time.monotonic() < started + within:
                number += 1
                try:
                    icmp.sendto(_echo_request(128 if version6 else 8, mine, number & 0xFFFF), (ip, 0))
                except OSError:
                    pass  # no route to it yet
                if _echo_reply(icmp, 129 if version6 else 0, mine, PING_EVERY):
                    say("pong", ip=ip, at=time.time(), sent=number)
                    return
        say("silence", ip=ip, sent=number)

    def watch(self, interface: str) -> None:
        """Says which frames, or packets if it carries only such, pass an interface in either direction."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_ETHERTYPE)) as watcher:
            watcher.bind((interface, EVERY_ETHERTYPE))
            is_ethernet = watcher.getsockname()[3] == 1
            say("watching", interface=interface)
            while True:
                frame, (_, ethertype, kind, _, _) = watcher.recvfrom(CHUNK)
                destination, source = (frame[:6].hex(":"), frame[6:12].hex(":")) if is_ethernet else ("", "")
                payload = frame[14:] if is_ethernet else frame
                say("frame", ethertype=ethertype, source=source, destination=destination,
                    outgoing=kind == socket.PACKET_OUTGOING, length=len(payload),
                    data=payload[:FRAME_BYTES_SAID].hex())


def _send(socket: socket.socket, data: bytes, to: Tuple[str, int]) -> None:
    try:
        socket.sendto(data, to)
    except OSError as error:
        say("error", why=str(error))


def _send_back(client: socket.socket) -> None:
    with client:
        while data := client.recv(CHUNK):
            client.sendall(data)


def _index_of(source: str) -> int:
    """The index of the interface that has the IPv6 address `source`."""
    packed = socket.inet_pton(socket.AF_INET6, source).hex()
    with open("/proc/net/if_inet6") as interfaces:
        return next(int(fields[1], 16) for fields in map(str.split, interfaces) if fields[0] == packed)


def _join(receiver: socket.socket, ip: str, group: str) -> None:
    packed = socket.inet_pton(family(group), group)
    if is_ipv6(group):
        membership = packed + struct.pack("@I", _index_of(ip))
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    else:
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, packed + socket.inet_aton(ip))


def _choose_interface(sender: socket.socket, source: str) -> None:
    """Has what is sent to groups leave by the interface that has the address `source`."""
    if is_ipv6(source):
        sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, _index_of(source))
    else:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))


def _echo_request(kind: int, identifier: int, number: int) -> bytes:
    payload = b"libzt interop ping"
    words = struct.unpack("!9H", payload)
    total = (kind << 8) + identifier + number + sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    # For ICMPv6 the kernel writes the checksum itself.
    return struct.pack("!BBHHH", kind, 0, ~total & 0xFFFF, identifier, number) + payload


def _echo_reply(icmp: socket.socket, kind: int, identifier: int, within: float) -> bool:
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0 and select.select([icmp], [], [], left)[0]:
        packet = icmp.recv(2048)
        if icmp.family == socket.AF_INET:
            packet = packet[(packet[0] & 0xF) * 4:]
        if packet[0] == kind and struct.unpack_from("!H", packet, 4)[0] == identifier:
            return True
    return False


if __name__ == "__main__":
    obey(Kernel())
