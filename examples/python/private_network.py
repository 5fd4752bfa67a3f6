"""A whole private network in one process: a root, a controller and two members, over loopback.

Alice sends Bob an IP packet. Nothing outside this machine is asked anything.
"""

import asyncio
import tempfile
from functools import partial

from libzt import Node, generate_identity, make_planet

ROOT, ANY = "127.0.0.1:19993", "127.0.0.1:0"  # where the root is found, and all others wherever


async def private_network(home: str) -> None:
    me = generate_identity()
    node = partial(Node, planet=make_planet({me.public: ROOT}).planet, allow_loopback=True)
    root = node(f"{home}/root", identity=me.secret, bind=[ROOT])
    controller = node(f"{home}/controller", controller=True, bind=[ANY])
    alice, bob = (node(f"{home}/{name}", bind=[ANY]) for name in ("alice", "bob"))
    async with root, controller, alice, bob:
        hosted = await controller.create_network("lab", "10.1.0.0/24")
        await hosted.allow(alice.address, bob.address)
        networks = [await member.join(hosted.id) for member in (alice, bob)]
        here, there = [(await network.ready(timeout=30)).addresses[0].address for network in networks]
        async with networks[0].packets() as to_bob, networks[1].packets() as to_alice:
            await to_bob.send(udp_packet(here.packed, there.packed, b"hello"))
            print(there, "received", (await to_alice.receive())[0][28:])


def udp_packet(source: bytes, to: bytes, data: bytes) -> bytes:
    """Returns an IPv4 packet with a UDP datagram to port 9, both without checksums."""
    length = 28 + len(data)
    head = bytes((0x45, 0)) + length.to_bytes(2, "big") + bytes((0, 0, 0, 0, 64, 17, 0, 0))
    udp = bytes((0, 9, 0, 9)) + (length - 20).to_bytes(2, "big") + bytes(2)
    return head + source + to + udp + data


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(private_network(home))
