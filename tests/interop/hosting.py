"""The unmodified reference node on a network that a program hosts, in whatever language that is written.

The program is root, controller and member at once. It is started with its IP, a home directory and the file it
writes its planet to, and says and is told lines of JSON:

                                                     {"event": "hosting", "network": ID}
    {"allow": ADDRESS}
    {"ip": IP, "port", "answer_port", "datagrams"}   {"event": "answered", "datagrams": COUNT, "path": ENDPOINT}
"""
from __future__ import annotations

from world import Reference, World

ECHO_PORT, ANSWER_PORT = 9, 10
DATAGRAMS = 200


def reference_reached(world: World, *command: str) -> str:
    """Datagrams up to a full packet pass both ways between what `command` starts and the reference, straight."""
    host = world.host("program")
    program = world.speaker("program", host, *command, host.ip, str(world.home("program")),
                            str(world.file("planet")))
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
