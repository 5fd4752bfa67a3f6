"""Sites that let no UDP pass: members there are reached by a TCP relay."""
from __future__ import annotations

import sys
import time
from typing import List, Optional, Set

import symptoms
from namespaces import Host
from network import MEGABYTE, PrivateNetwork
from world import HERE, Ours, Peer, World

RELAY_PORT = 443
RESORTED_TO_SECONDS = 90.0
"""A minute without an answer, and what coming online takes then."""
MET_SECONDS = 30.0
BACK_SECONDS = 90.0
"""Roots are tried by UDP every minute at least, and the connection is kept for 30 s after one has answered, as others
may send to where the relay stood for it."""


def tcp_relay_stands_in(world: World) -> str:
    """Two members without UDP talk to each other, to ours and to the reference, and by UDP as soon as that passes."""
    network = PrivateNetwork(world)
    at = world.host("relay")
    relay = world.speaker("relay", at, sys.executable, str(HERE / "tcp_relay.py"), at.ip, str(RELAY_PORT))
    relay.wait("listening", 5)
    shut_in = [network.new_member(name, "--tun", "--tcp-relay", f"{at.ip}:{RELAY_PORT}") for name in ("one", "two")]
    world.internet.block_udp(*(member.host for member in shut_in))
    reference = network.launch("reference")
    network.start()
    network.admit(reference)

    started = time.monotonic()
    network.let_in(*shut_in, within=RESORTED_TO_SECONDS)
    online = time.monotonic() - started
    for member in shut_in:
        world.internet.count(at, member.host)
    others: List[Peer] = [network.member, reference]
    meet(network, shut_in, others, "tcp relay")
    for member in shut_in:
        assert world.internet.counted(at, member.host) > 8 * MEGABYTE, "something went another way"
    same_place(network.member.path_to(shut_in[0]), at)

    world.internet.allow_udp()
    allowed = time.monotonic()
    for member in shut_in:
        member.speaker.wait("tcp relay", BACK_SECONDS, lambda e: not e["connected"])
    back = time.monotonic() - allowed
    ended = [relay.wait("gone", 5, lambda e: e["from"] == member.host.ip) for member in shut_in]
    assert all(end["why"] == "closed" and end["forwarded"] and end["returned"] for end in ended), ended
    relayed = [world.internet.counted(at, member.host) for member in shut_in]
    meet(network, shut_in, others, "direct")
    assert [world.internet.counted(at, member.host) for member in shut_in] == relayed, "something went by the relay"
    same_place(network.member.path_to(shut_in[0]), shut_in[0].host)
    return f"online after {online:.0f} s, without the relay {back:.0f} s after UDP passed"


def meet(network: PrivateNetwork, shut_in: List[Ours], others: List[Peer], reason: str) -> None:
    """They exchange bytes in both directions, and those shut in say for this `reason` how they reach the rest."""
    for member in shut_in:
        for other in [*shut_in, *others]:
            if other is not member:
                member.ping(other.ip(network.id))
                member.exchange(other.ip(network.id), MEGABYTE)
                other.exchange(member.ip(network.id), MEGABYTE)
    deadline = time.monotonic() + MET_SECONDS
    while (said := reasons(shut_in, others)) != {reason}:
        assert time.monotonic() < deadline, f"reached by {said}, not {reason}"
        time.sleep(0.5)


def same_place(path: Optional[str], host: Host) -> None:
    assert path and path.startswith(f"{host.ip}/"), path


def reasons(shut_in: List[Ours], others: List[Peer]) -> Set[str]:
    """For which reasons members that are shut in reach the others, and each other, the way they do."""
    said = {member: symptoms.explanations(member.speaker) for member in shut_in}
    return {said[member][other.address]["reason"]
            for member in shut_in for other in [*shut_in, *others] if other is not member}
