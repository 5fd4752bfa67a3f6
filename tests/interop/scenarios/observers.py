"""TEE and REDIRECT: a third member gets copies of what two others send each other, or all of it instead of them."""
from __future__ import annotations

from network import PrivateNetwork
from rules import accept, action, to_port
from world import Peer, Watch, World

COPIED, REDIRECTED, UNTOUCHED = 7201, 7202, 7203
SEEN_SECONDS = 5.0
TIMES = 5


def copied_and_redirected(world: World) -> None:
    """Datagrams between ours and the reference, in both directions, as a third member of ours sees them."""
    network = PrivateNetwork(world)
    reference = network.launch("reference")
    network.start()
    ours = network.member
    by_ip, by_ethernet = network.add_member("by-ip"), network.add_member("by-ethernet", "--tap")
    network.admit(reference)
    for member in (ours, reference):
        for port in (COPIED, REDIRECTED, UNTOUCHED):
            member.receive(member.ip(network.id), port)
    ours.ping(reference.ip(network.id))

    for observer in (by_ip, by_ethernet):
        network.change(rules=[
            *action("TEE", to_port(COPIED), address=observer.address, flags=0, length=0),
            *action("REDIRECT", to_port(REDIRECTED), address=observer.address, flags=0),
            *accept(),
        ])
        watch = observer.watch("zt0")
        for sender, receiver in ((ours, reference), (reference, ours)):
            observe(network, watch, sender, receiver)


def observe(network: PrivateNetwork, watch: Watch, sender: Peer, receiver: Peer) -> None:
    """Sends to all three ports, and looks at the last of each: by then all know each other's credentials."""
    way, since = f"{sender.host.name} to {receiver.host.name}", watch.mark()
    for port in (COPIED, REDIRECTED, UNTOUCHED):
        sender.send(sender.ip(network.id), receiver.ip(network.id), port, f"{way} at {port}", TIMES)
    copied, redirected, untouched = (f"{way} at {port} {TIMES - 1}" for port in (COPIED, REDIRECTED, UNTOUCHED))
    # Both who sends a datagram and who receives it copy it; only who sends it can redirect it.
    watch.see(copied, 2, SEEN_SECONDS, since)
    watch.see(redirected, 1, SEEN_SECONDS, since)
    receiver.hear(copied, SEEN_SECONDS)
    receiver.hear(untouched, SEEN_SECONDS)
    assert watch.times_seen(untouched, since) == 0, "copied, though no rule says so"
    assert receiver.last_heard(f"{way} at {REDIRECTED}") is None, "redirected, and arrived all the same"
