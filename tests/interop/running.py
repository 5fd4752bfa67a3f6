"""Runs scenarios one by one, each in a world of its own, and says how they went."""
from __future__ import annotations

import argparse
import signal
import sys
import time
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Sequence

import symptoms

Scenario = Callable[[Any], Optional[str]]
"""Does something in a world; returns what it measured, raises if something does not hold."""

MakeWorld = Callable[[Optional[Path], Path], AbstractContextManager]
"""Makes a world for a scenario from our command and the directory for its logs; its `nodes` are those of ours."""

LOG_LINES, COLUMNS = 12, 240
"""How much is shown of each log of a scenario that failed."""


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
    failed = [s.__name__ for s in chosen if not passes(s, world, zt, logs / s.__name__)]
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed", f"({', '.join(failed)})" if failed else "")
    return 1 if failed else 0


def passes(scenario: Scenario, world: MakeWorld, zt: Optional[Path], logs: Path) -> bool:
    """Runs one scenario and prints how it went, with what it measured."""
    name, started = scenario.__name__, time.monotonic()
    seen: List[str] = []
    try:
        with world(zt, logs) as made:
            try:
                measured = scenario(made)
            except Exception:
                # In this order, as what nodes are asked for is in their logs afterwards.
                logged = list(ends(logs))
                seen = [*symptoms.told(made.nodes), *logged]
                raise
    except Exception as error:
        print(f"FAIL {name} {time.monotonic() - started:.1f} s: {error}", flush=True)
        traceback.print_exc(file=sys.stdout)
        print(*(line[:COLUMNS] for line in seen), sep="\n", flush=True)
        return False
    print(f"ok {name} {time.monotonic() - started:.1f} s", f"({measured})" if measured else "", flush=True)
    return True


def ends(logs: Path) -> Iterator[str]:
    """The last lines of each log."""
    for log in sorted(logs.glob("*.log")):
        yield f"---- the end of {log}"
        yield from log.read_text(errors="replace").splitlines()[-LOG_LINES:]
