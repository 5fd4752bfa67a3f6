"""Rules as a controller's records hold them (spec 04 §7)."""
from __future__ import annotations

from typing import Any, Dict, List

Rule = Dict[str, Any]

IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
INBOUND = 1 << 63


def action(name: str, *matches: Rule, **fields: Any) -> List[Rule]:
    """`ACTION_…` for the frames that meet all of `matches`."""
    return [*matches, {"type": f"ACTION_{name}", **fields}]


def accept(*matches: Rule) -> List[Rule]:
    return action("ACCEPT", *matches)


def drop(*matches: Rule) -> List[Rule]:
    return action("DROP", *matches)


def negated(match: Rule) -> Rule:
    return {**match, "not": True}


def ethertype(number: int) -> Rule:
    return {"type": "MATCH_ETHERTYPE", "etherType": number}


def to_port(number: int) -> Rule:
    return {"type": "MATCH_IP_DEST_PORT_RANGE", "start": number, "end": number}


def from_port(number: int) -> Rule:
    return {"type": "MATCH_IP_SOURCE_PORT_RANGE", "start": number, "end": number}


def inbound() -> Rule:
    """The frame is looked at by who receives it."""
    return {"type": "MATCH_CHARACTERISTICS", "mask": f"{INBOUND:016x}"}


def tags_equal(tag: int) -> Rule:
    """Sender and receiver have the same value of a tag."""
    return {"type": "MATCH_TAGS_DIFFERENCE", "id": tag, "value": 0}
