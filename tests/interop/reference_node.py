"""One reference node as a process.

    python reference_node.py --home DIR --planet FILE --port N [--version V]

It begins with {"event":"online","address":…}. Told by `agent.obey`

    {"do":"join","network":ID}            {"event":"network","id":…,"status":…,"name":…,"addresses":[…]}, at each change
    {"do":"subscribe","network":ID,"mac":…}                   {"event":"subscribed"}

and `echo`, `exchange`, `connect`, `receive` and `send` as `kernel.py` does them. It ends when stdin does.
"""
from __future__ import annotations

import argparse
import ipaddress
import os
import struct
import time
from pathlib import Path
from typing import List, Optional

from agent import in_background, is_ipv6, obey, repeat, say
from reference import CURRENT, Library

AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM = 2, 10, 1, 2
IPPROTO_IP, IP_MULTICAST_IF, IPPROTO_IPV6, IPV6_JOIN_GROUP, IPV6_V6ONLY = 0, 6, 41, 12, 27
POLLOUT, POLLERR = 0x02, 0x04
ADDRESS_TEXT = 46
ADDRESS_BYTES, PORT_BYTES = 32, slice(2, 4)
NAME_TEXT = 127
CHUNK = 16384
STATUS = ["REQUESTING_CONFIGURATION", "OK", "ACCESS_DENIED", "NOT_FOUND", "PORT_ERROR", "CLIENT_TOO_OLD"]
INTERFACES = range(1, 5)
"""The numbers its stack may have given to its interfaces: loopback, and one for each IP version."""


def family(ip: str) -> int:
    return AF_INET6 if is_ipv6(ip) else AF_INET


def socket_address(ip: str, port: int, interface: int = 0) -> bytes:
    """An address as the reference's stack writes it: like BSD, with a length first."""
    packed = ipaddress.ip_address(ip).packed
    if is_ipv6(ip):
        return struct.pack("=BB2sI16sI", 28, AF_INET6, port.to_bytes(2, "big"), 0, packed, interface)
    return struct.pack("=BB2s4s8x", 16, AF_INET, port.to_bytes(2, "big"), packed)


class ReferenceNode:
    """The node of this process; the library holds no more than one."""

    def __init__(self, home: Path, planet: bytes, port: int, version: str) -> None:
        self._library = Library(version)
        self._ffi = self._library.ffi
        self._zt = self._library.call
        home.mkdir(parents=True, exist_ok=True)
        self._zt.zts_init_set_roots(planet, len(planet))
        self._zt.zts_init_from_storage(str(home).encode())
        self._zt.zts_init_set_port(port)
        self._zt.zts_init_allow_port_mapping(0)
        self._zt.zts_init_allow_secondary_port(0)
        self._zt.zts_node_start()

    def come_online(self) -> None:
        while self._zt.zts_node_is_online() != 1:
            time.sleep(0.02)
        say("online", address=f"{self._zt.zts_node_get_id():010x}")

    def join(self, network: str) -> None:
        """Joins, and reports each change of the network's status, name or addresses from then on."""
        number = int(network, 16)
        self._zt.zts_net_join(number)
        reported = None
        while True:
            status = self._zt.zts_net_get_status(number)
            ready = self._zt.zts_net_transport_is_ready(number) == 1
            state = {"status": STATUS[status] if 0 <= status < len(STATUS) else str(status),
                     "name": self._name(number), "addresses": self._addresses(number) if ready else []}
            if state != reported:
                reported = state
                say("network", id=network, **state)
            time.sleep(0.02)

    def subscribe(self, network: str, mac: str) -> None:
        """Subscribes to an Ethernet group. libzt leaves this out for what its sockets join (a TODO of its own)."""
        node = self._library.node()
        group = int(mac.replace(":", ""), 16)
        self._zt.ZT_Node_multicastSubscribe(node, self._ffi.NULL, int(network, 16), group, 0)
        say("subscribed", mac=mac)

    def echo(self, ip: str, port: int) -> None:
        """Sends back whatever arrives at `ip`, an address of its own, to any number of peers at once."""
        listener = self._zt.zts_socket(family(ip), SOCK_STREAM, 0)
        for failed in (self._zt.zts_bind(listener, ip.encode(), port), self._zt.zts_listen(listener, 8)):
            if failed:
                raise OSError(f"the reference cannot listen at {ip} port {port}")
        in_background(self._accept, listener)
        say("listening", ip=ip, port=port)

    def exchange(self, ip: str, port: int, length: int) -> None:
        """Has `length` bytes echoed over one TCP connection, and compares."""
        started = time.monotonic()
        socket = self._connected(ip, port)
        done, why = 0, "no connection" if socket < 0 else "the connection ended or its bytes differ"
        while socket >= 0 and done < length:
            chunk = os.urandom(min(CHUNK, length - done))
            if not self._write(socket, chunk) or self._read(socket, len(chunk)) != chunk:
                break
            done += len(chunk)
        self._zt.zts_close(socket)
        say("exchanged", ip=ip, bytes=done, why=why, seconds=round(time.monotonic() - started, 3))

    def connect(self, ip: str, port: int, within: float) -> None:
        """Says whether a TCP connection comes about in time."""
        socket = self._zt.zts_socket(family(ip), SOCK_STREAM, 0)
        self._zt.zts_set_blocking(socket, 0)
        address = socket_address(ip, port)
        self._zt.zts_bsd_connect(socket, address, len(address))
        polled = self._ffi.new("zts_pollfd *", {"fd": socket, "events": POLLOUT})
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and self._zt.zts_bsd_poll(polled, 1, 0) == 0:
            time.sleep(0.01)
        say("connected", ip=ip, port=port, ok=polled.revents & (POLLOUT | POLLERR) == POLLOUT)
        self._zt.zts_close(socket)

    def receive(self, ip: str, port: int, group: Optional[str] = None, answers_to: Optional[int] = None) -> None:
        """Says what comes by UDP to port `port`, to its own address or to `group`, and answers if it is to.

        Its stack takes packets for any IPv4 group, but has to join those of IPv6.
        """
        socket = self._zt.zts_socket(family(ip), SOCK_DGRAM, 0)
        everywhere = b"::" if is_ipv6(ip) else b"0.0.0.0"
        if is_ipv6(ip):  # the same port of IPv4 may be in use
            yes = struct.pack("=i", 1)
            self._zt.zts_bsd_setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, yes, len(yes))
        if self._zt.zts_bind(socket, everywhere, port):
            raise OSError(f"the reference cannot receive at port {port}")
        if group is not None and is_ipv6(group):
            self._join_group(socket, group)
        say("receiving", port=port)
        buffer, sender = self._ffi.new(f"char[{CHUNK}]"), self._ffi.new(f"char[{ADDRESS_BYTES}]")
        length = self._ffi.new("unsigned int *")
        while True:
            length[0] = ADDRESS_BYTES
            got = self._zt.zts_bsd_recvfrom(socket, buffer, CHUNK, 0, sender, length)
            if got < 0:
                continue
            say("datagram", port=port, text=bytes(self._ffi.buffer(buffer, got)).decode(errors="replace"),
                at=time.time())
            if answers_to is not None:
                self._ffi.buffer(sender)[PORT_BYTES] = answers_to.to_bytes(2, "big")
                self._zt.zts_bsd_sendto(socket, buffer, got, 0, sender, length[0])

    def send(self, ip: str, port: int, text: str, source: str, times: int, every: float) -> None:
        """Sends `text` and a number by UDP from its address `source`, to an address or a group."""
        socket = self._zt.zts_socket(family(ip), SOCK_DGRAM, 0)
        self._zt.zts_bind(socket, source.encode(), 0)
        packed = ipaddress.ip_address(source).packed
        if not is_ipv6(source):
            self._zt.zts_bsd_setsockopt(socket, IPPROTO_IP, IP_MULTICAST_IF, packed, len(packed))
        address = socket_address(ip, port)

        def send(numbered: str) -> None:
            data = numbered.encode()
            if self._zt.zts_bsd_sendto(socket, data, len(data), 0, address, len(address)) < 0:
                say("error", why=f"the reference cannot send to {ip} port {port}")

        repeat(send, text, times, every)
        self._zt.zts_close(socket)

    def _name(self, network: int) -> str:
        text = self._ffi.new(f"char[{NAME_TEXT + 1}]")
        self._zt.zts_net_get_name(network, text, NAME_TEXT)
        return str(self._ffi.string(text).decode(errors="replace"))

    def _addresses(self, network: int) -> List[str]:
        found = []
        for kind in (AF_INET, AF_INET6):
            if self._zt.zts_addr_is_assigned(network, kind) == 1:
                text = self._ffi.new(f"char[{ADDRESS_TEXT}]")
                self._zt.zts_addr_get_str(network, kind, text, ADDRESS_TEXT)
                found.append(self._ffi.string(text).decode())
        return found

    def _join_group(self, socket: int, group: str) -> None:
        packed = ipaddress.ip_address(group).packed
        memberships = [packed + struct.pack("=I", interface) for interface in INTERFACES]
        joined = [self._zt.zts_bsd_setsockopt(socket, IPPROTO_IPV6, IPV6_JOIN_GROUP, m, len(m)) for m in memberships]
        if 0 not in joined:
            raise OSError(f"the reference cannot join {group}")

    def _connected(self, ip: str, port: int) -> int:
        """A connected socket, or -1."""
        socket: int = self._zt.zts_socket(family(ip), SOCK_STREAM, 0)
        if self._zt.zts_connect(socket, ip.encode(), port, 20_000) == 0:
            return socket
        self._zt.zts_close(socket)
        return -1

    def _accept(self, listener: int) -> None:
        text, port = self._ffi.new(f"char[{ADDRESS_TEXT}]"), self._ffi.new("unsigned short *")
        while True:
            socket = self._zt.zts_accept(listener, text, ADDRESS_TEXT, port)
            if socket >= 0:
                in_background(self._send_back, socket)

    def _send_back(self, socket: int) -> None:
        buffer = self._ffi.new("char[65536]")
        while True:
            length = self._zt.zts_read(socket, buffer, 65536)
            if length <= 0 or not self._write(socket, bytes(self._ffi.buffer(buffer, length))):
                break
        self._zt.zts_close(socket)

    def _write(self, socket: int, data: bytes) -> bool:
        while data:
            written = self._zt.zts_write(socket, data, len(data))
            if written <= 0:
                return False
            data = data[written:]
        return True

    def _read(self, socket: int, length: int) -> bytes:
        """`length` bytes, or fewer if the connection ends."""
        buffer, data = self._ffi.new(f"char[{length}]"), b""
        while len(data) < length:
            got = self._zt.zts_read(socket, buffer, length - len(data))
            if got <= 0:
                break
            data += bytes(self._ffi.buffer(buffer, got))
        return data


def run_one_thread_at_a_time() -> None:
    """Lets no thread of this process interrupt another.

    The library's TCP stack is not safe against two of its threads at once: used from more than one
    core, or preempted, it crashes within some hundred packets. On one core, and first in first out, a
    thread goes on until it waits for something, which is when it is safe for another to go on.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--planet", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", default=CURRENT)
    arguments = parser.parse_args()
    run_one_thread_at_a_time()
    node = ReferenceNode(arguments.home, arguments.planet.read_bytes(), arguments.port, arguments.version)
    in_background(node.come_online)
    obey(node)
    # The library's own threads do not end; the process does.
    os._exit(0)


if __name__ == "__main__":
    main()
