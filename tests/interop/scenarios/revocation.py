"""Who is no longer a member is cut off, at once and whoever it talks to."""
from __future__ import annotations

import time
from typing import Dict

from network import PrivateNetwork
from world import Peer, World

ASKED, ANSWERED = 7100, 7101
EVERY_SECONDS = 0.02
BEFORE_SECONDS, TALK_SECONDS = 1.0, 4.0
CUT_WITHIN_SECONDS = 2.0
BACK_WITHIN_SECONDS = 15.0


def revocation_cuts_traffic(world: World) -> str:
    """Ours and the reference talk, each asking and answering; it ends whichever of them is denied."""
    network = PrivateNetwork(world)
    reference = network.launch("reference")
    network.start()
    ours = network.member
    network.admit(reference)
    for member in (ours, reference):
        member.receive(member.ip(network.id), ASKED, answers_to=ANSWERED)
        member.receive(member.ip(network.id), ANSWERED)
    ours.ping(reference.ip(network.id))

    measured = []
    for denied, other in ((reference, ours), (ours, reference)):
        cut = deny_while_talking(network, denied, other)
        late = {what: seconds for what, seconds in cut.items() if seconds > CUT_WITHIN_SECONDS}
        assert not late, f"{denied.host.name} was denied and went on: {late}"
        measured.append(f"{denied.host.name} denied: " + ", ".join(f"{w} {s:.3f} s" for w, s in cut.items()))
        for a, b in ((denied, other), (other, denied)):
            assert a.reaches(b.ip(network.id), within=BACK_WITHIN_SECONDS), "let in again, but not reached"
    return "; ".join(measured)


def deny_while_talking(network: PrivateNetwork, denied: Peer, other: Peer) -> Dict[str, float]:
    """Denies one of two while both ask each other, and lets it in again; how long what went on, in seconds."""
    about = {asker: f"until {denied.host.name} is denied, asks {asker.host.name}" for asker in (denied, other)}
    for asker, answerer in ((denied, other), (other, denied)):
        asker.send(asker.ip(network.id), answerer.ip(network.id), ASKED, about[asker],
                   int((BEFORE_SECONDS + TALK_SECONDS) / EVERY_SECONDS), EVERY_SECONDS)
    for asker in (denied, other):
        asker.hear(about[asker], 5)
    time.sleep(BEFORE_SECONDS)
    before = time.time()
    network.deny(denied.address)
    time.sleep(TALK_SECONDS)
    network.allow(denied.address)

    def until(hearer: Peer, asker: Peer) -> float:
        last = hearer.last_heard(about[asker])
        return last["at"] - before if last else 0.0

    cut = {"it was heard": until(other, denied), "it was answered": until(denied, denied),
           "it answered": until(other, other)}
    if other is network.member:
        # The reference goes on sending to whom it would not hear any more.
        cut["it heard"] = until(denied, other)
    return cut
