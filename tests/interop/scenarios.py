"""What must hold between our nodes and the reference's. Each scenario is a function of a fresh world."""
from __future__ import annotations

from world import PORT, Reference, World
from reference import Library, Root, public_part

MEGABYTE = 1 << 20
PLANET_ID = 149604618
ADHOC_ALL_PORTS = "ff0000ffff000000"


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


ALL = [reference_only]
