"""The unmodified reference node on a network that a C program hosts, by the harness of tests/interop.

    LIBZT_PROGRAM=PROGRAM python tests/abi/interop

LIBZT_PROGRAM is `program.c`, built by tests/abi/run; the Python that runs this has what tests/requirements.txt lists.
"""
import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(REPOSITORY / "tests/interop"))

from running import run  # noqa: E402
from world import Reference, World  # noqa: E402

ECHO_PORT, ANSWER_PORT = 9, 10
DATAGRAMS = 200


def reference_reached_from_c(world: World) -> str:
    """A C program is root, controller and member; datagrams up to a full packet pass both ways, straight."""
    host = world.host("program")
    program = world.speaker("program", host, os.environ["LIBZT_PROGRAM"], host.ip, str(world.home("program")),
                            str(world.file("planet")))
    network = program.wait("hosting", 30)["network"]
    reference = Reference(world, "reference", world.file("planet"))
    reference.come_online()
    program.tell(allow=reference.address)
    reference.join(network)
    ip = reference.ip(network)
    reference.receive(ip, ECHO_PORT, answers_to=ANSWER_PORT)
    program.tell(ip=ip)
    answered = program.wait("answered", 60)
    assert answered["datagrams"] == DATAGRAMS, answered
    assert answered["path"].startswith(reference.host.seen_as + ":"), answered
    return f"{DATAGRAMS} datagrams there and back"


if __name__ == "__main__":
    scenarios = [reference_reached_from_c]
    sys.exit(run(__doc__, scenarios, World, REPOSITORY / "target/interop", needs_zt=False))
