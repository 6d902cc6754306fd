"""`vectorize`: functions of arrays of some axes, broadcast over all axes in front."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...backends import DEFAULT
from ...ir.errors import ArgumentError, ShapeError
from ..calls.function import Compiled, Function, Tracing
from ..calls.held import held
from ..tracing.running import is_traced
from ..tree import flatten, leaf_names, unflatten
from .mapped import Mapped
from .transformed import Transformed, compiled

__all__ = ["vectorize"]

Dims = tuple[str, ...]

_DIMS = r"\((?:\w+(?:,\w+)*,?)?\)"
_LIST = rf"{_DIMS}(?:,{_DIMS})*"
_SIGNATURE = re.compile(rf"({_LIST})?->({_LIST})")


def vectorize(
    function: Function,
    *,
    signature: str | None = None,
    excluded: Collection[int | str] = (),
    backend: str = DEFAULT,
) -> Compiled:
    """A function of numbers, or of arrays of some axes, for arrays of more axes.

    The axes in front of those that the function takes broadcast as in NumPy. Each is
    one `vmap`, and an argument without an axis, or with one of size 1, is shared along
    it. `numpy.vectorize` in a traced function is a loop instead.

    Args:
        function: Of arguments by position, each with the axes of the signature.
        signature: The axes that the function takes and returns, as in
            `numpy.vectorize`: ``"(n,m),(m)->(n)"``. Equal names are equal sizes.
            Without one, arguments and results are numbers.
        excluded: Positions and names of arguments that are passed as they are; those
            by name have to be among them.
        backend: As in `jit`.

    Returns:
        A compiled function.

    Raises:
        ArgumentError: For a signature that cannot be read; at the call where there are
            not as many arguments or results as it has.
        ShapeError: At the call, where arrays do not have its axes or their sizes
            differ, or where the axes in front of them do not broadcast.

    >>> distances = vectorize(lambda x, y: np.sqrt(np.sum((x - y) ** 2)),
    ...                       signature="(n),(n)->()")
    >>> distances(np.zeros((2, 1, 3)), np.ones((4, 3))).shape
    (2, 4)
    """
    form = None if signature is None else _Form.of(signature)
    shared = frozenset(excluded)

    def make() -> Compiled:
        return compiled(_Vectorized(function, form, shared), backend)

    return held(function, ("vectorize", signature, shared, backend), make)


class _Form(NamedTuple):
    """The axes that a function takes and returns."""

    taken: tuple[Dims, ...]
    returned: tuple[Dims, ...] | None

    @classmethod
    def of(cls, signature: str) -> _Form:
        """The form that a signature says."""
        found = _SIGNATURE.fullmatch(re.sub(r"\s+", "", str(signature)))
        if found is None:
            raise ArgumentError(
                f"not a signature: {signature!r}",
                hint='write the axes of each argument and result: "(n,m),(m)->(n)"',
            )
        taken, returned = (
            tuple([tuple(re.findall(r"\w+", part)) for part in _parts(text)])
            for text in found.groups()
        )
        return cls(taken, returned)


def _parts(text: str | None) -> list[str]:
    return re.findall(_DIMS, text or "")


class _Vectorized(Transformed):
    """A function whose arguments have more axes in front; see `vectorize`."""

    def __init__(
        self, function: Function, form: _Form | None, excluded: Collection[int | str]
    ) -> None:
        super().__init__(function)
        self.form, self.excluded = form, excluded

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        places = [k for k in range(len(args)) if k not in self.excluded]
        form = self._form(len(places), kwargs)
        given = list(args)
        names = leaf_names(self.py_func, range(len(args)), {})
        sizes: dict[str, int] = {}
        fronts: list[tuple[int, ...]] = []
        for place, dims in zip(places, form.taken, strict=True):
            array = args[place] if is_traced(args[place]) else np.asarray(args[place])
            shape = np.shape(array)
            _note_sizes(f"argument {names[place]}", shape, dims, sizes)
            front = shape[: len(shape) - len(dims)]
            own = [size for size in front if size != 1]
            given[place] = np.reshape(array, (*own, *shape[len(front) :]))
            fronts.append(front)
        outer = _broadcast(fronts)
        function = self._bound(kwargs)
        for axis in range(-1, -len(outer) - 1, -1):
            mapped: list[int | None] = [None] * len(args)
            for place, front in zip(places, fronts, strict=True):
                if len(front) >= -axis and front[axis] != 1:
                    mapped[place] = 0
            if outer[axis] != 1:
                function = compiled(Mapped(function, tuple(mapped)), self.inner.backend)
        return _checked(function(*given), form, outer, sizes)

    def _form(self, count: int, kwargs: Mapping[str, Any]) -> _Form:
        for name in kwargs.keys() - set(self.excluded):
            raise ArgumentError(
                f"vectorize: the argument {name} is given by name",
                hint=f"pass it by position, or as it is: excluded={{{name!r}}}",
            )
        form = self.form or _Form(((),) * count, None)
        if count != len(form.taken):
            raise ArgumentError(
                f"vectorize: the signature has {len(form.taken)} arguments, "
                f"the call has {count}"
            )
        return form

    def _bound(self, kwargs: dict[str, Any]) -> Compiled:
        """The function of the arguments by position."""
        inner = self.inner
        if not kwargs:
            return inner
        return Compiled(
            lambda *given: inner(*given, **kwargs), tracing=Tracing(rewrite=False)
        )


def _note_sizes(
    what: str, shape: Sequence[int], dims: Dims, sizes: dict[str, int]
) -> None:
    """Remember the sizes of named axes, which are the last ones of a shape."""
    text = f"({','.join(dims)})"
    if len(shape) < len(dims):
        raise ShapeError(f"vectorize: {what} has {len(shape)} axes, not {text}")
    for name, size in zip(dims, shape[len(shape) - len(dims) :], strict=True):
        if sizes.setdefault(name, size) != size:
            raise ShapeError(
                f"vectorize: {name} is {sizes[name]}, but {what}, {text}, has {size}"
            )


def _broadcast(fronts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*fronts)
    except ValueError:
        shapes = " and ".join(map(str, fronts))
        raise ShapeError(f"vectorize: the axes {shapes} do not broadcast") from None


def _checked(
    result: Any, form: _Form, outer: tuple[int, ...], sizes: dict[str, int]
) -> Any:
    """The results with all axes of ``outer``, which have those of the signature."""
    wanted = form.returned
    leaves, structure = flatten(result)
    dims_of = wanted or ((),) * len(leaves)
    if len(leaves) != len(dims_of):
        raise ArgumentError(
            f"vectorize: the signature has {len(dims_of)} results, "
            f"the function {len(leaves)}"
        )
    front = sum(size != 1 for size in outer)
    found: list[Any] = []
    for number, (leaf, dims) in enumerate(zip(leaves, dims_of, strict=True)):
        own = np.shape(leaf)[front:]
        if len(own) != len(dims):
            raise ShapeError(
                f"vectorize: result {number} has {len(own)} axes, "
                f"not ({','.join(dims)})",
                hint=None if wanted else 'say which it has: signature="(n)->(n)"',
            )
        _note_sizes(f"result {number}", own, dims, sizes)
        found.append(np.reshape(leaf, (*outer, *own)))
    return unflatten(structure, found)
