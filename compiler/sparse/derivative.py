"""`sparse_jacobian` and its kin: derivatives as SciPy's sparse arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import update_wrapper
from typing import Any, NamedTuple
from weakref import ref

import numpy as np

from ...backends.base import Array
from ...ir.errors import AnabranchError, ArgumentError, GradientError, TraceError
from ...ir.graph import Graph
from ...ir.settings import debugging
from ...ir.types import TensorType, dtype_name
from ..calls.entry import Entry
from ..calls.function import Compiled
from ..calls.static import Static
from ..calls.tracebacks import shows_users_frames
from ..counts import check_counts
from ..program import Program
from ..tracing.running import is_traced
from ..transforms.gradient import Argnums, check_argnums, chosen_leaves, chosen_names
from ..tree import flatten
from .doubts import (
    UNKNOWN,
    Doubts,
    beside,
    doubts,
    random_vector,
    refuse_if_apart,
)
from .pattern import Sparsity
from .products import chunks_of, one_product, products

__all__ = ["SparseDerivative"]

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
FEW = 8  # patterns of one program: for other values, by other arguments
_INTEGERS = "iub"


class SparseDerivative:
    """The Jacobian of a function as a sparse array.

    ``inner`` is the function, or its gradient where this is a Hessian. ``pattern`` is
    what the user said it to be, and ``chunk`` how many products are taken at once.
    """

    def __init__(
        self,
        inner: Compiled,
        argnums: Argnums,
        *,
        symmetric: bool,
        pattern: Any,
        chunk: int | None,
        format: str,
        backend: str,
    ) -> None:
        if chunk is not None:
            what = "sparse_hessian" if symmetric else "sparse_jacobian"
            check_counts(what, 1, chunk=chunk)
            chunk = int(chunk)
        check_argnums(argnums)
        if format not in FORMATS:
            raise ArgumentError(
                f"no sparse array has the format {format!r}",
                hint=f"one of {', '.join(FORMATS)}",
            )
        update_wrapper(self, inner, updated=())
        self.inner, self.argnums, self.backend = inner, argnums, backend
        self.symmetric, self.chunk, self.format = symmetric, chunk, format
        self._given = None
        if pattern is not None:
            self._given = Sparsity.of(pattern, symmetric=symmetric)

    @shows_users_frames
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        point = self._point(args, kwargs)
        plan = self._plan(point)
        made = plan.matrix(point, self.backend)
        plan.verify(point, made, self.backend)
        return made if self.format == "csr" else made.asformat(self.format)

    @shows_users_frames
    def sparsity(self, *args: Any, **kwargs: Any) -> Sparsity:
        """Where the derivative may be other than zero; see `anabranch.sparsity`."""
        return self._plan(self._point(args, kwargs)).sparsity

    def __repr__(self) -> str:
        kind = "Hessian" if self.symmetric else "Jacobian"
        return f"<sparse {kind} of {getattr(self.inner, '__name__', 'a function')}>"

    def _point(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Point:
        program, call = self.inner.traced_call(args, kwargs)
        leaves = [leaf for leaf in call.leaves if not isinstance(leaf, Static)]
        if any(map(is_traced, [*leaves, *program.captured])):
            raise TraceError(
                "a sparse derivative is an array of SciPy's, which cannot be traced",
                hint="inside of a traced function use jacobian or hessian, which make "
                "arrays, or products: jvp, vjp, hvp",
            )
        chosen = chosen_leaves(call, self.argnums)
        return _Point(program, tuple(chosen_names(program, chosen, call)), leaves)

    def _plan(self, point: _Point) -> _Plan:
        """What is known of such a call, and of these values of its integers."""
        plans = _plans_of(point.program.graph)
        given = point.given()
        for plan in plans:
            asked = plan.wrt, plan.symmetric, plan.chunk, plan.pattern
            same = asked == (point.wrt, self.symmetric, self.chunk, self._given)
            if same and plan.fits(given):
                return plan
        made = self._made(point, given)
        plans.insert(0, made)
        del plans[FEW:]
        return made

    def _made(self, point: _Point, given: Mapping[str, Array]) -> _Plan:
        graph, wanted = point.program.graph, self._given
        of = graph.results
        for name in (*of, *point.wrt):
            if not graph[name].type.is_float:
                raise GradientError(
                    f"no sparse derivative with %{name}: it is {graph[name].type}",
                    source=graph[name].source,
                    hint="results and arguments are real floats: return x.astype(float)"
                    ", or the parts of complex numbers",
                )
        height, width = (
            sum(graph[x].type.size for x in names) for names in (of, point.wrt)
        )
        if wanted is not None and wanted.shape != (height, width):
            raise ArgumentError(
                f"the pattern is of shape {wanted.shape}, and the derivative of "
                f"{graph.name} of shape {(height, width)}"
            )
        lacking: Doubts | None = None
        try:
            sparsity, used = self._read(point, given, (height, width))
        except GradientError:
            if wanted is None:
                raise
            sparsity, used, lacking = wanted, {}, UNKNOWN
        else:
            if wanted is not None:
                lacking, sparsity = doubts(wanted, sparsity), wanted
        ours = self.symmetric, self.chunk, wanted, lacking
        return _Plan(sparsity, used, point.wrt, *ours)

    def _read(
        self, point: _Point, given: Mapping[str, Array], shape: tuple[int, int]
    ) -> tuple[Sparsity, dict[str, Array]]:
        """The pattern that the graph has, and the values that it was read for."""
        from .spread import prepared  # not needed to import the library
        from .structure import structure

        program = point.program
        graph = program.graph
        tidy = prepared(graph)
        captured = [
            x.name for x in graph.inputs[-len(program.captured) or len(graph) :]
        ]
        found = structure(
            tidy,
            point.wrt,
            tidy.results,
            {n: x for n, x in given.items() if x.dtype.kind in _INTEGERS},
            {n: given[n] for n in captured if given[n].dtype.kind == "f"},
        )
        sparsity = Sparsity(shape, found.ends, found.columns)
        if self.symmetric:
            sparsity = Sparsity.of(sparsity, symmetric=True)
        return sparsity, {name: _as_used(given[name]).copy() for name in found.used}


class _Point(NamedTuple):
    """A call: the program for it, the inputs to differentiate by, and the leaves."""

    program: Program
    wrt: tuple[str, ...]
    values: list[Any]

    def given(self) -> dict[str, Array]:
        """The values of the inputs, as far as there are some."""
        values = [*self.values, *self.program.captured]
        return {
            node.name: np.asarray(value)
            for node, value in zip(self.program.graph.inputs, values, strict=True)
            if not isinstance(value, TensorType)
        }

    def beside(self) -> _Point:
        """A point nearby, where what is zero at this one by chance is not."""
        names = [node.name for node in self.program.graph.inputs]
        values = [
            beside(np.asarray(value)) if name in self.wrt else value
            for name, value in zip(names, self.values, strict=False)
        ]
        return self._replace(values=values)


def _as_used(value: Array) -> Array:
    """What a structure depends on: integers, and where floats are zero."""
    return value if value.dtype.kind in _INTEGERS else value != 0


class _Plan:
    """A pattern, the values that it was read for, and the products that it takes.

    ``pattern`` is what the user said it to be, and ``lacking`` what that does not have
    of what was read.
    """

    def __init__(
        self,
        sparsity: Sparsity,
        used: Mapping[str, Array],
        wrt: tuple[str, ...],
        symmetric: bool,
        chunk: int | None,
        pattern: Sparsity | None,
        lacking: Doubts | None,
    ) -> None:
        self.sparsity, self.used = sparsity, used
        self.wrt, self.symmetric, self.chunk = wrt, symmetric, chunk
        self.pattern, self.lacking = pattern, lacking
        made = sparsity.tocsr()  # in SciPy's own integers
        self.indices, self.indptr = made.indices, made.indptr
        self._entry: Entry | None = None
        self._verified = lacking is None

    def fits(self, given: Mapping[str, Array]) -> bool:
        """Whether the pattern is that for these values."""
        return all(
            name in given and np.array_equal(_as_used(given[name]), value)
            for name, value in self.used.items()
        )

    def matrix(self, point: _Point, backend: str) -> Any:
        """The derivative at a point, in CSR."""
        import scipy.sparse as sp

        data = self._elements(point, backend)
        parts = data, self.indices.copy(), self.indptr.copy()  # which users may change
        return sp.csr_array(parts, shape=self.sparsity.shape)

    def _elements(self, point: _Point, backend: str) -> Array:
        """The elements of the derivative at a point, row by row."""
        if not self.sparsity.nnz:
            return np.zeros(0, _dtype(point.program.graph))
        if self._entry is None:
            self._entry = self._compiled(point.program)
        return self._entry.run(point.values, backend)[0]

    def verify(self, point: _Point, matrix: Any, backend: str) -> None:
        """Raise `ArgumentError` where the user's pattern lacks what there is.

        One product is taken for that at the first call, and one a little beside; with
        ``ANABRANCH_DEBUG=1`` at each call.
        """
        if self.lacking is None or (self._verified and not debugging()):
            return
        self._compare(point, matrix, self.lacking, backend)
        beside = point.beside()
        try:
            matrix = self.matrix(beside, backend)
        except AnabranchError:  # it is no place for the function
            pass
        else:
            self._compare(beside, matrix, self.lacking, backend)
        self._verified = True

    def _compare(
        self, point: _Point, matrix: Any, lacking: Doubts, backend: str
    ) -> None:
        program, by_rows = point.program, self.sparsity.colouring.by_rows
        graph = program.graph
        dtype = _dtype(graph)
        vector = random_vector(self.sparsity.shape[not by_rows], dtype)
        how: Any = {"dtype": dtype_name(dtype), "by_rows": by_rows}
        made = one_product(graph, self.wrt, graph.results, **how)
        product = _entry(program, made, vector).run(point.values, backend)[0]
        refuse_if_apart(graph.name, matrix, vector, product, lacking, by_rows)

    def _compiled(self, program: Program) -> Entry:
        graph, pattern = program.graph, self.sparsity
        colours, by_rows = pattern.colouring
        count, places, chunks = pattern.colouring.products, (pattern.places,), None
        if self.chunk is not None and self.chunk < count:
            length = pattern.shape[by_rows]
            chunks = chunks_of(pattern.places, count, length, self.chunk)
            places = chunks.places, chunks.order
        made = products(
            graph,
            self.wrt,
            graph.results,
            count=count,
            nonzeros=pattern.nnz,
            dtype=dtype_name(_dtype(graph)),
            by_rows=by_rows,
            chunks=chunks,
        )
        return _entry(program, made, colours, *places)


def _entry(program: Program, graph: Graph, *more: Array) -> Entry:
    """A graph of one result, whose last inputs are more arrays, compiled."""
    captured = (*program.captured, *more)
    second = program._replace(graph=graph, captured=captured, result=flatten(0)[1])
    return Entry(second, second)


def _dtype(graph: Graph) -> np.dtype[Any]:
    """The dtype of a matrix with elements of all results."""
    kinds = [graph[name].type.numpy for name in graph.results]
    return np.result_type(*kinds) if kinds else np.dtype(float)


_plans: dict[int, tuple[ref[Graph], list[_Plan]]] = {}


def _plans_of(graph: Graph) -> list[_Plan]:
    """The plans for a graph, the newest first, which go when the graph does."""
    number = id(graph)
    known = _plans.get(number)
    if known is None or known[0]() is not graph:
        gone = ref(graph, lambda _: _plans.pop(number, None))
        known = _plans[number] = gone, []
    return known[1]
