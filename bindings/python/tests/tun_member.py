"""Run in a network namespace of its own: the kernel sends by Alice's TUN device, Bob reads."""

import asyncio
import socket
import subprocess
import tempfile
from pathlib import Path

from lab import lab

import libzt


async def main(home: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    async with lab(home) as world, world.member("alice") as alice, world.member("bob") as bob:
        at_alice, _ = await world.admit(alice)
        at_bob, bob_ip = await world.admit(bob)
        await at_alice.attach(libzt.Tun("zt-alice"))
        async with at_bob.packets() as to_bob:
            arrival = asyncio.ensure_future(arrived(to_bob, b"by the kernel"))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
                while not arrival.done():
                    try:
                        program.sendto(b"by the kernel", (str(bob_ip), 9))
                    except OSError:
                        pass  # The interface is not configured yet.
                    await asyncio.wait([arrival], timeout=0.2)
    print("the kernel's datagram arrived")


async def arrived(packets: libzt.Packets, payload: bytes) -> None:
    async for batch in packets:
        if any(packet.endswith(payload) for packet in batch):
            return


with tempfile.TemporaryDirectory() as directory:
    asyncio.run(asyncio.wait_for(main(Path(directory)), 50))
