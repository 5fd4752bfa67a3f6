"""What must hold between our nodes and the reference's.

Each scenario is a function of a fresh world. It returns normally if all holds, and what it measured,
if it measures, as text.
"""
from __future__ import annotations

from typing import Callable, List, Optional

from world import World

from . import addresses, bridging, connectivity, multicast, nat, observers, revocation, rules, without_udp

Scenario = Callable[[World], Optional[str]]

# The longest come first, as some are run at once.
ALL: List[Scenario] = [
    without_udp.tcp_relay_stands_in,
    nat.met_wherever_translators_let_them,
    nat.neighbours_behind_translators,
    connectivity.reference_only,
    connectivity.join_and_exchange,
    connectivity.join_and_exchange_in_suite_1,
    connectivity.relayed_when_direct_paths_are_blocked,
    connectivity.exchange_after_root_restart,
    connectivity.all_pairs_ping,
    connectivity.cold_start_to_first_ping,
    connectivity.idle_member_is_small,
    addresses.arp_and_neighbour_discovery,
    addresses.rfc4193_without_a_question,
    addresses.sixplane_without_a_question,
    rules.drops_by_port_and_ethertype,
    rules.tags_and_capabilities,
    observers.copied_and_redirected,
    multicast.multicast_to_three_members,
    revocation.revocation_cuts_traffic,
    bridging.tap_bridged_to_a_lan,
]

ALONE: List[Scenario] = [connectivity.cold_start_to_first_ping]
"""Those whose measurements would suffer from others."""
