"""What Python asks of traced arrays: a number, a truth, a text, or a real array.

Arrays that are known answer. Integers and bools are asked for and traced again, where
they can be; all else is refused at the user's line, with what to write instead.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..peel import is_of_counters
from .asked import ask

if TYPE_CHECKING:
    from .tracer import Tracer

__all__ = ["PythonValues"]


class PythonValues:
    """The conversions of a traced array to objects of Python."""

    __slots__ = ()

    def __format__(self: Any, format_spec: str) -> str:
        if self.known is not None:
            return format(self.known, format_spec)
        if format_spec:
            _refuse(self, f"formatting with {format_spec!r}", "print it after the call")
        return str(self)

    def __str__(self: Any) -> str:
        if self.known is not None:
            return str(self.known)
        if self.ndim == 0 and self.dtype.kind in "iub":
            ask(self)
            if is_of_counters(self.reader, self.unchecked_node):
                _refuse(self, "the text of a loop's counter", "print it after the call")
        return repr(self)

    def __bool__(self: Any) -> bool:
        if self.known is not None:
            return bool(self.known)
        _refuse(
            self,
            "a Python 'if', 'while', 'and', 'or', 'not', 'in' or bool()",
            "choose with np.where(condition, a, b), run one of two functions with "
            "anabranch.cond(condition, f, g), combine conditions with & and |, "
            "write np.max(x) for max(x), or make the argument static (jit(f, "
            "static_argnames=...))",
        )

    def __float__(self: Any) -> float:
        if self.known is not None:
            return float(self.known)
        _refuse(
            self,
            "float(), a function of the math module or an element of a real array",
            "use np.sin and so on; an array to be filled has to be traced too, as "
            "np.zeros_like(x, shape=...) is",
        )

    def __complex__(self: Any) -> complex:
        if self.known is not None:
            return complex(self.known)
        _refuse(self, "complex()", "write x + 1j * y for complex(x, y)")

    def __hash__(self: Any) -> int:
        if self.known is not None:
            return hash(self.known)  # which raises, as those of all arrays do
        _refuse(self, "hash(), a key of a dict or a set", "use a list or a tuple")

    def __int__(self: Any) -> int:
        if self.known is not None:
            return int(self.known)
        _refuse(self, "int()", "use x.astype(int), or make the argument static")

    def __index__(self: Any) -> int:
        if self.known is not None:
            return operator.index(self.known)  # or raises
        _refuse(
            self,
            "range(), a list index, a slice's bound or an array's shape",
            "make the argument static (jit(f, static_argnames=...)); an array that "
            "is indexed by a traced integer has to come in as an argument",
        )

    def __round__(self: Any, ndigits: int | None = None) -> Any:
        if ndigits is None or self.ndim:
            _refuse(self, "round()", "use np.round(x)")
        return self.round(ndigits)

    def __array__(self: Any, dtype: Any = None, copy: Any = None) -> Any:
        if self.known is not None:
            return np.array(self.known, dtype, copy=copy)
        _refuse(
            self,
            "np.asarray(), np.array() or a library that needs a real array",
            "stack traced values with np.stack, or pass x itself to NumPy; an array "
            "that is indexed by a traced one has to come in as an argument",
        )


def _refuse(x: Tracer, what: str, hint: str) -> NoReturn:
    ask(x)
    x.owner.refuse(what, x.unchecked_node, hint)
