"""``make bench``: value and gradient of each model, side by side with the peers.

Each library runs in a process of its own, started one after the other for the first
call, and again, if it caches on disk, for the warm start; then they take turns, and the
median over the rounds is the steady time. Gradients are compared before anything is
timed. The tables go to the terminal, the numbers to build/bench.json, the steady times
as a picture to build/bench.svg. With ``--functions``, steady times of functions of
NumPy and SciPy on one core, to build/functions.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from .functions import FUNCTIONS
from .homes import BASE_TREE, LIBRARY, unpack
from .measure import Bench
from .models import MODELS
from .peers import BASE, COMPILED, OLD_JAX, OURS, PEERS
from .picture import draw
from .report import as_markdown, make_sheets, print_sheets

PACKAGES = ("numpy", "llvmlite", "jax", "torch", "autograd")
SCALING = {OURS: (1_000, 10_000, 100_000), BASE: (1_000, 10_000), "JAX": (1_000,)}
QUICK_SCALING = {OURS: (1_000, 10_000), "JAX": (1_000,)}
NATIVE = (2, 10, 100, 1000)  # sizes


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", help="only models whose name contains this; or: extras")
    add("--functions", action="store_true", help="functions in place of models")
    add("--peers", help=f"of {','.join(PEERS)}, with commas between")
    add("--base", help="a commit, whose library takes turns with this one")
    add("--rounds", type=int, help="turns that each library takes (5)")
    add("--cores", help="how many cores, with commas between (2,1)")
    add("--limit", type=float, help="seconds to wait for a first call (120)")
    add("--quick", action="store_true", help="small samples, little patience")
    add("--markdown", action="store_true", help="print the tables as Markdown, too")
    return parser.parse_args()


def _peers(options: argparse.Namespace) -> list[str]:
    """Those asked for, ours first; a quick run leaves out the slow compiler."""
    asked = options.peers.split(",") if options.peers else list(PEERS)
    if unknown := set(asked) - set(PEERS):
        raise SystemExit(f"no peer is called {', '.join(sorted(unknown))}")
    left_out = set() if options.base else {BASE}
    if options.quick and not options.peers:
        left_out |= {COMPILED, OLD_JAX}
    if options.functions and not options.peers:
        left_out |= {COMPILED}
    return [peer for peer in PEERS if peer in asked and peer not in left_out]


def _cores(options: argparse.Namespace) -> list[int]:
    """As asked, else two and one, of those that there are."""
    if options.cores:
        return [int(count) for count in options.cores.split(",")]
    several = (os.cpu_count() or 1) > 1 and not options.functions
    return [2, 1] if several else [1]


def _extras(bench: Bench, peers: Sequence[str], cores: int, quick: bool) -> Any:
    """Call overhead, batch sizes, calls by native code, long graphs."""
    sizes = QUICK_SCALING if quick else SCALING
    compared = [peer for peer in peers if peer in sizes]
    return {
        "overhead": {p: bench.extra(p, "overhead", cores) for p in compared},
        "batches": bench.extra(OURS, "batches", cores),
        "native": {
            str(size): bench.extra(OURS, f"native {size}", cores) for size in NATIVE
        },
        "scaling": {
            peer: {
                str(size): bench.extra(peer, f"scaling {size}", cores)
                for size in sizes[peer]
            }
            for peer in compared
        },
    }


def main() -> None:
    """Measure, print, write; fails if one of our own figures is missing."""
    options = _options()
    peers, cores = _peers(options), _cores(options)
    if BASE in peers:
        unpack(options.base, BASE_TREE, *LIBRARY)
    console = Console(width=None if os.isatty(1) else 150, highlight=False)
    rows = FUNCTIONS if options.functions else MODELS
    models = [row for row in rows if not options.model or options.model in row.name]
    results: dict[str, Any] = {
        "machine": {"platform": platform.platform(), "load": os.getloadavg()[0]},
        "versions": {package: version(package) for package in PACKAGES},
        "peers": peers,
        "cores": cores,
        "models": {},
        "extras": {},
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        bench = Bench(
            rounds=options.rounds or (1 if options.quick else 5),
            batch_seconds=0.02 if options.quick else 0.1,
            limit=options.limit or (30 if options.quick else 120),
            cache=Path(cache),
            say=lambda text: console.print(text, end="", markup=False, soft_wrap=True),
        )
        brief: bool = options.functions
        if COMPILED in peers and len(cores) > 1:
            bench.say(
                f"{COMPILED} compiles anew for each number of threads: "
                f"with {cores[0]} only\n"
            )
        for model in models:
            found = results["models"][model.name] = {}
            for count in cores:
                found[str(count)] = bench.measure(
                    model, peers, count, brief=brief or bool(found)
                )
        if options.model in (None, "extras") and OURS in peers and not brief:
            results["extras"] = _extras(bench, peers, cores[0], options.quick)
    sheets = make_sheets(results)
    print_sheets(sheets, console)
    if options.markdown:
        print(as_markdown(sheets))
    target = Path("build")
    target.mkdir(exist_ok=True)
    name = "functions" if brief else "bench"
    (target / f"{name}.json").write_text(json.dumps(results, indent=1))
    print(f"wrote build/{name}.json")
    if not brief:
        (target / "bench.svg").write_text(draw(results, cores[0]), encoding="utf-8")
        print("wrote build/bench.svg")
    if ours := [name for name, peer in bench.failures if peer == OURS]:
        raise SystemExit(f"{OURS} failed on {', '.join(ours)}")


if __name__ == "__main__":
    main()
