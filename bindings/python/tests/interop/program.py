"""Hosts a network, lets a member in and has it answer datagrams, as told by a line of JSON each."""

import asyncio
import json
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from libzt import Node, Packets, generate_identity, make_planet

ANSWER_SECONDS = 1
"""After which a datagram counts as lost, and is sent again."""


async def main(ip: str, home: str, planet_file: str) -> None:
    me = generate_identity()
    planet = make_planet({me.public: f"{ip}:9993"}).planet
    Path(planet_file).write_bytes(planet)
    root = Node(f"{home}/root", planet=planet, identity=me.secret, bind=[f"{ip}:9993"])
    controller = Node(f"{home}/controller", planet=planet, controller=True, bind=[f"{ip}:9994"])
    member = Node(f"{home}/member", planet=planet, bind=[f"{ip}:9995"])
    async with root, controller, member:
        hosted = await controller.create_network("lab", "10.77.0.0/24")
        await hosted.allow(member.address)
        network = await member.join(hosted.id)
        ours = (await network.ready(timeout=30)).addresses[0].address
        say(event="hosting", network=hosted.id)

        other = (await told())["allow"]
        await hosted.allow(other)
        wanted = await told()
        async with network.packets() as packets:
            answered = await ask(packets, ours, **wanted)
        path = {peer.address: peer.path for peer in await member.peers()}[other]
        say(event="answered", datagrams=answered, path=path)
        await told()


async def ask(
    packets: Packets, source: Any, ip: str, port: int, answer_port: int, datagrams: int
) -> int:
    """Sends datagrams of growing length, each when the last was answered; returns how many were."""
    answered = 0
    for number in range(datagrams):
        data = f"{number} ".encode() * (number + 1)
        for _ in range(10):
            await packets.send(udp_packet(source, ip_address(ip), answer_port, port, data))
            if await heard(packets, answer_port, data):
                answered += 1
                break
    return answered


async def heard(packets: Packets, port: int, data: bytes) -> bool:
    """Waits for a packet of UDP to a port that carries this."""
    try:
        while batch := await asyncio.wait_for(packets.receive(), ANSWER_SECONDS):
            for packet in batch:
                if packet[9] == 17 and packet[22:24] == port.to_bytes(2, "big") and packet[28:] == data:
                    return True
    except asyncio.TimeoutError:
        pass
    return False


def udp_packet(source: Any, to: Any, source_port: int, port: int, data: bytes) -> bytes:
    """Returns an IPv4 packet with a UDP datagram, which has no checksum."""
    length = 28 + len(data)
    head = b"\x45\0" + length.to_bytes(2, "big") + b"\0\0\0\0\x40\x11"
    addresses = source.packed + to.packed
    words = [int.from_bytes((head + addresses)[i : i + 2], "big") for i in range(0, 18, 2)]
    total = sum(words)
    checksum = 0xFFFF ^ (total + (total >> 16) & 0xFFFF)
    ports = source_port.to_bytes(2, "big") + port.to_bytes(2, "big")
    udp = ports + (length - 20).to_bytes(2, "big") + b"\0\0"
    return head + checksum.to_bytes(2, "big") + addresses + udp + data


def say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


async def told() -> "dict[str, Any]":
    """The next line of stdin; nothing once that has ended."""
    line = await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    return json.loads(line or "{}")


asyncio.run(main(*sys.argv[1:]))
