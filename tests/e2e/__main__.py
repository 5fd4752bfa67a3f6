"""Runs the end-to-end scenarios: what networks do to a host, with the real kernel, in namespaces.

    python3 tests/e2e --zt target/release/zt [SCENARIO...]

Needs root, iproute2 and nftables; `tests/run e2e` provides them.
"""
from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, List, Optional

import scenarios
from world import World

LOGS = Path(__file__).resolve().parents[2] / "target" / "e2e"


def passes(scenario: Callable[[World], Optional[str]], zt: Path) -> bool:
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
    parser.add_argument("--zt", type=Path, required=True, help="our command")
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=", ".join(s.__name__ for s in scenarios.ALL))
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {s.__name__ for s in scenarios.ALL}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    # A signal must unwind the stack, so that no namespace outlives the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = [s for s in scenarios.ALL if not arguments.scenarios or s.__name__ in arguments.scenarios]
    results: List[bool] = [passes(scenario, arguments.zt.resolve()) for scenario in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
