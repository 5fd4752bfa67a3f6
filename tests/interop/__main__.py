"""Runs the interoperability scenarios: real ZeroTier nodes and ours, in network namespaces.

    python tests/interop --zt target/release/zt [SCENARIO...]

Needs root, iproute2, nftables, a C compiler and cffi; `tests/run interop` provides them.
"""
from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, List, Optional

from scenarios import ALL
from world import World

LOGS = Path(__file__).resolve().parents[2] / "target" / "interop"


def passes(scenario: Callable[[World], Optional[str]], zt: Optional[Path]) -> bool:
    """Runs one scenario in a world of its own and prints how it went, with what it measured."""
    name, logs, started = scenario.__name__, LOGS / scenario.__name__, time.monotonic()
    try:
        with World(zt, logs) as world:
            measured = scenario(world)
    except Exception as error:
        print(f"FAIL {name} {time.monotonic() - started:.1f} s: {error}", flush=True)
        traceback.print_exc(file=sys.stdout)
        for log in sorted(logs.glob("*.log")):
            print(f"---- the end of {log}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-25:]), flush=True)
        return False
    print(f"ok {name} {time.monotonic() - started:.1f} s", f"({measured})" if measured else "", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zt", type=Path, help="our command; without it, only the reference's nodes can run")
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=", ".join(s.__name__ for s in ALL))
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {s.__name__ for s in ALL}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    # A signal must unwind the stack, so that no namespace outlives the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [s for s in ALL if not arguments.scenarios or s.__name__ in arguments.scenarios]
    zt = arguments.zt and arguments.zt.resolve()
    results: List[bool] = [passes(scenario, zt) for scenario in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
