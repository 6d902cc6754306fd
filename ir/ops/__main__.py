"""``python -m anabranch.ir.ops take``: where everything about an op stands."""

from __future__ import annotations

import sys

from . import OPS
from .places import places


def main(names: list[str]) -> int:
    """Print the places of each op; 2 where one is none."""
    unknown = [name for name in names if name not in OPS]
    if unknown or not names:
        print(*(f"no op is called {name}" for name in unknown), sep="\n")
        print("usage: python -m anabranch.ir.ops OP ...; OP is one of", *OPS)
        return 2
    for name in names:
        print(f"{name} ({OPS[name].kind.value})")
        for fact, found in places(name).items():
            for number, place in enumerate(found or ["missing"]):
                print(f"  {'' if number else fact:14} {place}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
