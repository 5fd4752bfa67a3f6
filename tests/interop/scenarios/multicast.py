"""Multicast reaches who listens, whoever sends: the case is mDNS, by IPv4 and IPv6."""
from __future__ import annotations

import time
from typing import Sequence

from agent import is_ipv6
from network import IPV6_POOL, PrivateNetwork
from world import Peer, Reference, World

MDNS_PORT = 5353
MDNS_GROUPS = ("224.0.0.251", "ff02::fb")
ANNOUNCED_SECONDS = 8.0
"""Ours looks every 5 s at what its kernel listens to, and every tick of the reference takes as long."""
HEARD_SECONDS = 10.0
TIMES = 10
EVERY_SECONDS = 0.2


def multicast_to_three_members(world: World) -> None:
    """What one member sends to a group is heard by three others, ours and the reference's, whosever it is."""
    network = PrivateNetwork(world, **IPV6_POOL)
    references = [network.launch("one"), network.launch("two")]
    network.start()
    ours = [network.member, network.add_member("second", "--tap")]
    for reference in references:
        network.admit(reference)
    members = [*ours, *references]
    for group in MDNS_GROUPS:
        for member in members:
            listen(network, member, group)
    # Who gathers a group's members before they have announced themselves asks again a minute later.
    time.sleep(ANNOUNCED_SECONDS)
    for group in MDNS_GROUPS:
        for sender in (ours[0], references[0], ours[1]):
            heard_by_others(network, sender, members, group)


def listen(network: PrivateNetwork, member: Peer, group: str) -> None:
    member.receive(address_like(network, member, group), MDNS_PORT, group=group)
    if isinstance(member, Reference):
        member.subscribe(network.id, group)


def heard_by_others(network: PrivateNetwork, sender: Peer, members: Sequence[Peer], group: str) -> None:
    text = f"{sender.host.name} to {group}"
    sender.send(address_like(network, sender, group), group, MDNS_PORT, text, TIMES, EVERY_SECONDS)
    for member in members:
        if member is not sender:
            member.hear(text, HEARD_SECONDS)


def address_like(network: PrivateNetwork, member: Peer, group: str) -> str:
    """Its own address of the IP version of `group`."""
    return member.ip6(network.id) if is_ipv6(group) else member.ip(network.id)
