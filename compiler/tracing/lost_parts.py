"""Complex numbers where real ones are wanted: refused, or a warning where asked for."""

from __future__ import annotations

import warnings

import numpy as np

from ...ir.errors import DTypeError, SourceLine
from ...ir.graph import Node
from ...ir.text import format_node

__all__ = ["complex_refused", "warn_of_lost_parts"]


def complex_refused(node: Node) -> DTypeError:
    """The error of a function that takes real numbers alone."""
    return DTypeError(
        f"real numbers are wanted here, and {node.type} is complex",
        node=format_node(node),
        hint="take what is meant: z.real, z.imag or np.abs(z)",
    )


def warn_of_lost_parts(line: SourceLine | None) -> None:
    """Say what NumPy says where the user casts a complex number to a real one."""
    text = "Casting complex values to real discards the imaginary part"
    kind = np.exceptions.ComplexWarning
    if line is None:
        warnings.warn(text, kind, stacklevel=2)
    else:
        warnings.warn_explicit(text, kind, line.file, line.line)
