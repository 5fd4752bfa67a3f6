"""The unmodified reference node on a network that a Python program hosts, by the harness of tests/interop.

    LIBZT_PYTHON=VENV/bin/python python bindings/python/tests/interop

LIBZT_PYTHON has libzt; the Python that runs this has what tests/requirements.txt lists.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
sys.path.insert(0, str(REPOSITORY / "tests/interop"))

from hosting import reference_reached  # noqa: E402
from running import run  # noqa: E402
from world import World  # noqa: E402


def reference_reached_from_python(world: World) -> str:
    """A Python program is root, controller and member; datagrams pass both ways and keep their order."""
    return reference_reached(world, os.environ["LIBZT_PYTHON"], str(HERE / "program.py"))


if __name__ == "__main__":
    scenarios = [reference_reached_from_python]
    logs = REPOSITORY / "target/interop"
    sys.exit(run(__doc__, scenarios, World, logs, needs_zt=False))
