"""Compiled functions: trace at the first call of a kind, then run.

A *kind* of call is the structure of its arguments, the dtype and shape of each leaf,
and the values of the static ones. Each kind is traced, transformed and prepared once,
and again if it comes back after 256 others.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import update_wrapper
from itertools import count
from os import PathLike
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..backends import DEFAULT, check_backend, find_backend
from ..backends.base import Array, Executable, Stages
from ..backends.signature import Caller, Leaf, Recipe, Signature
from ..ir.errors import ArgumentError, RangeError
from ..ir.graph import Graph
from ..ir.types import TensorType
from .graph_function import GraphFunction
from .inspect import Inspectable
from .kinds import Kinds
from .native import HasNative, Native
from .out import write_result
from .pipeline import optimise
from .program import Program, inline, trace_program
from .static import Static, StaticArguments, parameters
from .trace import find_trace, is_traced
from .tracebacks import shorten, shows_users_frames
from .tree import Kind, flatten, kind_of, leaf_names, unflatten

__all__ = ["Call", "Compiled", "Entry", "Function", "Transform", "disable_jit"]

MAX_RECIPES = 4  # of one kind, for calls with and without out, and for threads

_interpreted: ContextVar[bool] = ContextVar("interpreted", default=False)


@contextmanager
def disable_jit() -> Generator[None, None, None]:
    """Run every compiled function by the reference interpreter, node by node."""
    token = _interpreted.set(True)
    try:
        yield
    finally:
        _interpreted.reset(token)


class Call(NamedTuple):
    """The shape of one call: the function, and the tree of ``(args, kwargs)``."""

    function: Callable[..., Any]
    leaves: Sequence[Any]
    structure: Any

    def kinds(self) -> list[Kind | None]:
        """The kind of each leaf, None for a static one; errors name the argument."""
        with suppress(ArgumentError):
            return [_kind(leaf) for leaf in self.leaves]
        names = leaf_names(self.function, *self.tree())
        pairs = zip(self.leaves, names, strict=True)
        return [_kind(leaf, f"argument {name}") for leaf, name in pairs]

    def tree(self) -> Any:
        """The arguments as ``(args, kwargs)``."""
        return unflatten(self.structure, self.leaves)

    def positions(self, which: int | str) -> Any:
        """The tree of one argument with the positions of its leaves as leaves.

        Raises `ArgumentError` where the call has no such argument.
        """
        args, kwargs = unflatten(self.structure, range(len(self.leaves)))
        place = _locate(self.function, which, len(args))
        if isinstance(place, int) and -len(args) <= place < len(args):
            return args[place]
        if place in kwargs:
            return kwargs[place]
        names = list(parameters(self.function))
        raise ArgumentError(
            f"the call has no argument {which!r}",
            hint=f"argnums counts arguments that are passed by position, from 0; the "
            f"others go by name: {', '.join(map(repr, names))}",
        )


def _kind(leaf: Any, name: str = "an argument") -> Kind | None:
    return None if isinstance(leaf, Static) else kind_of(leaf, name)


def _locate(function: Callable[..., Any], which: int | str, count: int) -> int | str:
    """A name as the position that it was passed at, if it was."""
    if isinstance(which, int):
        return which
    names = list(parameters(function))
    position = names.index(which) if which in names else count
    return position if position < count else which


Function: TypeAlias = "Callable[..., Any] | Graph"
"""What can be compiled."""

Transform: TypeAlias = Callable[[Program, Call], Program]
"""What is done to a program between tracing and optimisation."""


class Entry:
    """One kind of call: what was traced, what became of it, and how it runs."""

    def __init__(
        self,
        traced: Program,
        program: Program,
        seconds: Stages | None = None,
        call: Call | None = None,
    ) -> None:
        self.call = call  # with the kind of each leaf that is not static
        self.seconds = Stages() if seconds is None else seconds
        self.traced = traced
        self.program = program
        self._types = [node.type for node in program.graph.inputs]
        self._dynamic = [i for i, name in enumerate(program.arguments) if name]
        self._runners: dict[str, Executable] = {}
        self._optimised: dict[tuple[str, ...], Graph] = {}
        self._calls = {False: count(1), True: count(1)}
        self.used = False  # since it was made, or since `was_used` was asked
        self._gone = False
        self._recipes: deque[Recipe] = deque()
        self._natives: dict[str, Native] = {}

    def optimised(self, backend: str) -> Graph:
        """The graph as a backend takes it: one for all that ask for the same passes."""
        passes = find_backend(backend).passes
        known = self._optimised.get(passes)
        if known is None:
            with self.seconds.timed("passes"):
                made = optimise(self.program.graph, backend)
            known = self._optimised.setdefault(passes, made)
        return known

    @property
    def nested(self) -> bool:
        """Whether the function closed over a value that is being traced."""
        return any(is_traced(value) for value in self.program.captured)

    def runner(self, backend: str) -> Executable:
        """The executable of a backend, prepared when it is first asked for."""
        known = self._runners.get(backend)
        if known is None:
            made = find_backend(backend).prepare(self.optimised(backend))
            known = self._runners.setdefault(backend, made)
        return known

    def native(self, backend: str) -> Native:
        """This kind of call for native code, made when it is first asked for."""
        known = self._natives.get(backend)
        if known is not None:
            return known
        make_door = find_backend(backend).make_door
        if make_door is None:
            raise ArgumentError(
                f"the backend {backend} makes no functions for native code",
                hint='compile with backend="llvm"',
            )
        if self.nested:
            raise ArgumentError(
                "a function that closes over traced values has no native code",
                hint="ask for it outside of the function that is being traced",
            )
        captured = self._captured()
        door = make_door(self.runner(backend), captured)
        made = Native(self.program, door, captured)
        return self._natives.setdefault(backend, made)

    def _captured(self) -> list[Array]:
        """The captured arrays, as inputs of the graph."""
        captured = self.program.captured
        types = self._types[len(self._types) - len(captured) :]
        return list(map(input_array, captured, types))

    def __call__(self, leaves: Sequence[Any], backend: str) -> Any:
        """Run on the leaves of a call, or build the nodes into the trace around."""
        values = [leaves[i] for i in self._dynamic]
        if self.nested or find_trace(values) is not None:
            return inline(self.program, values)
        return self.tree([r if r.ndim else r[()] for r in self.run(values, backend)])

    def run(self, values: Sequence[Any], backend: str) -> list[Array]:
        """The leaves of the result, as arrays."""
        backend = "reference" if _interpreted.get() else backend
        values = [*values, *self.program.captured]
        arrays = [input_array(v, t) for v, t in zip(values, self._types, strict=True)]
        return self.runner(backend)(arrays)

    def tree(self, leaves: Sequence[Any]) -> Any:
        """The result with these leaves."""
        return unflatten(self.program.result, leaves)

    def is_habit(self, with_out: bool) -> bool:
        """Count the calls at leisure: is this the 2nd, 4th, 8th, ... of its form?

        The second makes a short way. Those that still come here may be of another form
        (scalars for arrays of rank 0, keys made anew), so others follow, ever fewer.
        A count is one step of Python's, so that of many threads one is told.
        """
        number = next(self._calls[with_out])
        return number > 1 and number & (number - 1) == 0

    def scratch_bytes(self) -> int:
        """The scratch memory that its executables keep for their next call."""
        return sum(runner.report().arena_bytes for runner in self._runners.values())

    def was_used(self) -> bool:
        """Whether there was a call since this was last asked, on either way."""
        used, self.used = self.used, False
        return any([used, *(recipe.was_used() for recipe in self._recipes.copy())])

    def add_recipe(self, caller: Caller, backend: str, signature: Signature) -> None:
        """Have a caller know the calls of this signature, as long as this is kept."""
        recipe = caller.add(self.runner(backend), signature)
        if recipe is None:
            return
        self._recipes.append(recipe)
        if len(self._recipes) > MAX_RECIPES:
            caller.discard([self._recipes.popleft()])
        if self._gone:  # meanwhile, by another thread
            self.drop([caller])

    def drop(self, callers: Iterable[Caller]) -> None:
        """Have the callers forget this."""
        self._gone = True
        for caller in callers if self._recipes else ():
            caller.discard(list(self._recipes))

    def signature(self, call: Call, names: Sequence[str], out: Any) -> Signature:
        """What a `Caller` needs to know of calls like this one.

        ``names`` are the keywords in their order; where ``out`` is one of them and none
        of the function's, the outputs are the leaves of ``out``.
        """
        buffers = {position: number for number, position in enumerate(self._dynamic)}
        leaves = [
            Leaf(
                leaf.value if isinstance(leaf, Static) else leaf, buffers.get(position)
            )
            for position, leaf in enumerate(call.leaves)
        ]
        args, kwargs = unflatten(call.structure, leaves)
        with_out = len(names) > len(kwargs)
        if with_out:
            first = len(self._types)
            found = [Leaf(leaf, n) for n, leaf in enumerate(flatten(out)[0], first)]
            kwargs["out"] = self.tree(found)
        outputs = range(len(self.program.graph.results))
        ordered = {name: kwargs[name] for name in names}
        return Signature(
            (args, ordered), self._captured(), self.tree(outputs), with_out
        )


class Compiled(Inspectable, HasNative):
    """A function compiled per kind of call.

    ``py_func`` is the user's function. Called with traced arguments it builds its
    nodes into the trace around it, so compiled functions nest. No lock is held while a
    function is traced: threads that meet a kind at once may each trace it, and one of
    the traces is kept.
    """

    def __init__(
        self,
        given: Function,
        transform: Transform | None = None,
        *,
        backend: str = DEFAULT,
        static_argnums: int | Sequence[int] = (),
        static_argnames: str | Sequence[str] = (),
    ) -> None:
        function = GraphFunction.of(given) if isinstance(given, Graph) else given
        if not callable(function):
            raise ArgumentError(f"not a function: {function!r}")
        update_wrapper(self, function)
        if isinstance(function, Compiled) and transform is None:
            function, transform = function.function, function.transform
        self.function = function
        self.transform = transform
        self.backend = check_backend(backend)
        which = (*_as_tuple(static_argnums), *_as_tuple(static_argnames))
        self._static = StaticArguments(function, which)
        self._callers: dict[str, Caller] = {}
        callers = self._callers  # and not self, which would be held in a circle
        self._kinds: Kinds[Entry] = Kinds(lambda e: e.drop(callers.values()))
        self._try_short: Callable[[Any], Any] = _no_short_way

    @property
    def py_func(self) -> Callable[..., Any]:
        """The plain Python function at the bottom."""
        inner = self.function
        return inner.py_func if isinstance(inner, Compiled) else inner

    @property
    def static(self) -> tuple[int | str, ...]:
        """The positions and names of the static arguments."""
        return self._static.which

    @property
    def compile_count(self) -> int:
        """How many kinds of call were compiled, those that came back counted again."""
        return self._kinds.made

    @property
    def signatures(self) -> list[tuple[str, ...]]:
        """The types of the arguments of each kind kept, in the order they were met."""
        return [
            tuple(f"{node.name}: {node.type}" for node in entry.program.graph.inputs)
            for entry in self._kinds.values()
        ]

    def cache_clear(self) -> None:
        """Forget all kinds of call, and free their memory; code of kernels stays."""
        self._kinds.clear()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if not _interpreted.get():
                result = self._try_short((args, kwargs))
                if result is not NotImplemented:
                    return result
            return self._call_at_leisure(args, kwargs)
        except Exception as error:
            shorten(error)
            raise

    def _call_at_leisure(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a new kind or form; the second of a kind makes a short way."""
        names = list(kwargs)
        out = None
        has_out = "out" in kwargs and "out" not in parameters(self.py_func)
        if has_out:
            kwargs = dict(kwargs)
            out = kwargs.pop("out")
        call = self._call(args, kwargs)
        entry = self._entry(call)
        result = entry(call.leaves, self.backend)
        if has_out:
            write_result(result, out)
        make_caller = find_backend(self.backend).make_caller
        if make_caller and not entry.nested and entry.is_habit(has_out):
            caller = self._callers.get(self.backend) or self._callers.setdefault(
                self.backend, make_caller(self._static)
            )
            entry.add_recipe(caller, self.backend, entry.signature(call, names, out))
            self._try_short = caller.call
        return out if has_out else result

    @shows_users_frames
    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The transformed program for a call; arguments may be types (see `spec`)."""
        return self._entry(self._call(args, kwargs)).program

    def save(self, path: str | PathLike[str], /, *args: Any, **kwargs: Any) -> None:
        """Keep the function as one file, which `load` runs without the source.

        With arguments, or types for them (see `spec`), it keeps the graph of their kind
        of call alone; without, those of all kinds that it knows. The file has the
        graphs as differentiated, the trees of arguments and results, and the captured
        arrays. It is replaced as a whole or not at all.

        Raises:
            ArgumentError: Before the first call; for what no file can hold: a static
                argument that is no number, string or tuple of them, or a container
                other than dicts, lists, tuples, named tuples and dataclasses.
            OSError: Where the file cannot be written.
        """
        from .save import save  # which knows of this class

        some = bool(args or kwargs)
        entries = [self._entry(self._call(args, kwargs))] if some else None
        save(self, path, entries or self._kinds.values())

    def to_numba(self, *args: Any, **kwargs: Any) -> str:
        """The text of a Python module that computes the same with Numba alone.

        It has one function for calls of this kind, or of the newest kind without
        arguments. The function takes the leaves of the arguments, and behind them the
        arrays that the traced function captured; it returns a tuple of the leaves of
        the result. Values of rank 0 are numbers. Neither Anabranch nor, for making the
        text, Numba is needed.
        """
        from ..backends.numba.module import print_module

        return print_module(self._find(args, kwargs).optimised("numba"))

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.py_func, '__name__', self.py_func)!s}>"

    def __deepcopy__(self, memo: Any) -> Compiled:
        return self

    def __reduce__(self) -> Any:
        """Pickle the function, not the machine code; by name, where it is decorated."""
        name: str = getattr(self, "__qualname__", "")
        if name and getattr(sys.modules.get(self.__module__), name, None) is self:
            return name
        numbers = tuple(w for w in self._static.which if isinstance(w, int))
        names = tuple(w for w in self._static.which if isinstance(w, str))
        parts = (self.function, self.transform, self.backend, numbers, names)
        return _remade, parts

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entry:
        """The entry for calls like this; without arguments the newest."""
        some = bool(args or kwargs)
        return self._entry(self._call(args, kwargs)) if some else self._newest()

    def _newest(self) -> Entry:
        entries = self._kinds.values()
        if not entries:
            raise ArgumentError("call the function first: nothing is compiled yet")
        return entries[-1]

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        if self._static.which:
            args, kwargs = self._static.mark(args, kwargs)
        return Call(self.function, *flatten((args, kwargs)))

    def _entry(self, call: Call) -> Entry:
        keys = [_leaf_key(leaf) for leaf in call.leaves]
        key = (call.structure, *keys)
        try:
            known = self._kinds.get(key)
        except TypeError:
            static = [leaf.value for leaf in call.leaves if isinstance(leaf, Static)]
            raise ArgumentError(
                f"static arguments must be hashable: {static}",
                hint="an array is an argument like others; for a list pass a tuple",
            ) from None
        if known is not None:
            known.used = True
            return known
        made = self._trace(call)
        return made if made.nested else self._kinds.keep(key, made)

    def _trace(self, call: Call) -> Entry:
        kinds = call.kinds()
        leaves = [
            leaf.value if isinstance(leaf, Static) else leaf for leaf in call.leaves
        ]
        seconds = Stages()
        with seconds.timed("trace"):
            if isinstance(self.function, GraphFunction):
                traced = self.function.program(call.structure, call.leaves, kinds)
            else:
                traced = trace_program(self.function, call.structure, leaves, kinds)
            program = self.transform(traced, call) if self.transform else traced
        known = [
            leaf if kind is None else kind
            for leaf, kind in zip(call.leaves, kinds, strict=True)
        ]
        return Entry(traced, program, seconds, call._replace(leaves=known))


def _remade(
    function: Any,
    transform: Transform | None,
    backend: str,
    numbers: tuple[int, ...],
    names: tuple[str, ...],
) -> Compiled:
    """What `pickle` calls."""
    return Compiled(
        function,
        transform,
        backend=backend,
        static_argnums=numbers,
        static_argnames=names,
    )


def _leaf_key(leaf: Any) -> Any:
    """What distinguishes kinds, quickly; the full check is `Call.kinds`."""
    if type(leaf) is np.ndarray:
        return leaf.dtype, leaf.shape
    if isinstance(leaf, Static):
        return leaf
    if isinstance(leaf, TensorType):
        return leaf.numpy, leaf.shape
    if isinstance(leaf, np.generic):
        return leaf.dtype, ()
    if is_traced(leaf):
        return leaf.dtype, leaf.shape, leaf.weak
    return type(leaf), getattr(leaf, "dtype", None), getattr(leaf, "shape", None)


def input_array(leaf: Any, type: TensorType) -> np.ndarray[Any, Any]:
    """The leaf as a C-contiguous, aligned array in native byte order."""
    plain = leaf.__class__ is np.ndarray and leaf.dtype == type.numpy
    if plain and leaf.flags.carray:
        return leaf
    if isinstance(leaf, TensorType):
        raise ArgumentError(f"{leaf} is a type, and only make_ir and save take types")
    try:
        array = np.asarray(leaf, dtype=type.numpy, order="C")
    except OverflowError:
        raise RangeError(f"the argument {leaf} does not fit into {type}") from None
    return array if array.flags.aligned else array.copy()


def _no_short_way(pair: Any) -> Any:
    """The caller of a function that has no recipes."""
    return NotImplemented


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, (int, str)) else tuple(value)
