"""Parses every Swift file of the repository by a grammar, where there is no Swift: `python tests/swift_syntax.py`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import tree_sitter
import tree_sitter_swift

ROOT = Path(__file__).parent.parent


def mistakes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Gives the innermost places that are no Swift."""
    if not node.has_error:
        return
    deeper = [mistake for child in node.children for mistake in mistakes(child)]
    yield from deeper or [node]


def main() -> int:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.swift"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    names = [name.decode() for name in listed.stdout.split(b"\0") if name]
    wrong = 0
    for name in names:
        tree = parser.parse((ROOT / name).read_bytes())
        for mistake in mistakes(tree.root_node):
            wrong += 1
            print(f"{name}:{mistake.start_point.row + 1}: this is no Swift: {mistake.text[:60]!r}")
    print(f"{len(names)} Swift files, {wrong} mistakes")
    return 1 if wrong or not names else 0


if __name__ == "__main__":
    sys.exit(main())
