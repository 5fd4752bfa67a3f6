"""Runs the end-to-end scenarios: what networks do to a host, with the real kernel, in namespaces.

    python3 tests/e2e --zt target/release/zt [--at-once N] [SCENARIO...]

Needs root, iproute2, nftables and miniupnpd; `tests/run e2e` provides them.
"""
from __future__ import annotations

import sys
from pathlib import Path

import flood
import moving
import port_mapping
import scenarios
from world import World

from running import run  # noqa: E402, of interop, which `world` leads to

LOGS = Path(__file__).resolve().parents[2] / "target" / "e2e"

ALL = [*port_mapping.ALL, *scenarios.ALL, *moving.ALL, *flood.ALL]
ALONE = [*moving.ALL, *flood.ALL]
"""Those whose measurements would suffer from others."""

if __name__ == "__main__":
    sys.exit(run(__doc__, ALL, World, LOGS, needs_zt=True, alone=ALONE))
