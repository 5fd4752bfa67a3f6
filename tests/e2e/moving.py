"""What must hold when a host's own network changes, one function each."""
from __future__ import annotations

import subprocess
import threading
import time
from typing import Callable, List, Optional

from hosts import Host
from world import MEMBER, World, eventually

OTHER = "77"
"""What another address ends with."""
WITHIN_SECONDS = 1.5
WATCHED_SECONDS = 5.0


class Pings:
    """Pings from a host to an address, ten a second, and when the last was answered."""

    def __init__(self, host: Host, target: str) -> None:
        self._process = subprocess.Popen(host.command("ping", "-n", "-i", "0.1", target),
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.answers: List[float] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            if "bytes from" in line:
                self.answers.append(time.monotonic())

    def longest_gap(self, since: float) -> float:
        """The longest time without an answer since then, in seconds."""
        times = [since, *(at for at in self.answers if at > since), time.monotonic()]
        return max(later - earlier for earlier, later in zip(times, times[1:]))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def an_address_is_exchanged_for_another(world: World) -> Optional[str]:
    """Who is reached directly at an address is reached directly at another that it has instead, and soon."""
    member, gateway = world.member, world.gateway
    world.start()
    pings = Pings(gateway.host, MEMBER)
    try:
        for here, there in ((member, gateway), (gateway, member)):
            here.speaker.wait("peer", 20, lambda e: e["address"] == there.address and e["path"] != "relay")
        eventually("pings are answered", lambda: len(pings.answers) > 20)

        router, router6 = (ip[:-1] + "1" for ip in (member.host.ip, member.host.ip6))
        since = time.monotonic()
        member.host.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
        for ip, way in ((f"{member.host.ip[:-1]}{OTHER}/24", router), (f"{member.host.ip6[:-1]}{OTHER}/64", router6)):
            member.host.run("ip", "address", "add", ip, "dev", "eth0", *(["nodad"] if ":" in ip else []))
            member.host.run("ip", "route", "replace", "default", "via", way)
        time.sleep(WATCHED_SECONDS)

        gap = pings.longest_gap(since)
        assert gap < WITHIN_SECONDS, f"{gap:.1f} s without an answer"
        said = gateway.speaker.last("peer", lambda e: e["address"] == member.address)
        assert said and said["path"].split("/")[0][-2:] == OTHER, said
        return f"longest wait for an answer {gap:.2f} s"
    finally:
        pings.close()


ALL: List[Callable[[World], Optional[str]]] = [an_address_is_exchanged_for_another]
