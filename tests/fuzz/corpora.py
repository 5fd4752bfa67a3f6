#!/usr/bin/env python3
"""Makes the fuzzers' first corpora from the reference's vectors, into corpus/TARGET/NAME.

Run it when vectors were added; what fuzzers found since stays. The formats are those of
tests/src/fuzz_entry.rs. Names of files come from the vectors' names, so that a run changes nothing
that has not changed.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Tuple

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors"
IDENTITIES = [line.split(":") for line in (HERE.parent / "src" / "identities.txt").read_text().splitlines()]

MEMBER, ROOT, PEER, CONTROLLER = (bytes.fromhex(IDENTITIES[i][0]) for i in range(4))
NETWORK = CONTROLLER + b"\0\0\1"
# The addresses in the vectors of networks, and who plays them here.
PLAYED_BY = {
    "3f6ea8ef00000001": NETWORK.hex(),
    "3f6ea8ef00": CONTROLLER.hex(),
    "6e43f1a85f": PEER.hex(),
    "c602cbb587": MEMBER.hex(),
}
VERBS = ["NOP", "HELLO", "ERROR", "OK", "WHOIS", "RENDEZVOUS", "FRAME", "EXT_FRAME", "ECHO", "MULTICAST_LIKE",
         "NETWORK_CREDENTIALS", "NETWORK_CONFIG_REQUEST", "NETWORK_CONFIG", "MULTICAST_GATHER", "MULTICAST_FRAME",
         "", "PUSH_DIRECT_PATHS"]
LONGEST = 4096

# Kinds of pieces: see `intake`.
RAW, SEALED, FROM_HOST, TIME = 0, 4, 10, 15
OF_ROOT, OF_PEER, OF_CONTROLLER = 0x00, 0x10, 0x20

Case = Dict[str, Any]
Seed = Tuple[str, bytes]


def load(name: str) -> Case:
    return json.loads((VECTORS / f"{name}.json").read_text())  # type: ignore[no-any-return]


def cases(file: str) -> Iterator[Tuple[str, Case]]:
    for number, case in enumerate(load(file)["cases"]):
        yield f"{file}-{number}-{case.get('name') or case.get('label') or ''}", case


def hexes(case: Case, *keys: str) -> Iterator[Tuple[str, bytes]]:
    for key in keys:
        if isinstance(case.get(key), str) and case[key]:
            yield key, bytes.fromhex(case[key])


def piece(kind: int, data: bytes) -> bytes:
    return bytes([kind]) + len(data).to_bytes(2, "big") + data


def dictionary() -> Iterator[Seed]:
    for file, keys in (("dictionary", ("encoded_hex", "input_hex")), ("network_config", ("dictionary",))):
        for name, case in cases(file):
            for _, data in hexes(case, *keys):
                yield name, data


def identity() -> Iterator[Seed]:
    for name, case in cases("identity"):
        for key, data in hexes(case, "binary_public", "binary_with_private", "input_binary", "input_hex"):
            yield f"{name}-{key}", data
        for key in ("public_string", "secret_string", "input_string"):
            if key in case:
                yield f"{name}-{key}", case[key].encode()


def world() -> Iterator[Seed]:
    for file in ("default_planet", "worlds"):
        for name, case in cases(file):
            for key, data in hexes(case, "hex", "new_hex"):
                yield f"{name}-{key}", data


def lz4() -> Iterator[Seed]:
    for name, case in cases("lz4_packets"):
        for _, data in hexes(case, "compressed_payload"):
            yield name, data
            yield f"{name}-echo", bytes([VERBS.index("ECHO")]) + data


def config_chunks() -> Iterator[Seed]:
    file = load("config_chunks")
    chunks = [chunk_piece(bytes.fromhex(chunk)) for chunk in file["chunks"]]
    for name, case in cases("config_chunks"):
        order = [step["chunk_index_in_chunks"] for step in case["steps"] if "chunk_index_in_chunks" in step]
        yield name, b"".join(chunks[i] for i in order if i < len(chunks))
    config = b"v=7\nnwid=%s\nid=%s\nml=20\nf=6\nt=1\nR=\x01\\0\nn=fuzz" % (NETWORK.hex().encode(), MEMBER.hex().encode())
    for size in (len(config), 40, 7):
        pieces = [signed_piece(9, len(config), at, config[at:at + size]) for at in range(0, len(config), size)]
        yield f"the-members-own-by-{size}", b"".join(pieces)
        yield f"the-members-own-by-{size}-backwards", b"".join(reversed(pieces))


def chunk_piece(chunk: bytes) -> bytes:
    length = int.from_bytes(chunk[8:10], "big")
    data, rest = chunk[10:10 + length], chunk[10 + length:]
    if len(rest) < 17:
        return signed_piece(1, length, 0, data)
    return signed_piece(rest[8], int.from_bytes(rest[9:13], "big"), int.from_bytes(rest[13:17], "big"), data)


def signed_piece(update: int, total: int, index: int, data: bytes) -> bytes:
    return piece(0, bytes([update]) + (total & 0xFFFF).to_bytes(2, "big") + (index & 0xFFFF).to_bytes(2, "big") + data)


def rules() -> Iterator[Seed]:
    for name, case in cases("rules"):
        listed, frame = bytes.fromhex(case["rules"]), bytes.fromhex(case["frame"])
        flags = (case["direction"] == "inbound") | (int(case["network_flags"], 16) & 8) >> 2
        yield name, bytes([flags]) + case["ethertype"].to_bytes(2, "big") + len(listed).to_bytes(2, "big") + listed + frame


def rules_json() -> Iterator[Seed]:
    for number, case in enumerate(load("rules_json")["rules"]):
        yield f"rules_json-{number}-{case['label']}", json.dumps(case["input"]).encode()


def credentials() -> Iterator[Seed]:
    for name, case in cases("credentials"):
        for number, packet in enumerate([case, *case.get("packets", [])]):
            if "payload" in packet:
                yield f"{name}-{number}", bytes.fromhex(played(packet["payload"]))
    one, none = b"\0\1", b"\0\0"
    for file, before, after in (("com", b"", b"\0"), ("capability", b"\0", none * 3), ("tag", b"\0" + none, none * 2),
                                ("revocation", b"\0" + none * 2, none), ("ownership", b"\0" + none * 3, b"")):
        for name, case in cases(file):
            for _, data in hexes(case, "serialized"):
                yield name, before + (b"" if file == "com" else one) + bytes.fromhex(played(data.hex())) + after


def intake() -> Iterator[Seed]:
    for file in ("frames", "multicast", "credentials", "network_requests"):
        for name, case in cases(file):
            yield name, b"".join(said(case))
    for file in ("hello", "echo", "whois", "rendezvous", "push_direct_paths", "error"):
        for name, case in cases(file):
            decoded, wire = case.get("decoded", {}), bytes.fromhex(case["wire"])
            who = OF_ROOT if case.get("from") in ("R", "R2") else OF_PEER
            yield name, piece(RAW | OF_PEER, addressed(wire)) + sealed(who, decoded) + piece(TIME, bytes(8))
    for file, key in (("packet_reject", "datagrams"), ("fragments_even", "datagrams")):
        for name, case in cases(file):
            datagrams = [addressed(bytes.fromhex(datagram)) for datagram in case.get(key, [])]
            yield name, b"".join(piece(RAW | OF_PEER, datagram) for datagram in datagrams)
    for name, case in cases("relay"):
        for _, data in hexes(case, "input"):
            yield name, piece(RAW | OF_PEER, data)


def said(case: Case) -> Iterator[bytes]:
    """What a node says in a case of a network's vectors, said by the peer or the controller."""
    for packet in [case, *case.get("packets", [])]:
        if "verb" in packet and "payload" in packet:
            payload = bytes.fromhex(played(packet["payload"]))
            who = OF_CONTROLLER if case.get("from") == "3f6ea8ef00" else OF_PEER
            yield piece(SEALED | who, bytes([packet["verb"]]) + payload)
    if "frame" in case:
        yield piece(FROM_HOST, bytes.fromhex(case["frame"]))
    yield piece(TIME, bytes(40))


def sealed(who: int, decoded: Case) -> bytes:
    if decoded.get("verb") not in VERBS or not isinstance(decoded.get("payload"), str):
        return b""
    return piece(SEALED | who, bytes([VERBS.index(decoded["verb"])]) + bytes.fromhex(played(decoded["payload"])))


def played(text: str) -> str:
    for address, by in PLAYED_BY.items():
        text = text.replace(address, by)
    return text


def addressed(datagram: bytes) -> bytes:
    """The datagram as if the peer had sent it to the member."""
    if len(datagram) < 18:
        return datagram
    source = datagram[13:18] if datagram[13] == 0xFF else PEER
    return datagram[:8] + MEMBER + source + datagram[18:]


def write(target: str, seeds: Iterable[Seed]) -> None:
    directory = HERE / "corpus" / target
    directory.mkdir(parents=True, exist_ok=True)
    written: List[bytes] = []
    for name, data in seeds:
        if 0 < len(data) <= LONGEST and data not in written:
            written.append(data)
            (directory / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80])).write_bytes(data)
    print(f"{target}: {len(written)} files, {sum(map(len, written))} bytes")


def main() -> None:
    for make in (config_chunks, credentials, dictionary, identity, intake, lz4, rules, rules_json, world):
        write(make.__name__, make())


if __name__ == "__main__":
    main()
