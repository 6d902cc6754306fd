"""Where a library's process runs: which Python, and which tree of our own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

from .peers import BASE, OLD_JAX

__all__ = ["BASE_TREE", "LIBRARY", "ROOT", "Home", "home_of", "unpack"]

ROOT = Path(__file__).resolve().parent.parent
BASE_TREE = ROOT / "build" / "base"
LIBRARY = ("anabranch", "ir", "compiler", "backends")


class Home(NamedTuple):
    """The interpreter, and the folder that it starts in, whose packages come first."""

    python: Path = Path(sys.executable)
    folder: Path = ROOT

    @property
    def path(self) -> str:
        """PYTHONPATH: the benchmarks are always those of this tree."""
        return os.pathsep.join([str(self.folder), str(ROOT)])


def home_of(peer: str) -> Home:
    """Where a peer runs."""
    if peer == BASE:
        return Home(folder=BASE_TREE)
    if peer == OLD_JAX:
        return Home(python=ROOT / "build" / "old-jax" / "bin" / "python")
    return Home()


def unpack(revision: str, folder: Path, *paths: str) -> None:
    """The files of a commit, below ``paths`` or all, in place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    command = ["git", "archive", revision, *paths]
    packed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="tar")
