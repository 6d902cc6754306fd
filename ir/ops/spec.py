"""What an op is: one record with all its facts, and the registry of them all.

Nothing outside of `ir.ops` lists ops that are alike: the record says what an op is
(`Kind`), how a reduction combines (`Combination`), and whose slope an op is. A pass or
a backend names an op only where it has a rule for just this one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..errors import DTypeError, ShapeError, VerifyError
from ..literals import Attrs, format_literal
from ..types import DTYPES, TensorType

if TYPE_CHECKING:
    from ..graph import Graph, Node

__all__ = [
    "DTYPE",
    "EVERY",
    "FLAG",
    "INT",
    "INTS",
    "NONDIFFERENTIABLE",
    "NUMBER",
    "OPS",
    "RECORDS",
    "TEXT",
    "Adjoint",
    "Combination",
    "Kind",
    "NonDifferentiable",
    "OpDef",
    "Types",
    "check_attrs",
    "register",
    "require",
    "require_dtype",
]

Contributions: TypeAlias = "tuple[Node | None, ...]"
Adjoint: TypeAlias = "Callable[..., Contributions]"
Check: TypeAlias = Callable[[Any], bool]
Types: TypeAlias = "TensorType | tuple[TensorType, ...]"


EVERY = (-1,)
"""The group of all operands of an op that is linear in them together."""


class NonDifferentiable(Enum):
    """Says that no gradient passes through an op: its derivative is zero or none."""

    NONDIFFERENTIABLE = "nondifferentiable"


NONDIFFERENTIABLE = NonDifferentiable.NONDIFFERENTIABLE


def INT(value: Any) -> bool:
    """An integer attribute."""
    return type(value) is int


def FLAG(value: Any) -> bool:
    """A boolean attribute."""
    return type(value) is bool


def NUMBER(value: Any) -> bool:
    """A boolean, integer, float or complex attribute."""
    return type(value) in (bool, int, float, complex)


def TEXT(value: Any) -> bool:
    """A string attribute."""
    return type(value) is str


def INTS(value: Any) -> bool:
    """A tuple of integers, such as axes or a shape."""
    return type(value) is tuple and all(type(item) is int for item in value)


def DTYPE(value: Any) -> bool:
    """The short name of a dtype."""
    return type(value) is str and value in DTYPES


class Kind(Enum):
    """What passes and backends may do with an op, whichever it is.

    Loops over nodes keep a member under a name of their own: Python 3.11 takes ten
    times as long to look up ``Kind.VIEW`` as it takes to compare it.
    """

    ELEMENTWISE = "elementwise"
    """Each element is ``scalar`` of the elements there; all shapes are equal."""
    REDUCTION = "reduction"
    """The elements along ``axes`` become one, as ``combine`` says."""
    VIEW = "view"
    """Elements of the only operand at other places, which strides can mostly say."""
    STORE = "store"
    """The first operand after the second was written over a part of it."""
    SOURCE = "source"
    """Made without operands, from attributes alone."""
    OTHER = "other"
    """None of these."""


class Combination(NamedTuple):
    """How a reduction combines: ``kept = op(kept, element)`` for each element.

    ``op`` is an elementwise op. ``start(dtype)`` is what is kept before the first
    element; it changes no element.
    """

    op: str
    start: Callable[[str], bool | int | float]


@dataclass(frozen=True, eq=False)
class OpDef:
    """One op.

    ``type_rule(*types, **attrs)`` gives the type of the value or raises `ShapeError`
    or `DTypeError`. ``reference(*arrays, **attrs)`` computes it with NumPy.
    ``adjoint(b, n, g, *operands, **attrs)`` returns one contribution per slot for the
    cotangent ``g`` of node ``n``; it never sums contributions and never un-broadcasts.
    It returns ``None`` exactly for the slots in ``constant_slots`` and for operands
    that are not floats. ``variadic`` ops take ``arity`` operands or more.

    ``scalar`` is the expression of one element of an elementwise op, over the operands
    ``{0}``, ``{1}``, ...; where the op is variadic, what stands between them.
    ``combine`` belongs to a reduction. ``slope_of`` names the function f whose f'(x)
    an op computes from ``(f(x), x)``. ``ufunc`` names the ufunc of `scipy.special` that
    computes the op element by element. ``fails`` is the error of `ir.ops.index.ERRORS`
    that an op may raise when it runs, and its message.

    ``refused`` says what the operands in some slots are, where a derivative exists and
    no rule has it: the adjoint pass raises where one is wanted, and a rule returns
    ``None`` there.

    ``linear`` are groups of slots: the op is linear in the operands of a group together
    while the others are held; the group `EVERY` has them all. ``tangent(b, n, dots,
    *operands, **attrs)`` makes a tuple of the tangents of the values of ``n``; ``dots``
    has None for an operand without one. Where there are regions it takes ``tangent``,
    which is `compiler.transforms.tangent.tangent`. Ops without this rule, or whose rule
    returns None, get their tangents from ``linear`` or from the adjoint.

    ``vmap(b, n, size, mapped, *operands, **attrs)`` makes ``n`` with a new leading axis
    of ``size``, which those of the operands have that are ``mapped``
    (`compiler.transforms.vmap`). It returns a node, or the values of several; those
    that depend on no mapped operand may lack the axis. Ops without this rule get that
    of their kind (`ir.ops.mapped.rule_of`). Where a node has regions, the rule takes
    ``vmapped``, which is `compiler.transforms.vmap.vmapped`, and ``mask``: which of the
    examples run the node, or None.

    An op that makes several values has tuples of types and arrays, and ``g`` is a tuple
    with None where no cotangent arrives. ``regions`` are the names of the graphs that
    belong to a node. The type rule takes them as ``regions``, the reference as
    functions from arrays to a list of arrays, with ``types``. The adjoint takes
    ``slots``, those that a contribution is wanted for, and ``adjoint``, which is
    `compiler.transforms.adjoint.adjoint`.
    """

    name: str
    arity: int
    type_rule: Callable[..., Types]
    reference: Callable[..., Any]
    adjoint: Adjoint | NonDifferentiable
    attrs: Mapping[str, Check] = field(default_factory=dict[str, Check])
    optional: tuple[str, ...] = ()
    constant_slots: tuple[int, ...] = ()
    variadic: bool = False
    regions: tuple[str, ...] = ()
    kind: Kind = Kind.OTHER
    scalar: str | None = None
    combine: Combination | None = None
    slope_of: str | None = None
    refused: Mapping[int, str] = field(default_factory=dict[int, str])
    ufunc: str | None = None
    fails: tuple[str, str] | None = None
    linear: tuple[tuple[int, ...], ...] = ()
    tangent: Callable[..., Any] | None = None
    vmap: Callable[..., Node | Sequence[Node]] | None = None

    def is_differentiable(self, slot: int) -> bool:
        """Whether a read in this slot may contribute to a gradient."""
        return self.adjoint is not NONDIFFERENTIABLE and slot not in self.constant_slots

    def infer(
        self,
        types: tuple[TensorType, ...],
        attrs: Attrs,
        regions: tuple[Graph, ...] = (),
    ) -> Types:
        """The type of the value, or of each of several.

        Checks the number of operands, the attributes and the names of the regions.
        """
        if not (self.variadic or self.regions or regions):
            return _infer_again(self, types, attrs)
        if self.regions or regions:
            return _infer_regions(self, types, attrs, regions)
        return _infer(self, types, attrs)


def check_attrs(op: OpDef, attrs: Attrs) -> None:
    """Raise `VerifyError` unless these are attributes that the op has."""
    for key, value in attrs.items():
        check = op.attrs.get(key)
        if check is None:
            raise VerifyError(f"{op.name} has no attribute {key[:80]!r}")
        if not check(value):
            text = format_literal(value)[:80]
            raise VerifyError(f"{op.name}: bad attribute {key}={text}")
    if len(attrs) < len(op.attrs):
        for key in op.attrs:
            if key not in attrs and key not in op.optional:
                raise VerifyError(f"{op.name} needs the attribute {key!r}")


def _infer(
    op: OpDef, types: tuple[TensorType, ...], attrs: Attrs, **regions: Any
) -> Types:
    if op.variadic and len(types) < op.arity:
        raise VerifyError(f"{op.name} takes {op.arity} or more operands")
    if not op.variadic and len(types) != op.arity:
        raise VerifyError(f"{op.name} takes {op.arity} operands")
    check_attrs(op, attrs)
    made = op.type_rule(*types, **regions, **attrs)
    return made[0] if isinstance(made, tuple) and len(made) == 1 else made


def _infer_regions(
    op: OpDef,
    types: tuple[TensorType, ...],
    attrs: Attrs,
    regions: tuple[Graph, ...],
) -> Types:
    if tuple(region.name for region in regions) != op.regions:
        wanted = ", ".join(op.regions) or "none"
        raise VerifyError(f"the regions of {op.name} are {wanted}, in this order")
    return _infer(op, types, attrs, regions=regions)


# Large graphs have few kinds of node: what was checked once is not checked again.
_infer_again = lru_cache(maxsize=4096)(_infer)


OPS: dict[str, OpDef] = {}
RECORDS: dict[str, tuple[str, int]] = {}
"""The file and line of the statement that registered each op."""


def register(op: OpDef) -> OpDef:
    """Put an op into the registry."""
    if op.name in OPS:
        raise ValueError(f"two ops are called {op.name}")
    if (op.kind is Kind.ELEMENTWISE) != (op.scalar is not None):
        raise ValueError(f"{op.name}: elementwise ops, and no others, have a scalar")
    if (op.kind is Kind.REDUCTION) != (op.combine is not None):
        raise ValueError(f"{op.name}: reductions, and no others, combine")
    OPS[op.name] = op
    RECORDS[op.name] = _statement()
    return op


def _statement() -> tuple[str, int]:
    """The file and line of the statement of a module that is being run."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame else ("", 0)


def require(condition: bool, op: str, what: str) -> None:
    """Raise `ShapeError` ``op: what`` unless the condition holds."""
    if not condition:
        raise ShapeError(f"{op}: {what}")


def require_dtype(condition: bool, op: str, what: str) -> None:
    """Raise `DTypeError` ``op: what`` unless the condition holds."""
    if not condition:
        raise DTypeError(f"{op}: {what}")
