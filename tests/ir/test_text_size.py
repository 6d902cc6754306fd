"""Large texts: what reading one takes grows with its length, by a small factor."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anabranch.ir import parse
from anabranch.ir.errors import ParseError
from anabranch.ir.literals import MAX_LITERALS

SIZE = 8_000_000
READ = """
import resource, sys
from anabranch import AnabranchError, parse

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT

UNIT = 1 if sys.platform == "darwin" else 1024
opening, middle, count, ending = sys.argv[1:]
text = opening + middle * int(count) + ending
parse("graph f() {\\nreturn\\n}")
before = peak()
try:
    parse(text)
except AnabranchError:
    pass
print((peak() - before) / len(text))
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


@pytest.mark.skipif(sys.platform == "win32", reason="no module resource")
@pytest.mark.parametrize("parts", TEXTS.values(), ids=TEXTS.keys())
def test_reading_takes_a_few_bytes_a_character(parts: tuple[str, str, str]) -> None:
    """A group of an expression that may give back its matches takes two hundred."""
    opening, middle, ending = parts
    arguments = [opening, middle, str(SIZE // len(middle)), ending]
    run = subprocess.run(
        [sys.executable, "-c", READ, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) < 25.0


def test_a_list_of_too_many_literals_is_not_read() -> None:
    text = f"{LINE}exp(%x) {{a=({'0,' * (MAX_LITERALS + 1)})}}{END}"
    with pytest.raises(ParseError, match=f"more than {MAX_LITERALS} literals"):
        parse(text)


def test_a_long_list_that_the_op_does_not_take_is_an_error_of_its_line() -> None:
    text = f"{LINE}exp(%x) {{{', '.join(f'a{i}=0' for i in range(100))}}}{END}"
    with pytest.raises(ParseError, match=r"line 2 .* exp has no attribute 'a0'"):
        parse(text)
