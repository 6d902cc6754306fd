"""How the generated code changed: plans and kernels of the bench models, as a diff.

    make diff-codegen                 the files as they are against the last commit
    make diff-codegen BASE=v0.1       against another commit

Every model of `benchmarks.models` is planned by both trees for each level of processor
that this one can run, with two threads; nothing is run. The texts stay in
build/codegen/. The exit status is 1 where they differ.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from .homes import ROOT, unpack
from .models import MODELS
from .peers import numpy_names

BUILD = ROOT / "build" / "codegen"
LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")


def write_texts(tree: Path, folder: Path) -> None:
    """Write what the library in ``tree`` generates for the models of this one."""
    sys.path.insert(0, str(tree))
    import anabranch

    folder.mkdir(parents=True)
    for model in MODELS:
        arguments = model.arguments(np.random.default_rng(0))
        loss = model.make(numpy_names())
        compiled = anabranch.value_and_grad(loss, argnums=tuple(range(model.wrt)))
        compiled.program(*arguments)
        text = f"{compiled.inspect_ir(stage='plan')}\n{compiled.inspect_source()}"
        (folder / f"{model.name.replace(' ', '_')}.txt").write_text(text, "utf-8")


def generate(tree: Path, folder: Path) -> None:
    """The texts of one tree, each level in a process of its own."""
    for level in LEVELS:
        settings = {"ANABRANCH_CPU": level, "ANABRANCH_THREADS": "2"}
        command = [sys.executable, "-m", __spec__.name, "--write", tree, folder / level]
        run = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | settings,
            stderr=subprocess.PIPE,
            text=True,
        )
        if run.returncode:
            print(f"{level}: {run.stderr.strip().splitlines()[-1]}", file=sys.stderr)


def main() -> int:
    """Compare, or write the texts of one tree."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.codegen",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("base", nargs="?", default="HEAD", help="a commit")
    parser.add_argument("--write", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_texts(*options.write)
        return 0
    shutil.rmtree(BUILD, ignore_errors=True)
    unpack(options.base, BUILD / "tree")
    generate(BUILD / "tree", BUILD / "base")
    generate(ROOT, BUILD / "now")
    diff = ["git", "--no-pager", "diff", "--no-index", "--stat", "-p", "base", "now"]
    return subprocess.run(diff, cwd=BUILD).returncode


if __name__ == "__main__":
    sys.exit(main())
