"""What the compiler says where it refuses something is quoted in a test.

Of each message of an error the parts between what is put in are looked for: a text in
a test has one of them, or is a piece of one. So every refusal has a test of its words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHORT = 12  # fewer letters say nothing about where they come from
INTERNAL = {"AssertionError", "NotImplementedError", "AttributeError", "VerifyError"}
# Folders below which errors are those of files and of graphs, with tests of their own.
OTHERS = {"saving", "passes"}


def messages() -> Iterator[tuple[str, list[str]]]:
    """Where an error is made, and the parts of its message that are always the same."""
    for path in sorted((ROOT / "compiler").rglob("*.py")):
        place = path.relative_to(ROOT)
        if place.parts[1] in OTHERS:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error") and name not in INTERNAL:
                found = [text.strip() for text in parts(node.args[0])]
                longest = max(found, key=len, default="")
                if longest:
                    kept = [text for text in found if len(text) >= SHORT]
                    yield f"{place}:{node.lineno}", kept or [longest]


def parts(message: ast.expr) -> list[str]:
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        return [message.value]
    if isinstance(message, ast.JoinedStr):
        return [
            str(one.value) for one in message.values if isinstance(one, ast.Constant)
        ]
    return []


def quoted() -> set[str]:
    """The texts in tests, as regular expressions have them too."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        found.update(re.findall(r'"([^"\n]*)"', path.read_text()))
    return found | {re.sub(r"\\(.)", r"\1", text) for text in found}


def test_every_message_is_quoted() -> None:
    texts = quoted()
    long = [text for text in texts if len(text) >= SHORT]
    all_of_them = "\n".join(texts)

    def is_quoted(part: str) -> bool:
        return part in all_of_them or any(text in part for text in long)

    missing = [
        f"{place}: {' ... '.join(found)}"
        for place, found in messages()
        if not any(map(is_quoted, found))
    ]
    if missing:
        pytest.fail("no test quotes\n" + "\n".join(missing))
