"""Our nodes and the reference's find and reach each other."""
from __future__ import annotations

import time

from network import MEGABYTE, PrivateNetwork
from reference import WITHOUT_AES, Library, Root, public_part
from world import PORT, Reference, World

A_FEW_BYTES = 64

PLANET_ID = 149604618
ADHOC_ALL_PORTS = "ff0000ffff000000"

COLD_START_SECONDS = 1.0
IDLE_MEGABYTES = 12.0
IDLE_FOR_SECONDS = 30.0
RELAY_RECOVERY_SECONDS = 90.0
REFERENCE_TICK_SECONDS = 5.0


def reference_only(world: World) -> None:
    """The harness itself: three reference nodes and no node of ours."""
    library = Library()
    identity = library.new_identity()
    (world.home("root") / "identity.secret").write_text(identity)
    (world.home("root") / "identity.public").write_text(public_part(identity))
    planet = world.file("planet")
    planet.write_bytes(library.planet(PLANET_ID, [Root(public_part(identity), [f"{world.host('root').ip}/{PORT}"])]))

    Reference(world, "root", planet)
    one, two = Reference(world, "one", planet), Reference(world, "two", planet)
    for node in (one, two):
        node.come_online()
        node.join(ADHOC_ALL_PORTS)
    world.internet.count(one.host, two.host)
    ip = two.ip(ADHOC_ALL_PORTS)
    one.ip(ADHOC_ALL_PORTS)
    two.echo(ip)
    one.exchange(ip, MEGABYTE)
    assert world.internet.counted(one.host, two.host) > 2 * MEGABYTE, "the traffic took another way"


def join_and_exchange(world: World) -> None:
    """A reference node joins our controller's network through our root, and talks directly to our member."""
    network = PrivateNetwork(world)
    network.start()
    reference = network.add_reference("reference")
    world.internet.count(network.member.host, reference.host)
    network.exchange_directly(reference)


def join_and_exchange_in_suite_1(world: World) -> None:
    """The same with a reference node that knows no AES."""
    network = PrivateNetwork(world)
    network.start()
    reference = network.add_reference("reference", version=WITHOUT_AES)
    world.internet.count(network.member.host, reference.host)
    network.exchange_directly(reference)


def relayed_when_direct_paths_are_blocked(world: World) -> str:
    """Member and reference node reach only the root: traffic is relayed, also by a root that was restarted."""
    network = PrivateNetwork(world)
    world.internet.block(world.host("member"), world.host("reference"))
    world.internet.count(world.host("root"), world.host("reference"))
    network.start()
    reference = network.add_reference("reference")
    network.exchange(reference)
    assert network.member.path_to(reference) == "relay", network.member.path_to(reference)
    relayed = world.internet.counted(network.root.host, reference.host)
    assert relayed > 4 * MEGABYTE, f"only {relayed} bytes went through the root"

    network.root.speaker.stop()
    network.root.start()
    restarted = time.monotonic()
    network.member.ping(reference.ip(network.id), RELAY_RECOVERY_SECONDS)
    recovered = time.monotonic() - restarted
    network.exchange(reference)
    return f"relaying again {recovered:.1f} s after the root was"


def exchange_after_root_restart(world: World) -> None:
    """Direct paths outlive the root, and a root that comes back serves old and new members."""
    network = PrivateNetwork(world)
    network.start()
    reference = network.add_reference("reference")
    world.internet.count(network.member.host, reference.host)
    network.exchange_directly(reference)

    network.root.speaker.stop()
    network.exchange_directly(reference)

    network.root.start()
    network.root.come_online()
    network.exchange_directly(reference)
    newcomer = network.add_reference("newcomer")
    world.internet.count(network.member.host, newcomer.host)
    network.exchange_directly(newcomer)


def all_pairs_ping(world: World) -> None:
    """Two reference nodes and our member reach each other in all pairs."""
    network = PrivateNetwork(world)
    network.start()
    references = [network.add_reference(name) for name in ("one", "two")]
    nodes = [network.member, *references]
    for reference in references:
        network.member.ping(reference.ip(network.id))
    for a in nodes:
        for b in nodes:
            if a is not b:
                a.exchange(b.ip(network.id), A_FEW_BYTES)


def cold_start_to_first_ping(world: World) -> str:
    """A member that has an identity, and nothing else, is started and pings a reference node."""
    network = PrivateNetwork(world)
    for node in (network.root, network.controller):
        node.start()
        node.come_online()
    reference = network.add_reference("reference")
    identity = world.home("member") / "identity.public"
    network.allow(identity.read_text().split(":")[0])
    # By then the reference has told the network that it can be asked for its address.
    time.sleep(REFERENCE_TICK_SECONDS + 1)
    pinging = network.member.start_pinging(reference.ip(network.id), seconds=20)
    started = time.time()
    network.member.start()
    seconds = pinging.wait("pong", 20)["at"] - started
    assert seconds <= COLD_START_SECONDS, f"{seconds:.3f} s to the first reply"
    return f"{seconds:.3f} s to the first reply"


def idle_member_is_small(world: World) -> str:
    """The resident memory of a member that has talked, and has nothing more to say."""
    network = PrivateNetwork(world)
    network.start()
    reference = network.add_reference("reference")
    network.exchange(reference)
    time.sleep(IDLE_FOR_SECONDS)
    resident = network.member.resident_megabytes()
    assert resident <= IDLE_MEGABYTES, f"{resident:.1f} MB resident"
    return f"{resident:.1f} MB resident"
