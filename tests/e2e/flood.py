"""What must hold for a flow that goes on while strangers flood a node it depends on, one function each.

The flow is TCP through the network, as fast as it goes. Its ends, what is between them and who floods share the
machine's cores, so rates are compared only with those just before, in the same run.
"""
from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, List

from world import GATEWAY, PORT, SERVER_PORT, Node, World

import symptoms  # of interop, which `world` leads to
from jsonlines import Speaker

FLOODER = Path(__file__).resolve().parents[2] / "target/debug/examples/flood"
PER_SECOND = 10_000
ROUNDS, ROUND_SECONDS = 4, 2
TRIES = 6
"""How many rounds are made until there are that many of floods."""
BETWEEN_SECONDS = 0.5
KEPT = 0.8
"""What must be left of the rate, in the best of the rounds: the machine has other things to do as well."""
SLOWEST = 1.1
"""How much longer than asked a flood may take to be one: rounds of others do not count."""
REACHED = 0.5
"""Which part of the flood must reach the node, for it to show anything."""


def member_is_flooded(world: World) -> str:
    """One end of a direct flow is flooded."""
    world.start()
    world.member.speaker.wait("peer", 20, lambda e: e["address"] == world.gateway.address and e["path"] != "relay")
    return flooded(world, world.member)


def relaying_root_is_flooded(world: World) -> str:
    """The root is flooded that relays a flow."""
    world.internet.block_udp(world.member.host, world.gateway.host)
    world.start()
    return flooded(world, world.infra)


def flooded(world: World, node: Node) -> str:
    """Measures the flow from the member to the gateway without and with a flood of `node`, in turn."""
    identity = (node.home / "identity.public").read_text().strip()
    flooder = world.speaker("flooder", world.internet.hosts["server"], str(FLOODER), identity, f"{node.host.ip}:{PORT}",
                            str(PER_SECOND), str(ROUND_SECONDS), str(TRIES))
    flooder.wait("ready", 120)
    drain = world.program(world.gateway.host, "drain", GATEWAY, str(SERVER_PORT))
    drain.wait("listening", 5)
    world.program(world.member.host, "pour", GATEWAY, str(SERVER_PORT))
    before = refused(node)

    quiet, kept = [], []
    for tried in range(1, TRIES + 1):
        time.sleep(BETWEEN_SECONDS)
        without = rate(drain)
        since = flooder.mark()
        flooder.tell(do="flood")
        beside = rate(drain)
        said = flooder.wait("flooded", 10 * ROUND_SECONDS, since=since)
        if said["seconds"] < SLOWEST * ROUND_SECONDS:
            quiet.append(without)
            kept.append(beside / without)
        if len(kept) == ROUNDS:
            break
    assert len(kept) == ROUNDS, f"only {len(kept)} of {TRIES} were floods; the last: {said}"
    reached = (refused(node) - before) / (PER_SECOND * ROUND_SECONDS * tried)
    assert reached > REACHED, f"{reached:.0%} of the flood reached the node, which shows nothing"
    left = ", ".join(f"{part:.0%} of {rate * 8 / 1e9:.1f} Gbit/s" for part, rate in zip(kept, quiet))
    assert max(kept) >= KEPT, f"left are {left}"
    return f"left are {left}"


def rate(drain: Speaker) -> float:
    """How many bytes a second arrive in the time of a round."""
    first = drain.last("drained")
    time.sleep(ROUND_SECONDS)
    last = drain.last("drained")
    assert first and last and last["at"] > first["at"], "nothing arrives"
    return float(last["bytes"] - first["bytes"]) / float(last["at"] - first["at"])


def refused(node: Node) -> int:
    """How many strangers' HELLOs it has refused."""
    reasons = symptoms.drops(node.speaker)["reasons"]
    return sum(reasons.get(reason, 0) for reason in ("rate_limited", "unproven", "invalid_identity"))


ALL: List[Callable[[World], str]] = [member_is_flooded, relaying_root_is_flooded]
