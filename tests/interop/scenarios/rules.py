"""Rules hold: on each side of a connection alone, and with the credentials they ask for."""
from __future__ import annotations

from typing import Iterable, Set

from network import IPV6_POOL, PrivateNetwork
from reference import WITHOUT_AES
from rules import ARP, IPV4, IPV6, accept, drop, ethertype, from_port, inbound, negated, tags_equal, to_port
from world import Ours, Peer, Reference, World

OPEN, CLOSED, CLOSED_BY_RECEIVER, CLOSED_BY_SENDER = 80, 81, 82, 83
PRINTER = 515
PORTS = {OPEN, CLOSED, CLOSED_BY_RECEIVER, CLOSED_BY_SENDER, PRINTER}
CLOSED_SECONDS = 1.3

BY_PORT = [
    *drop(to_port(CLOSED)),
    *drop(to_port(CLOSED_BY_RECEIVER), inbound()),
    *drop(to_port(CLOSED_BY_SENDER), negated(inbound())),
    *accept(),
]
WITHOUT_IPV6 = [*drop(ethertype(IPV6)), *accept()]
WITHOUT_ARP = [*drop(ethertype(ARP)), *accept()]

DEPARTMENT, SALES, ENGINEERING = 7, 100, 200
PRINTING = 9
IN_DEPARTMENT = [
    *accept(ethertype(ARP)),
    *accept(tags_equal(DEPARTMENT)),
]
MAY_PRINT = [
    *accept(ethertype(IPV4), to_port(PRINTER)),
    *accept(ethertype(IPV4), from_port(PRINTER)),
]


def drops_by_port_and_ethertype(world: World) -> None:
    """What rules forbid does not arrive, whichever side has to see to it; they change while all is running."""
    network = PrivateNetwork(world, rules=BY_PORT, **IPV6_POOL)
    reference, old = network.launch("reference"), network.launch("old", version=WITHOUT_AES)
    network.start()
    ours, third = network.member, network.add_member("third")
    for node in (reference, old):
        network.admit(node)
    for member in (ours, reference, old):
        listen(network, member, PORTS)

    for node in (reference, old):
        ours.ping(node.ip(network.id))
        each_reaches(network, ours, node, {OPEN, PRINTER})
    each_side_drops_alone(network, ours, reference)

    each_reaches_ipv6(network, ours, reference, True)
    network.change(rules=WITHOUT_IPV6)
    each_reaches_ipv6(network, ours, reference, False)
    each_reaches(network, ours, reference, PORTS)

    network.change(rules=WITHOUT_ARP)
    each_reaches_ipv6(network, ours, reference, True)
    # They do not know each other's Ethernet address yet, and may not ask.
    assert not third.reaches(old.ip(network.id), OPEN, CLOSED_SECONDS), "resolved without ARP"
    assert not old.reaches(third.ip(network.id), within=CLOSED_SECONDS), "resolved without ARP"
    network.change(rules=accept())
    third.ping(old.ip(network.id))
    assert old.reaches(third.ip(network.id)), "not resolved with ARP"


def each_reaches(network: PrivateNetwork, ours: Ours, reference: Reference, expected: Set[int]) -> None:
    """Exactly the `expected` of all `PORTS` are reached, in both directions."""
    for sender, receiver in ((ours, reference), (reference, ours)):
        ip = receiver.ip(network.id)
        reached = sender.reached(ip, expected) | sender.reached(ip, PORTS - expected, CLOSED_SECONDS)
        assert reached == expected, f"{sender.host.name} reached {reached} of {receiver.host.name}"


def each_reaches_ipv6(network: PrivateNetwork, ours: Ours, reference: Reference, expected: bool) -> None:
    within = 20 if expected else CLOSED_SECONDS
    for sender, receiver in ((ours, reference), (reference, ours)):
        reaches = sender.reaches(receiver.ip6(network.id), OPEN, within)
        assert reaches == expected, f"{sender.host.name} to {receiver.host.name} by IPv6: {reaches}"


def each_side_drops_alone(network: PrivateNetwork, ours: Ours, reference: Reference) -> None:
    """Our member drops what it has to drop, and only that; the rest is dropped at the other end."""
    for sender, receiver, drops_here in ((ours, reference, {CLOSED, CLOSED_BY_SENDER}),
                                         (reference, ours, {CLOSED_BY_RECEIVER})):
        for port in (CLOSED, CLOSED_BY_RECEIVER, CLOSED_BY_SENDER):
            before = ours.dropped("filtered")
            assert not sender.reaches(receiver.ip(network.id), port, CLOSED_SECONDS)
            dropped = ours.dropped("filtered") - before
            assert (dropped > 0) == (port in drops_here), f"{sender.host.name} to {port}: we dropped {dropped}"


def tags_and_capabilities(world: World) -> None:
    """Who has the same tag may talk, who has a capability may do more; both are given and taken while running."""
    network = PrivateNetwork(world, rules=IN_DEPARTMENT, tags=[{"id": DEPARTMENT, "default": SALES}],
                             capabilities=[{"id": PRINTING, "rules": MAY_PRINT}])
    reference = network.launch("reference")
    network.start()
    ours = network.member
    network.admit(reference)
    # What it is given after its first frames, the reference does not show to others soon.
    for member in (ours, reference):
        network.change_member(member, capabilities=[PRINTING])
    for member in (ours, reference):
        listen(network, member, PORTS)
    ours.ping(reference.ip(network.id))
    each_reaches(network, ours, reference, PORTS)

    for moved in (reference, ours):
        network.change_member(moved, tags=[[DEPARTMENT, ENGINEERING]])
        each_reaches(network, ours, reference, {PRINTER})
        network.change_member(moved, tags=[[DEPARTMENT, SALES]])
        each_reaches(network, ours, reference, PORTS)

    network.change_member(ours, tags=[[DEPARTMENT, ENGINEERING]], capabilities=[])
    each_reaches(network, ours, reference, set())
    network.change_member(ours, capabilities=[PRINTING])
    each_reaches(network, ours, reference, {PRINTER})


def listen(network: PrivateNetwork, member: Peer, ports: Iterable[int]) -> None:
    for port in ports:
        for ip in member.ips(network.id):
            member.echo(ip, port)
