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

from running import run  # noqa: E402
from world import Reference, World  # noqa: E402

ECHO_PORT, ANSWER_PORT = 9, 10
DATAGRAMS = 200


def reference_reached_from_python(world: World) -> str:
    """A Python program is root, controller and member; datagrams pass both ways and keep their order."""
    host = world.host("program")
    program = world.speaker(
        "program",
        host,
        os.environ["LIBZT_PYTHON"],
        str(HERE / "program.py"),
        host.ip,
        str(world.home("program")),
        str(world.file("planet")),
    )
    network = program.wait("hosting", 30)["network"]
    reference = Reference(world, "reference", world.file("planet"))
    reference.come_online()
    program.tell(allow=reference.address)
    reference.join(network)
    ip = reference.ip(network)
    reference.receive(ip, ECHO_PORT, answers_to=ANSWER_PORT)
    program.tell(ip=ip, port=ECHO_PORT, answer_port=ANSWER_PORT, datagrams=DATAGRAMS)
    answered = program.wait("answered", 60)
    assert answered["datagrams"] == DATAGRAMS, answered
    assert answered["path"].startswith(reference.host.seen_as + ":"), answered
    return f"{DATAGRAMS} datagrams there and back"


if __name__ == "__main__":
    scenarios = [reference_reached_from_python]
    logs = REPOSITORY / "target/interop"
    sys.exit(run(__doc__, scenarios, World, logs, needs_zt=False))
