"""Translators and firewalls of the kernel between members: who meets directly, and who is relayed."""
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Callable, Iterable, List, NamedTuple

import symptoms
from namespaces import Lan, Router
from network import PrivateNetwork
from translators import DRAWING_PORTS, FIREWALL, KEEPING_PORTS, only_udp_to, turning_round
from world import PORT, REACHED_SECONDS, Ours, Peer, World

MEET_SECONDS = 30.0
WITHOUT_ROOT_SECONDS = 6.0
"""Longer than a path that has died goes on being used."""
UNREACHED_SECONDS = 2.0
EXPECTED = {True: ["direct"], False: ["no answer", "unpredictable ports"]}
"""How ours explains the way it reaches a peer, directly or not, once it has tried all there is."""


class Place(Enum):
    """What is between a member and the internet."""

    OPEN = "open"
    FIREWALL = "firewall"
    HOME = "home"
    """A router with a firewall that masquerades, as people have at home; each home has the same addresses."""
    CARRIER = "carrier"
    """A home whose provider's router is one as well."""
    RANDOM = "random"
    """A home whose router has another port for every far end."""
    BLOCKED = "blocked"
    """A host that reaches nobody but the root by UDP."""


KINDS = [Place.OPEN, Place.FIREWALL, Place.HOME, Place.CARRIER, Place.RANDOM]


def meet_directly(a: Place, b: Place) -> bool:
    """Whether two members can, by what they are behind.

    Who has another port for every far end is met only by those who let in anybody.
    """
    if Place.BLOCKED in (a, b):
        return False
    return Place.RANDOM not in (a, b) or Place.OPEN in (a, b)


def settle(world: World, place: Place, name: str) -> None:
    """Has the node of this name live in such a place."""
    outside: Lan = world.internet
    if place is Place.CARRIER:
        outside = carrier(world, f"{name}-c", KEEPING_PORTS)
    if place in (Place.HOME, Place.CARRIER, Place.RANDOM):
        host = home(outside, f"{name}-r", DRAWING_PORTS if place is Place.RANDOM else KEEPING_PORTS).host(name)
    else:
        host = outside.host(name)
    if place is Place.FIREWALL:
        host.filter(FIREWALL)
    elif place is Place.BLOCKED:
        host.filter(only_udp_to(world.host("root")))
    world.settle(host)


def home(outside: Lan, name: str, translator: str = KEEPING_PORTS) -> Router:
    router = Router(outside, name)
    router.outside.filter(translator + FIREWALL)
    return router


def carrier(world: World, name: str, translator: str = "") -> Router:
    """The router of a provider whose customers have no public addresses."""
    router = Router(world.internet, name, prefix="100.64.0.")
    router.outside.filter(translator + FIREWALL)
    return router


class Pair(NamedTuple):
    """A member of ours, another of either kind, and how they should reach each other."""

    ours: Ours
    other: Peer
    directly: bool

    def __str__(self) -> str:
        return f"{self.ours.host.name} and {self.other.host.name}"


Where = Callable[[Pair], str]
"""At which address ours should reach the other."""


def met_wherever_translators_let_them(world: World) -> str:
    """Members of ours meet ours and the reference directly wherever that is possible, and are relayed elsewhere."""
    network = PrivateNetwork(world)
    for kind in KINDS:
        for side in ("a", "b", "ref"):
            settle(world, kind, f"{side}-{kind.value}")
    settle(world, Place.BLOCKED, "a-blocked")
    references = {kind: network.launch(f"ref-{kind.value}") for kind in KINDS}
    network.start()
    near = {kind: network.add_member(f"a-{kind.value}") for kind in [*KINDS, Place.BLOCKED]}
    far = {kind: network.add_member(f"b-{kind.value}") for kind in KINDS}
    network.admit(*references.values())

    pairs = [Pair(ours, other, meet_directly(a, b))
             for a, ours in near.items() for others in (far, references) for b, other in others.items()]
    return meet(network, pairs, lambda pair: pair.other.host.seen_as)


def meet(network: PrivateNetwork, pairs: List[Pair], where: Where) -> str:
    """Has each pair meet and go on without a root if it is to."""
    def reach(pairs: Iterable[Pair], within: float) -> List[Pair]:
        """Those of them who reach each other."""
        asked = list(pairs)
        with ThreadPoolExecutor(len(asked)) as threads:
            reached = threads.map(lambda pair: pair.ours.reaches(pair.other.ip(network.id), within=within), asked)
            return [pair for pair, is_reached in zip(asked, reached) if is_reached]

    direct, relayed = [p for p in pairs if p.directly], [p for p in pairs if not p.directly]
    started = time.monotonic()
    same(reach(pairs, MEET_SECONDS), pairs, "reach each other")
    settled: List[Pair] = []
    while len(settled) < len(pairs) and time.monotonic() < started + MEET_SECONDS:
        said = {ours: symptoms.explanations(ours.speaker) for ours in {pair.ours for pair in pairs}}
        reasons = {pair: said[pair.ours].get(pair.other.address, {"reason": "unknown"})["reason"] for pair in pairs}
        settled += [pair for pair in pairs if pair not in settled and reasons[pair] in EXPECTED[pair.directly]]
    took = time.monotonic() - started
    same(settled, pairs, "know how they reach each other")
    same([pair for pair in pairs if is_direct(pair, where)], direct, "report a direct path")
    same([pair for pair in pairs if pair.ours.path_to(pair.other) == "relay"], relayed, "report a relay")

    network.root.speaker.stop()
    time.sleep(WITHOUT_ROOT_SECONDS)
    same(reach(direct, REACHED_SECONDS), direct, "reach each other without the root")
    same(reach(relayed, UNREACHED_SECONDS), [], "reach each other without the root")
    return f"{len(direct)} pairs direct, {len(relayed)} relayed, after {took:.1f} s"


def is_direct(pair: Pair, where: Where) -> bool:
    path = pair.ours.path_to(pair.other)
    return path is not None and path.split("/")[0] == where(pair)


def same(found: List[Pair], expected: List[Pair], what: str) -> None:
    """Fails if other pairs than expected do something."""
    wrong = [f"{pair} do not" for pair in expected if pair not in found]
    wrong += [f"{pair} do" for pair in found if pair not in expected]
    assert not wrong, f"{what}: {', '.join(wrong)}"


def neighbours_behind_translators(world: World) -> str:
    """Members of one LAN meet by their addresses there; customers of one provider only if it turns packets round."""
    network = PrivateNetwork(world)
    household = home(world.internet, "home")
    lan = [household.host(name) for name in ("lan-a", "lan-b", "lan-ref")]
    turning, straight = carrier(world, "turning"), carrier(world, "straight", KEEPING_PORTS)
    customers = {name: home(turning, f"{name}-r") for name in ("turned-a", "turned-b", "turned-ref")}
    ports = {router.outside.ip: PORT + 1 + n for n, router in enumerate(customers.values())}
    turning.outside.filter(turning_round(turning.outside, ports))
    customers |= {name: home(straight, f"{name}-r") for name in ("straight-a", "straight-b", "straight-ref")}
    for host in [*lan, *(router.host(name) for name, router in customers.items())]:
        world.settle(host)

    places = {"lan": True, "turned": True, "straight": False}
    references = {place: network.launch(f"{place}-ref") for place in places}
    network.start()
    ours = {place: [network.add_member(f"{place}-{side}") for side in "ab"] for place in places}
    network.admit(*references.values())
    pairs = [Pair(a, other, places[place]) for place, (a, b) in ours.items() for other in (b, references[place])]
    return meet(network, pairs, lambda pair: pair.other.host.ip if pair.ours.host in lan else pair.other.host.seen_as)
