"""How a node starts, what it says, how it stops, and what is left of it then."""

import asyncio
import gc
import ipaddress
import json
import os
import re
import socket
import threading
from pathlib import Path

import pytest
from lab import PATIENCE, loopback

import libzt
from libzt import errors

NETWORK = "8056c2e21c000001"
ERRORS_RS = Path(__file__).parents[3] / "ffi/src/facade/error.rs"


async def test_a_node_starts_stops_and_starts_again_as_itself(tmp_path: Path) -> None:
    node = loopback(tmp_path / "node")
    with pytest.raises(libzt.Stopped):
        _ = node.address
    async with node:
        address, fingerprint = node.address, await node.fingerprint()
        assert re.fullmatch("[0-9a-f]{10}", address)
        assert node.identity.startswith(address)
        assert libzt.read_identity(node.identity).fingerprint == fingerprint
        assert await node.start() is node
        assert not (await node.status()).online
    await node.stop()
    with pytest.raises(libzt.Stopped):
        await node.status()
    async with node:
        assert node.address == address


async def test_whoever_waits_is_told_that_the_node_stops(tmp_path: Path) -> None:
    node = await loopback(tmp_path / "node").start()
    network = await node.join(NETWORK)

    async def all_events() -> "list[libzt.Event]":
        return [event async for event in node.events()]

    listening = [asyncio.ensure_future(all_events()) for _ in range(3)]
    ready = asyncio.ensure_future(network.ready())
    await asyncio.sleep(0)
    await node.stop()

    await asyncio.wait_for(asyncio.gather(*listening), PATIENCE)
    with pytest.raises(libzt.Stopped):
        await ready


async def test_each_event_is_given_to_one(tmp_path: Path) -> None:
    async with loopback(tmp_path / "node") as node:
        network = await node.join(NETWORK)
        await network.leave()

        async def left() -> int:
            return sum([isinstance(event, libzt.NetworkLeft) async for event in node.events()])

        counts = [asyncio.ensure_future(left()) for _ in range(2)]
        await asyncio.sleep(0.2)
        await node.stop()
        assert sum(await asyncio.gather(*counts)) == 1


async def test_a_cancelled_wait_takes_nothing(tmp_path: Path) -> None:
    async with loopback(tmp_path / "node") as node:
        network = await node.join(NETWORK)
        for _ in range(20):
            waiting = asyncio.ensure_future(network.ready())
            await asyncio.sleep(0.001)
            waiting.cancel()
        assert (await network.status()).standing is libzt.Standing.REQUESTING


async def test_what_is_wrong_is_said_by_kind(tmp_path: Path) -> None:
    async with loopback(tmp_path / "node") as node:
        for kind, call in [
            (libzt.InvalidNetwork, node.join("0000000000000007")),
            (libzt.InvalidArgument, node.join("no network")),
            (libzt.InvalidArgument, node.join(NETWORK, fingerprint="abc")),
            (libzt.InvalidDescriptor, node.join(NETWORK, libzt.Descriptor(1_000_000))),
            (libzt.NotJoined, node.network(NETWORK).attach(None)),
            (libzt.NotFound, node.deorbit("0000008056c2e21c")),
            (libzt.UnknownNetwork, node.hosted_network(NETWORK).allow(node.address)),
            (libzt.InvalidArgument, node.create_network("lab", "10.1.0.0/33")),
            (libzt.InvalidArgument, node.create_network("lab", pools=["10.1.0.9-10.1.0.1"])),
        ]:
            with pytest.raises(kind) as raised:
                await call
            assert type(raised.value) is kind
            assert raised.value.__cause__ is None
        with pytest.raises(libzt.Bind):
            await loopback(tmp_path / "other", bind=node.bound).start()
    with pytest.raises(libzt.CorruptIdentity):
        other = libzt.generate_identity().secret
        await loopback(tmp_path / "node", identity=other).start()
    with pytest.raises(libzt.InvalidArgument):
        await loopback(tmp_path / "node", port=9).start()
    with pytest.raises(libzt.InvalidArgument, match="no identity|identity"):
        libzt.read_identity("nobody")
    with pytest.raises(libzt.World):
        libzt.make_planet({})


@pytest.mark.skipif(not ERRORS_RS.exists(), reason="needs the sources of the library")
def test_every_error_of_the_library_has_its_kind_and_number() -> None:
    numbers = re.findall(r"Self::(\w+)[^=\n]* => (\d{3}),", ERRORS_RS.read_text())
    assert {name: int(code) for name, code in numbers} == {
        name: kind.code for name, kind in errors._BY_NAME.items()
    }
    for name, code in numbers:
        kind = getattr(libzt, name)
        groups = (libzt.CallerError, libzt.StateError, libzt.PeerError)
        groups += (libzt.StorageError, libzt.SystemFailure)
        assert issubclass(kind, groups[int(code) // 100 - 1])


async def test_the_library_says_what_it_does_to_logging(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    libzt.set_log_level(libzt.LogLevel.TRACE)
    caplog.set_level(1)
    forwarding = asyncio.ensure_future(libzt.forward_logs())
    try:
        async with loopback(tmp_path / "node"):
            while not any(record.name.startswith("zt") for record in caplog.records):
                await asyncio.sleep(0.01)
    finally:
        libzt.set_log_level(libzt.LogLevel.OFF)
        forwarding.cancel()


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="counts what Linux shows in /proc")
def test_a_hundred_nodes_leave_nothing_behind(tmp_path: Path) -> None:
    async def one() -> None:
        async with loopback(tmp_path / "node") as node:
            network = await node.join(NETWORK)
            async with network.packets() as packets:
                await packets.send(b"\x45" + bytes(19))

    def cycles(count: int) -> "tuple[int, int, int, int]":
        for _ in range(count):
            asyncio.run(one())
        gc.collect()
        descriptors = len(os.listdir("/proc/self/fd"))
        threads = len(os.listdir("/proc/self/task"))
        status = Path("/proc/self/status").read_text()
        (resident_kib,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
        return descriptors, threads, threading.active_count(), int(resident_kib)

    *before, resident_before = cycles(20)
    *after, resident_after = cycles(100)
    # What an earlier test left may have ended meanwhile.
    assert all(now <= then for now, then in zip(after, before)), (before, after)
    assert resident_after - resident_before < 8 * 1024, "KiB more than 100 nodes ago"


async def test_a_node_that_is_told_of_no_network_hears_nothing(tmp_path: Path) -> None:
    async with loopback(tmp_path / "node") as node:
        host, port = node.bound[0].rsplit(":", 1)

        async def drops_of_noise() -> int:
            before = await node.statistics()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"noise", (host, int(port)))
            await asyncio.sleep(0.3)
            after = await node.statistics()
            return sum(d.count for d in after.drops) - sum(d.count for d in before.drops)

        await node.set_conditions(offline=True)
        assert await drops_of_noise() == 0
        await node.set_conditions(metered=True)
        await node.network_changed()
        host, port = node.bound[0].rsplit(":", 1)
        assert await drops_of_noise() >= 1
        await node.sleep()
        assert await drops_of_noise() == 0
        await node.wake()
        wakeups = (await node.statistics()).wakeups
        assert wakeups.requests >= 10
        assert "peer_probe" in {timer.reason for timer in wakeups.timers if timer.count > 0}
        assert node.mapped_port is None


async def test_memory_is_bounded_as_asked_for_and_given_back(tmp_path: Path) -> None:
    home = tmp_path / "node"
    async with loopback(home, profile=libzt.Profile.PHONE) as phone:
        memory = (await phone.statistics()).memory
        assert memory.budget == 16 << 20
        assert 0 < memory.peers <= memory.total < 1 << 20
        await phone.trim_memory()
        assert (await phone.status()).address == phone.address
    async with loopback(home) as desktop:
        assert (await desktop.statistics()).memory.budget is None
    async with loopback(home, memory_budget=4 << 20) as bounded:
        assert (await bounded.statistics()).memory.budget == 4 << 20
    with pytest.raises(libzt.InvalidArgument, match="at least 4194304 bytes"):
        await loopback(home, memory_budget=(4 << 20) - 1).start()


async def test_a_relay_and_bonding_are_asked_for_and_told_of(tmp_path: Path) -> None:
    relay = libzt.TcpRelay(address="127.0.0.1:9", forced=True)
    settings = {"tcp_relay": relay, "bonding": libzt.Bonding.ACTIVE_BACKUP, "map_ports": True}
    async with loopback(tmp_path / "node", secondary_port=0, low_bandwidth=True, **settings) as node:
        status = await node.status()
        assert status.tcp_relay is libzt.TcpRelayStatus.CONNECTING
        assert status.trusted_paths == []
        # What is bound to loopback no gateway leads to.
        assert node.port_mapping is None
    async with loopback(tmp_path / "node") as node:
        assert (await node.status()).tcp_relay is libzt.TcpRelayStatus.OFF


async def test_trusted_paths_are_those_of_local_conf_as_it_was_read_last(tmp_path: Path) -> None:
    home = tmp_path / "node"
    home.mkdir()
    physical = {"10.20.0.0/16": {"trustedPathId": 7}}
    (home / "local.conf").write_text(json.dumps({"physical": physical}))
    async with loopback(home) as node:
        prefix = libzt.Prefix(address=ipaddress.ip_address("10.20.0.0"), bits=16)
        trusted = [libzt.TrustedPath(prefix=prefix, id=7)]
        assert (await node.status()).trusted_paths == trusted
        unclear = {"physical": {"10.1.0.0/99": {"blacklist": True}}}
        (home / "local.conf").write_text(json.dumps(unclear))
        with pytest.raises(libzt.CorruptState, match=r"physical\.10\.1\.0\.0/99"):
            await node.reload_local_conf()
        assert (await node.status()).trusted_paths == trusted
        # What can wait, or cannot be understood, is a warning.
        (home / "local.conf").write_text(json.dumps({"settings": {"primaryPort": "x"}}))
        await node.reload_local_conf()
        assert (await node.status()).trusted_paths == []


async def test_a_node_whose_sockets_are_refused_does_not_start(tmp_path: Path) -> None:
    def refuse(fd: int) -> bool:
        return False

    def fail(fd: int) -> None:
        raise OSError("no VPN")

    for protect, cause in (refuse, None), (fail, "no VPN"):
        for where in {"bind": ["127.0.0.1:0"]}, {"bind": [], "port": 0}:
            node = loopback(tmp_path / "node", protect=protect, **where)
            with pytest.raises(libzt.Bind) as raised:
                await node.start()
            assert (cause and str(raised.value.__cause__)) == cause


async def test_every_socket_is_shown_before_it_is_used(tmp_path: Path) -> None:
    early: "list[int]" = []
    late: "list[int]" = []
    async with loopback(tmp_path / "node", protect=early.append) as node:
        assert len(early) == 1
        with socket.socket(fileno=os.dup(early[0])) as shown:
            assert shown.type == socket.SOCK_DGRAM
        await node.network_changed()
        assert len(early) == 2
        await node.set_protect(late.append)
        await node.network_changed()
        assert (len(early), len(late)) == (2, 2)

        def refuse(fd: int) -> None:
            raise OSError("no VPN")

        with pytest.raises(libzt.NotPermitted) as raised:
            await node.set_protect(refuse)
        assert str(raised.value.__cause__) == "no VPN"


class Records:
    """A storage of the program's, which forgets everything with it."""

    def __init__(self) -> None:
        self.content: "dict[str, bytes]" = {}
        self.refused: "str | None" = None
        self.threads: "set[int]" = set()

    def read(self, name: str) -> "bytes | None":
        self.threads.add(threading.get_ident())
        if name == self.refused:
            raise OSError("the key store is locked")
        return self.content.get(name)

    def write(self, name: str, content: bytes) -> None:
        self.threads.add(threading.get_ident())
        self.content[name] = content

    def remove(self, name: str) -> None:
        self.content.pop(name, None)

    def list(self, prefix: str) -> "list[str]":
        return [name for name in self.content if name.startswith(prefix)]


async def test_a_node_is_kept_by_the_program_and_its_secret_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records, key = Records(), bytes(range(32))
    async with loopback(records) as node:
        address = node.address
        await node.join(NETWORK)
    assert records.content["identity.secret"].startswith(address.encode())
    async with loopback(records, storage_key=key) as node:
        assert node.address == address
        assert await node.memberships() == [NETWORK]
    assert records.content["identity.secret"].startswith(b"ztsealed")
    for other in (None, bytes(32)):
        with pytest.raises(libzt.Sealed, match="storage key"):
            await loopback(records, storage_key=other).start()
    with pytest.raises(libzt.InvalidArgument):
        await loopback(records, storage_key=b"short").start()
    records.refused = "epoch"
    with pytest.raises(libzt.Storage, match="OSError: the key store is locked"):
        await loopback(records, storage_key=key).start()
    assert threading.get_ident() not in records.threads
    assert not any(tmp_path.iterdir())
