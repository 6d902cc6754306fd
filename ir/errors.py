"""The tree of errors.

AnabranchError
├── ShapeError            (ValueError)   shapes or axes that do not fit
├── DTypeError            (TypeError)    a dtype that nothing here can take
├── TraceError            (TypeError)    the function did what tracing cannot follow
│   ├── ConcretizationError              a Python value was asked of a traced one
│   └── UnsupportedError                 NumPy calls without a lowering, all at once
├── GradientError         (TypeError)    a gradient that does not exist
├── ArgumentError         (TypeError)    an argument of a compiled function
├── BoundsError           (IndexError)   an index outside its axis, at run time
├── DomainError           (ValueError)   a value outside an op's domain, at run time
├── RangeError            (OverflowError) a Python integer outside its dtype, likewise
├── LinAlgError           (numpy.linalg.LinAlgError) a matrix that cannot be factored
├── UnboundError          (UnboundLocalError) a variable without a value, likewise
├── ParseError            (ValueError)   IR text that is not in the grammar
└── VerifyError           (ValueError)   a graph that breaks an invariant

A message has up to four parts: what is wrong, the user's line, the node as IR
text, and what to do about it.
"""

from __future__ import annotations

import linecache
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

__all__ = [
    "AnabranchError",
    "ArgumentError",
    "BoundsError",
    "ConcretizationError",
    "DTypeError",
    "DomainError",
    "GradientError",
    "LinAlgError",
    "ParseError",
    "RangeError",
    "ShapeError",
    "SourceLine",
    "TraceError",
    "UnboundError",
    "UnsupportedError",
    "VerifyError",
]


class SourceLine(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int

    @property
    def text(self) -> str:
        """The line itself without indentation, empty where the file is not at hand."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def brief(self) -> str:
        """The line with the file's name, without its folder."""
        return f"{PurePath(self.file).name}:{self.line}: {self.text}".rstrip(": ")

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}".rstrip(": ")


class AnabranchError(Exception):
    """Base of all errors of this library."""

    def __init__(
        self,
        what: str,
        *,
        source: SourceLine | None = None,
        node: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.source = source
        self.node = node
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.source is not None and str(self.source) not in self.what:
            lines.append(f"  {self.source}")
        if self.node is not None:
            lines.append(f"  {self.node}")
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def at(self, source: SourceLine | None, node: str | None = None) -> AnabranchError:
        """Add where it happened, unless that is known already; returns self.

        A line that stands in ``what`` as well is printed there only.
        """
        self.source = self.source or source
        self.node = self.node or node
        return self


class ShapeError(AnabranchError, ValueError):
    """Shapes or axes that do not fit."""


class DTypeError(AnabranchError, TypeError):
    """A dtype that an op or the compiler cannot take."""


class TraceError(AnabranchError, TypeError):
    """The user's function did what tracing cannot follow."""


class ConcretizationError(TraceError):
    """A Python value was asked of a traced one."""


class UnsupportedError(TraceError):
    """NumPy calls without a lowering."""


class GradientError(AnabranchError, TypeError):
    """A gradient that does not exist."""


class ArgumentError(AnabranchError, TypeError):
    """An argument that a compiled function cannot take."""


class BoundsError(AnabranchError, IndexError):
    """An index outside its axis."""


class RangeError(AnabranchError, OverflowError):
    """A Python integer outside of the dtype that it meets, found when running."""


class DomainError(AnabranchError, ValueError):
    """A value outside the domain of an op."""


class LinAlgError(AnabranchError, np.linalg.LinAlgError):
    """A matrix that is singular, or not positive definite, found when running."""


class UnboundError(AnabranchError, UnboundLocalError):
    """A variable that has no value on the way that was taken, found when running."""


class ParseError(AnabranchError, ValueError):
    """Text outside the grammar of the IR."""


class VerifyError(AnabranchError, ValueError):
    """A graph that breaks an invariant of the IR."""
