"""The unmodified reference node on a network that a C program hosts, by the harness of tests/interop.

    LIBZT_PROGRAM=PROGRAM python tests/abi/interop

LIBZT_PROGRAM is `program.c`, built by tests/abi/run; the Python that runs this has what tests/requirements.txt lists.
"""
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "tests/interop"))

from hosting import reference_reached  # noqa: E402
from running import run  # noqa: E402
from world import World  # noqa: E402


def reference_reached_from_c(world: World) -> str:
    """A C program is root, controller and member; datagrams up to a full packet pass both ways, straight."""
    return reference_reached(world, os.environ["LIBZT_PROGRAM"])


if __name__ == "__main__":
    scenarios = [reference_reached_from_c]
    sys.exit(run(__doc__, scenarios, World, REPOSITORY / "target/interop", needs_zt=False))
