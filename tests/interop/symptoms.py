"""What nodes of ours say of themselves when they are asked, which `zt node` is by SIGUSR1."""
from __future__ import annotations

import os
import signal
from typing import Dict, Iterable, Iterator

from jsonlines import Event, Silent, Speaker

ANSWERED_SECONDS = 5.0


def drops(node: Speaker) -> Event:
    """What it has dropped since it started, by reason, and what was lost around it."""
    since = node.mark()
    os.kill(node.pid, signal.SIGUSR1)
    return node.wait("drops", ANSWERED_SECONDS, since=since)


def explanations(node: Speaker) -> Dict[str, Event]:
    """Why it reaches each of its peers the way it does, by their addresses."""
    since = node.mark()
    drops(node)
    # They follow what it dropped, and are complete when it says that again.
    drops(node)
    return {event["address"]: event for event in node.all("explanation", since=since)}


def told(nodes: Iterable[Speaker]) -> Iterator[str]:
    """All of that in a few lines, for whoever has to find out what went wrong."""
    for node in nodes:
        if node.has_ended:
            yield f"{node.name} has ended"
            continue
        try:
            peers, dropped = explanations(node), drops(node)
        except Silent as silent:
            yield str(silent)
            continue
        yield f"{node.name} dropped {dropped['reasons']}, lost {dropped['lost']}"
        for peer in peers.values():
            yield f"{node.name} reaches {peer['address']}: {peer['reason']}; {_tried(peer) or 'nothing tried'}"


def _tried(peer: Event) -> str:
    return ", ".join(f"{candidate['path']} {candidate['outcome']}" for candidate in peer["candidates"])
