"""Who is no longer a member is cut off, at once and whoever it talks to."""
from __future__ import annotations

import time
from typing import Dict, Tuple

from network import PrivateNetwork
from world import Peer, World

PORT = 7100
EVERY_SECONDS = 0.02
STREAM_SECONDS = 6.0
CUT_WITHIN_SECONDS = 2.0
BACK_WITHIN_SECONDS = 10.0


def revocation_cuts_traffic(world: World) -> str:
    """Traffic between ours and the reference stops in both directions, whichever of them is denied."""
    network = PrivateNetwork(world)
    reference = network.launch("reference")
    network.start()
    ours = network.member
    network.admit(reference)
    for member in (ours, reference):
        member.receive(member.ip(network.id), PORT)
    ours.ping(reference.ip(network.id))

    measured = []
    for denied in (reference, ours):
        cut = cut_by_denying(network, ours, reference, denied)
        measured += [f"{way} {seconds:.3f} s after {denied.host.name} was denied" for way, seconds in cut.items()]
    return ", ".join(measured)


def cut_by_denying(network: PrivateNetwork, ours: Peer, reference: Peer, denied: Peer) -> Dict[str, float]:
    """Denies one of the two while both send; the seconds until the last datagram came, each way."""
    ways: Tuple[Tuple[Peer, Peer], ...] = ((ours, reference), (reference, ours))
    for sender, receiver in ways:
        sender.send(sender.ip(network.id), receiver.ip(network.id), PORT, f"until {denied.host.name} is denied",
                    int(STREAM_SECONDS / EVERY_SECONDS), EVERY_SECONDS)
    for _, receiver in ways:
        receiver.hear(f"until {denied.host.name} is denied", 5)
    time.sleep(1)
    before = time.time()
    network.deny(denied.address)
    time.sleep(STREAM_SECONDS)
    cut = {}
    for sender, receiver in ways:
        last = receiver.last_heard(f"until {denied.host.name} is denied")
        assert last is not None
        cut[f"{sender.host.name} to {receiver.host.name}"] = last["at"] - before
    network.allow(denied.address)
    print(cut)
    for sender, receiver in ways:
        assert sender.reaches(receiver.ip(network.id), within=BACK_WITHIN_SECONDS), "not back"
    late = {way: seconds for way, seconds in cut.items() if seconds > CUT_WITHIN_SECONDS}
    assert not late, f"still arriving: {late}"
    return cut
