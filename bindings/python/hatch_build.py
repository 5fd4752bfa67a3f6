"""Builds the Rust library, and the module that calls it, into the wheel.

One wheel serves every Python from 3.9 on: the library is loaded by ctypes and knows nothing of
Python. Needs cargo. LIBZT_PROFILE names another cargo profile than "release-small", for instance "dev".
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

PROFILE = os.environ.get("LIBZT_PROFILE", "release-small")
LIBRARY_SUFFIXES = (".so", ".dylib")


class NativeBuildHook(BuildHookInterface[Any]):
    """What the wheel has besides the Python sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the library and its module, and says what systems the wheel is for."""
        here = Path(self.root)
        self.repository = here.parents[1]
        self.generated = tempfile.TemporaryDirectory()
        out = self.generated.name

        # Names are read from a build with symbols; that shipped has the same ones, and fewer symbols.
        described = self.cargo("--features", "bindgen")
        bindgen = next(path for path in described if path.stem == "uniffi-bindgen")
        generate = [bindgen, "generate", "--no-format", "--language", "python", "--out-dir", out]
        arguments = [*generate, "--config", here / "uniffi.toml", library_of(described)]
        subprocess.run(arguments, check=True, cwd=self.repository)
        library = library_of(self.cargo("--features", "uniffi", "--lib", "--profile", PROFILE))

        build_data["force_include"] |= {
            str(library): f"libzt/{library.name}",
            f"{out}/zt.py": "libzt/_native.py",
        }
        build_data["pure_python"] = False
        # This machine's, with its C library as the oldest one that will do.
        system = next(tag for tag in platform_tags() if not tag.startswith("linux_"))
        build_data["tag"] = f"py3-none-{system}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was generated."""
        self.generated.cleanup()

    def cargo(self, *arguments: str) -> "list[Path]":
        """Builds zt-ffi; returns the files that gave."""
        command = ["cargo", "build", "--locked", "--package", "zt-ffi", *arguments]
        command.append("--message-format=json-render-diagnostics")
        run = subprocess.run(command, check=True, cwd=self.repository, stdout=subprocess.PIPE)
        messages = map(json.loads, run.stdout.splitlines())
        artifacts = (m for m in messages if m["reason"] == "compiler-artifact")
        ours = (m for m in artifacts if m["target"]["name"] in ("zt", "uniffi-bindgen"))
        return [Path(name) for artifact in ours for name in artifact["filenames"]]


def library_of(artifacts: "list[Path]") -> Path:
    """Returns the one that programs load."""
    return next(path for path in artifacts if path.suffix in LIBRARY_SUFFIXES)
