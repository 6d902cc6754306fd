"""Large texts: what reading one takes grows with its length, by a small factor."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from anabranch.ir import parse
from anabranch.ir.errors import ParseError
from anabranch.ir.literals import MAX_LITERALS

SIZE = 2_000_000
READ = """
import json, os, resource, sys
from anabranch import AnabranchError, parse

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT

UNIT = 1 if sys.platform == "darwin" else 1024
SIZE, TEXTS = json.loads(sys.argv[1])
parse("graph f() {\\nreturn\\n}")
for name, (opening, middle, ending) in TEXTS.items():
    child = os.fork()  # for the peak never falls
    if child:
        assert os.waitpid(child, 0)[1] == 0
        continue
    text = opening + middle * (SIZE // len(middle)) + ending
    before = peak()
    try:
        parse(text)
    except AnabranchError:
        pass
    print(name, (peak() - before) / len(text), sep=":", flush=True)
    os._exit(0)
"""
LINE = "graph f(%x: f64[4]) {\n%y = "
END = " : f64[4]\nreturn %y\n}"
TEXTS = {
    "one word": ("", "x", ""),
    "operands": (f"{LINE}add_n(%x", ", %x", f"){END}"),
    "values": ("graph f(%x: f64[4]) {\n%y", ", %y", f" = exp(%x){END}"),
    "types": (f"{LINE}exp(%x) : f64[4]", ", f64[4]", "\nreturn %y\n}"),
    "regions": ("graph f(%x: f64[4]) {", "\n%y = cond(%x) : f64[]:\nthen() {", ""),
    "path": ("graph f(%x: f64[4]) {\n%a", ".a", f" = exp(%x){END}"),
    "number": (f"{LINE}exp(%x) {{a=", "9", f"}}{END}"),
    "string": (f'{LINE}exp(%x) {{a="', "\\\\n", f'"}}{END}'),
    "strings": (LINE, '"a" ', END),
    "brackets": (f"{LINE}exp(%x) {{a=", "(", f"}}{END}"),
    "integers": (f"{LINE}exp(%x) {{a=(", "0, ", f")}}{END}"),
    "dimensions": (f"{LINE}exp(%x) : f64[4", ",4", "]\nreturn %y\n}"),
    "comment": (f"{LINE}exp(%x){END} #", ' "a"', ""),
    "empty lines": (f"{LINE}exp(%x){END}", "\n ", ""),
    "lines": ("graph f(%x: f64[4]) {", "\n%y = exp(%x) : f64[4]", "\nreturn %y\n}"),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a POSIX matter")
def test_reading_takes_a_few_bytes_a_character() -> None:
    """A group of an expression that may give back its matches takes two hundred."""
    run = subprocess.run(
        [sys.executable, "-c", READ, json.dumps([SIZE, TEXTS])],
        capture_output=True,
        text=True,
        check=True,
    )
    taken = dict(line.split(":") for line in run.stdout.splitlines())
    assert taken.keys() == TEXTS.keys()
    assert {name: n for name, n in taken.items() if float(n) >= 25.0} == {}


def test_a_list_of_too_many_literals_is_not_read() -> None:
    text = f"{LINE}exp(%x) {{a=({'0,' * (MAX_LITERALS + 1)})}}{END}"
    with pytest.raises(ParseError, match=f"more than {MAX_LITERALS} literals"):
        parse(text)


def test_a_long_list_that_the_op_does_not_take_is_an_error_of_its_line() -> None:
    text = f"{LINE}exp(%x) {{{', '.join(f'a{i}=0' for i in range(100))}}}{END}"
    with pytest.raises(ParseError, match=r"line 2 .* exp has no attribute 'a0'"):
        parse(text)
