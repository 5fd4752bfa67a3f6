"""Runs scenarios, each in a world of its own, and says how they went."""
from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Callable, Collection, Iterator, List, Optional, Sequence

import symptoms

Scenario = Callable[[Any], Optional[str]]
"""Does something in a world; returns what it measured, raises if something does not hold."""

MakeWorld = Callable[[Optional[Path], Path], AbstractContextManager]
"""Makes a world for a scenario from our command and the directory for its logs; its `nodes` are those of ours."""

LOG_LINES, COLUMNS = 12, 240
"""How much is shown of each log of a scenario that failed."""


def run(about: str, scenarios: Sequence[Scenario], world: MakeWorld, logs: Path, needs_zt: bool,
        alone: Collection[Scenario] = ()) -> int:
    """Runs what the command line asks for; returns the exit code. `about` is shown by --help.

    While any of those runs that must be `alone`, no other does.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    without = "" if needs_zt else "; without it, only the reference's nodes can run"
    parser.add_argument("--zt", type=Path, required=needs_zt, help=f"our command{without}")
    parser.add_argument("--at-once", type=int, default=1, metavar="N",
                        help="how many to run at once; most of their time they wait, and those that measure run alone")
    parser.add_argument("scenarios", metavar="SCENARIO", nargs="*", help=", ".join(s.__name__ for s in scenarios))
    arguments = parser.parse_args()
    unknown = set(arguments.scenarios) - {s.__name__ for s in scenarios}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    # A signal must unwind the stack, so that no namespace outlives the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    zt = arguments.zt and arguments.zt.resolve()
    chosen = [s for s in scenarios if not arguments.scenarios or s.__name__ in arguments.scenarios]
    apart = [s for s in chosen if s not in alone] if arguments.at_once > 1 else []
    failed = failures_at_once(apart, zt, arguments.at_once) if apart else []
    failed += [s.__name__ for s in chosen if s not in apart and not passes(s, world, zt, logs / s.__name__)]
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed", f"({', '.join(failed)})" if failed else "")
    return 1 if failed else 0


def failures_at_once(scenarios: Sequence[Scenario], zt: Optional[Path], at_once: int) -> List[str]:
    """Runs so many scenarios at once, each in a process of its own; returns the names of those that fail."""
    running: List[subprocess.Popen[str]] = []

    def fails(name: str) -> bool:
        command = [sys.executable, sys.argv[0], *(["--zt", str(zt)] if zt else []), name]
        running.append(child := subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        said, _ = child.communicate()
        # The last line counts one scenario.
        print(said.rstrip("\n").rpartition("\n")[0], flush=True)
        return child.returncode != 0

    names = [s.__name__ for s in scenarios]
    with ThreadPoolExecutor(at_once) as lanes:
        try:
            return [name for name, is_failed in zip(names, lanes.map(fails, names)) if is_failed]
        except BaseException:
            lanes.shutdown(wait=False, cancel_futures=True)
            for child in running:
                child.terminate()
            raise


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
