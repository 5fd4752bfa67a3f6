"""A private network, as a program sees it."""

import asyncio
import ipaddress
import os
import re
import runpy
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from lab import PATIENCE, ip_packet, lab, loopback

import libzt

EXAMPLE = Path(__file__).parents[3] / "examples/python/private_network.py"
PAYLOAD_LEN = 2_700
BATCH = 32
TOTAL = 4 * 1024 * 1024


async def meet(sender: libzt.Packets, packet: bytes, receiver: libzt.Packets) -> None:
    """Sends a packet until it arrives, as the first ones may find no path."""
    arrival = asyncio.ensure_future(receiver.receive())
    while not arrival.done():
        await sender.send(packet)
        await asyncio.wait([arrival], timeout=0.2)
    assert packet in await arrival


async def exchange(sender: libzt.Packets, head: bytes, receiver: libzt.Packets) -> None:
    """Sends so much, no faster than it is received; all of it has to arrive as it was."""
    for start in range(0, TOTAL // PAYLOAD_LEN, BATCH):
        numbers = range(start, start + BATCH)
        batch = {head + number.to_bytes(4, "big") * (PAYLOAD_LEN // 4) for number in numbers}
        await sender.send(batch)
        while batch:
            batch.difference_update(await asyncio.wait_for(receiver.receive(), PATIENCE))


async def test_a_wrong_fingerprint_is_where_the_network_stands(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice:
        await world.hosted.allow(alice.address)
        network = await alice.join(world.hosted.id, fingerprint="7" * 96)
        async for event in alice.events():
            if isinstance(event, libzt.NetworkChanged):
                if event.status.standing is libzt.Standing.IDENTITY_CONFLICT:
                    break
        right = await world.controller.fingerprint()
        assert right is not None
        await alice.pin(world.controller.address, right)
        assert (await network.ready(PATIENCE)).standing is libzt.Standing.OK


async def test_megabytes_pass_both_ways(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice, world.member("bob") as bob:
        at_alice, alice_ip = await world.admit(alice)
        at_bob, bob_ip = await world.admit(bob)
        async with at_alice.packets() as to_bob, at_bob.packets() as to_alice:
            there = ip_packet(alice_ip, bob_ip, bytes(PAYLOAD_LEN))
            back = ip_packet(bob_ip, alice_ip, bytes(PAYLOAD_LEN))
            await meet(to_bob, there, to_alice)
            await meet(to_alice, back, to_bob)
            await asyncio.gather(
                exchange(to_bob, there[:20], to_alice), exchange(to_alice, back[:20], to_bob)
            )

            (peer,) = (peer for peer in await alice.peers() if peer.address == bob.address)
            assert peer.path == bob.bound[0]
            explained = await alice.explain(bob.address)
            assert explained is not None
            assert explained.reason is libzt.Reason.DIRECT
            verdict = await at_alice.would_allow(bob.address, there, libzt.Direction.OUTBOUND)
            assert verdict.passes


async def test_packets_end_when_others_take_over(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice:
        network, _ = await world.admit(alice)
        async with network.packets() as first, network.packets() as second:
            assert [batch async for batch in first] == []
            with pytest.raises(libzt.Stopped):
                await first.send(b"packet")
            with pytest.raises(ValueError, match="at least one byte"):
                await second.send([b""])
            await alice.stop()
            assert [batch async for batch in second] == []


async def test_frames_go_by_a_descriptor_of_the_programs_own(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice, world.member("bob") as bob:
        at_alice, _ = await world.admit(alice)
        at_bob, _ = await world.admit(bob)
        theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                mode = libzt.PortMode.L2
                await at_alice.attach(libzt.Descriptor(theirs.fileno(), mode))
            ours.setblocking(False)
            async with at_bob.packets(libzt.PortMode.L2) as to_bob:
                macs = [(await network.status()).mac for network in (at_bob, at_alice)]
                addresses = b"".join(bytes.fromhex(mac.replace(":", "")) for mac in macs)
                frame = addresses + b"\x08\x00" + bytes(46)
                arrival = asyncio.ensure_future(to_bob.receive())
                while not arrival.done():
                    ours.send(frame)
                    await asyncio.wait([arrival], timeout=0.2)
                assert frame in await arrival


async def test_who_is_denied_is_told_and_may_come_back(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice:
        joined = await alice.join(world.hosted.id)
        async for event in alice.events():
            if isinstance(event, libzt.NetworkChanged):
                if event.status.standing is libzt.Standing.ACCESS_DENIED:
                    break
        with pytest.raises(libzt.Timeout):
            await joined.ready(timeout=0.1)

        network, address = await world.admit(alice)
        assert (await network.plan()).addresses[0].address == address
        assert address in ipaddress.ip_network("10.1.0.0/24")
        assert [status.id for status in await alice.networks()] == [network.id]
        assert await alice.memberships() == [network.id]
        await network.leave()
        async for event in alice.events():
            if event == libzt.NetworkLeft(network.id):
                break
        with pytest.raises(libzt.NotJoined):
            await network.status()


async def test_a_controller_is_who_its_fingerprint_says(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice, world.member("bob") as bob:
        await world.hosted.allow(alice.address, bob.address)
        right = await world.controller.fingerprint()
        network = await alice.join(world.hosted.id, fingerprint=right)
        await network.ready(PATIENCE)
        wrong = await world.root.fingerprint()
        with pytest.raises(libzt.Timeout):
            await (await bob.join(world.hosted.id, fingerprint=wrong)).ready(timeout=2)

        pins = await alice.pins()
        assert [pin.address for pin in pins.pinned] == [world.controller.address]
        await alice.unpin(world.controller.address)
        with pytest.raises(libzt.NotFound):
            await alice.unpin(world.controller.address)
        await alice.require_pinned()
        assert (await alice.pins()).required


async def test_roots_are_named_and_moons_asked_for(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice:
        async for event in alice.events():
            if event == libzt.Online(True):
                break
        assert (await alice.status()).online
        worlds = await alice.worlds()
        (root,) = worlds.planet.roots
        assert root.address == world.root.address
        assert root.contact is libzt.Contact.ANSWERS
        assert root.path == world.root.bound[0]

        moon = world.controller.address
        await alice.orbit(moon.rjust(16, "0"), world.root.address)
        (wanted,) = (await alice.worlds()).wanted
        assert wanted.seeds == [world.root.address]
        await alice.deorbit(wanted.id)
        with pytest.raises(libzt.World):
            await alice.orbit_file(world.planet)


async def test_what_a_network_may_do_is_set(tmp_path: Path) -> None:
    async with lab(tmp_path) as world, world.member("alice") as alice:
        network, address = await world.admit(alice)
        before = await network.plan()
        narrow = libzt.Prefix(address=ipaddress.ip_address("10.9.0.0"), bits=16)
        await network.set_settings(libzt.Settings(only=[narrow]))

        assert (await network.settings()).only == [narrow]
        plan = await network.plan()
        assert plan.addresses == []
        assert libzt.diff_plans(before, plan) is libzt.PlanChange.REESTABLISH
        assert libzt.diff_plans(plan, plan) is libzt.PlanChange.NOTHING


async def test_drops_are_counted_by_reason(tmp_path: Path) -> None:
    async with loopback(tmp_path / "node") as node:
        host, port = node.bound[0].rsplit(":", 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"noise", (host, int(port)))
            while not (statistics := await node.statistics()).drops:
                await asyncio.sleep(0.01)
        (drop,) = statistics.drops
        assert re.fullmatch("[a-z_]+", drop.reason)
        assert drop.count == 1


def test_the_example_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    example = runpy.run_path(str(EXAMPLE))
    asyncio.run(asyncio.wait_for(example["private_network"](str(tmp_path)), PATIENCE))
    assert capsys.readouterr().out.endswith("received b'hello'\n")


@pytest.mark.skipif(
    not (os.path.exists("/dev/net/tun") and os.geteuid() == 0 and shutil.which("ip")),
    reason="TUN needs Linux, iproute2 and root rights",
)
def test_the_kernel_takes_part_by_a_tun_device() -> None:
    unshare = shutil.which("unshare")
    assert unshare
    script = Path(__file__).with_name("tun_member.py")
    inside = [unshare, "--net", sys.executable, script]
    ran = subprocess.run(inside, capture_output=True, text=True, timeout=PATIENCE * 2, check=False)
    assert (ran.returncode, ran.stdout) == (0, "the kernel's datagram arrived\n"), ran.stderr
