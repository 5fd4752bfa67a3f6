"""Members find each other's Ethernet addresses: by ARP, by neighbour discovery, or from the IPv6 address alone."""
from __future__ import annotations

import time
from collections import Counter

from network import IPV6_POOL, PrivateNetwork
from rules import ARP, IPV6
from world import Event, Peer, Watch, World

ASKED_SECONDS = 20.0
UNANSWERED_SECONDS = 1.5
SEEN_SECONDS = 5.0
"""A connection may be there before whoever watches has said how it came about."""
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136


def arp_and_neighbour_discovery(world: World) -> str:
    """Two members that know nothing of each other talk by either IP version, whoever begins.

    Our member asks and answers itself; what passes the interface of another, whose kernel does, is counted.
    """
    network = PrivateNetwork(world, **IPV6_POOL)
    one, two = network.launch("one"), network.launch("two")
    network.start()
    ours, by_ethernet = network.member, network.add_member("by-ethernet", "--tap")
    for reference in (one, two):
        network.admit(reference)
    for member in (ours, by_ethernet, one, two):
        member.echo(member.ip6(network.id))
    watch = by_ethernet.watch("zt0")

    # Each pair meets for the first time, so who begins has to ask, and who answers too, by IPv6.
    for asker, asked in ((ours, one), (two, ours), (by_ethernet, two)):
        resolve(network, asker, asked)
    asked_by_us = passed(watch, 0, "question sent", "answer received")
    since = watch.mark()
    resolve(network, one, by_ethernet)
    asked_by_it = passed(watch, since, "question received", "answer sent")
    return f"we begin: {listed(asked_by_us)}; the reference begins: {listed(asked_by_it)}"


def resolve(network: PrivateNetwork, asker: Peer, asked: Peer) -> None:
    for ip in (asked.ip(network.id), asked.ip6(network.id)):
        assert asker.reaches(ip, within=ASKED_SECONDS), f"{asker.host.name} does not reach {ip}"


def passed(watch: Watch, since: int, *expected: str) -> Counter[str]:
    """What about neighbours has passed, once all that is expected has, by either IP version."""
    deadline = time.monotonic() + SEEN_SECONDS
    while True:
        counts = Counter(filter(None, map(question_or_answer, watch.seen(lambda _: True, since))))
        if all(counts[f"{kind} {what}"] for kind in ("ARP", "ND") for what in expected):
            return counts
        assert time.monotonic() < deadline, f"not {expected} by both, but {counts}"
        time.sleep(0.05)


def question_or_answer(frame: Event) -> str:
    """What a frame is, if it is about neighbours; otherwise nothing."""
    data = bytes.fromhex(frame["data"])
    if frame["ethertype"] == ARP:
        name = "ARP question" if data[7] == 1 else "ARP answer"
    elif frame["ethertype"] == IPV6 and data[6] == ICMPV6 and data[40] in (SOLICITATION, ADVERTISEMENT):
        name = "ND question" if data[40] == SOLICITATION else "ND answer"
    else:
        return ""
    return f"{name} {'sent' if frame['outgoing'] else 'received'}"


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))


def rfc4193_without_a_question(world: World) -> None:
    """Addresses by RFC 4193 are resolved without a packet."""
    resolved_without_a_question(world, "rfc4193")


def sixplane_without_a_question(world: World) -> None:
    """Addresses of 6PLANE are resolved without a packet."""
    resolved_without_a_question(world, "6plane")


def resolved_without_a_question(world: World, scheme: str) -> None:
    """Members talk by IPv6 on a network without multicast, where nobody could ask; by IPv4 they cannot."""
    network = PrivateNetwork(world, multicastLimit=0, v6AssignMode={scheme: True})
    reference = network.launch("reference")
    network.start()
    ours = network.member
    network.admit(reference)
    for member in (ours, reference):
        member.echo(member.ip6(network.id))
    ours.ping(reference.ip6(network.id))
    for asker, asked in ((ours, reference), (reference, ours)):
        ip = asked.ip6(network.id)
        assert asker.reaches(ip, within=ASKED_SECONDS), f"{asker.host.name} does not reach {ip}"
    assert not ours.reaches(reference.ip(network.id), within=UNANSWERED_SECONDS), "resolved without multicast"
