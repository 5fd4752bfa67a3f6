"""Runs the interoperability scenarios: real ZeroTier nodes and ours, in network namespaces.

    python tests/interop --zt target/release/zt [--at-once N] [SCENARIO...]

Needs root, iproute2, nftables, a C compiler and cffi; `tests/run interop` provides them.
"""
from __future__ import annotations

import sys
from pathlib import Path

from running import run
from scenarios import ALL, ALONE
from world import World

LOGS = Path(__file__).resolve().parents[2] / "target" / "interop"

if __name__ == "__main__":
    sys.exit(run(__doc__, ALL, World, LOGS, needs_zt=False, alone=ALONE))
