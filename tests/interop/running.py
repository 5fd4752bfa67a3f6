"""Runs scenarios one by one, each in a world of its own, and says how they went."""
from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

Scenario = Callable[[Any], Optional[str]]
"""Does something in a world; returns what it measured, raises if something does not hold."""

MakeWorld = Callable[[Optional[Path], Path], AbstractContextManager]
"""Makes a world for a scenario from our command and the directory for its logs."""


def run(about: str, scenarios: Sequence[Scenario], world: MakeWorld, logs: Path, needs_zt: bool) -> int:
    """Runs what the command line asks for; returns the exit code. `about` is shown by --help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    without = "" if needs_zt else "; without it, only the reference's nodes can run"
    parser.add_argument("--zt", type=Path, required=needs_zt, help=f"our command{without}")
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=", ".join(s.__name__ for s in scenarios))
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {s.__name__ for s in scenarios}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    # A signal must unwind the stack, so that no namespace outlives the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    zt = arguments.zt and arguments.zt.resolve()
    chosen = [s for s in scenarios if not arguments.scenarios or s.__name__ in arguments.scenarios]
    results: List[bool] = [passes(scenario, world, zt, logs / scenario.__name__) for scenario in chosen]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def passes(scenario: Scenario, world: MakeWorld, zt: Optional[Path], logs: Path) -> bool:
    """Runs one scenario and prints how it went, with what it measured."""
    name, started = scenario.__name__, time.monotonic()
    try:
        with world(zt, logs) as made:
            measured = scenario(made)
    except Exception as error:
        print(f"FAIL {name} {time.monotonic() - started:.1f} s: {error}", flush=True)
        traceback.print_exc(file=sys.stdout)
        for log in sorted(logs.glob("*.log")):
            print(f"---- the end of {log}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-25:]), flush=True)
        return False
    print(f"ok {name} {time.monotonic() - started:.1f} s", f"({measured})" if measured else "", flush=True)
    return True
