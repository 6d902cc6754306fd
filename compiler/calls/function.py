"""Compiled functions: trace at the first call of a signature, then run.

A *signature* is what calls have in common: the structure of the arguments, dtype and
shape of each leaf, and the values of the static ones. Each is traced, transformed and
prepared once, and again if it comes back after 256 others.
"""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import update_wrapper
from os import PathLike
from types import CellType, MethodType
from typing import Any, NamedTuple, TypeAlias, cast

from ...backends import DEFAULT, find_backend
from ...backends.base import Stages
from ...backends.signature import Caller
from ...ir.errors import ArgumentError
from ...ir.graph import Graph
from ..frontend.chance import allowing
from ..frontend.operators import call as rewritten_call
from ..graph_function import GraphFunction
from ..native import HasNative
from ..program import Program, level_of_next, trace_program
from ..tracing.asked import Asked, ValueAsked
from ..tree import flatten
from .admit import kind_of
from .call import Call
from .entry import Entry, interpreted, no_fast_path
from .inspect import Inspectable
from .out import write_result
from .signatures import Signatures
from .state import State
from .static import Static, StaticArguments, marked, parameters
from .tracebacks import shorten, shows_users_frames

__all__ = ["Compiled", "Function", "OfFunction", "Tracing", "Transform"]

MANY_VALUES = 16  # of an argument, each compiled: then a warning says so
MAX_STATES = 8  # with contents that are looked at before each call of the fast path

Function: TypeAlias = "Callable[..., Any] | Graph"
"""What can be compiled."""

Transform: TypeAlias = Callable[[Program, Call], Program]
"""What is done to a program between tracing and optimisation."""


class Tracing(NamedTuple):
    """How a function is traced; see `jit`."""

    rewrite: bool = True
    freeze: bool = False
    allow_random: bool = False

    def around(self, inner: Tracing) -> Tracing:
        """That of a function of a compiled function."""
        return Tracing(
            self.rewrite and inner.rewrite,
            self.freeze or inner.freeze,
            self.allow_random or inner.allow_random,
        )


class OfFunction:
    """What is made of a function of the user's."""

    @property
    def py_func(self) -> Callable[..., Any]:
        """The plain Python function at the bottom."""
        raise NotImplementedError


class Compiled(Inspectable, HasNative, OfFunction):
    """A function compiled per signature.

    ``py_func`` is the user's function. Called with traced arguments it builds its
    nodes into the trace around it, so compiled functions nest. No lock is held while a
    function is traced: threads that meet a signature at once may each trace it, and one
    of the traces is kept.
    """

    __slots__ = ("_fast_path", "_watched")  # where a backend's method looks

    def __init__(
        self,
        given: Function,
        transform: Transform | None = None,
        *,
        backend: str = DEFAULT,
        static_argnums: int | Sequence[int] | None = (),
        static_argnames: str | Sequence[str] | None = (),
        tracing: Tracing = Tracing(),  # noqa: B008  # it never changes
    ) -> None:
        function = GraphFunction.of(given) if isinstance(given, Graph) else given
        if not callable(function):
            raise ArgumentError(f"not a function: {function!r}")
        update_wrapper(self, function)
        inner: tuple[int | str, ...] = ()
        if isinstance(function, Compiled):
            inner, tracing = function.static, tracing.around(function.tracing)
        if isinstance(function, Compiled) and transform is None:
            function, transform = function.function, function.transform
        self.function = function
        self.transform = transform
        self.backend = find_backend(backend).name
        self.tracing = tracing
        numbers = _as_tuple("static_argnums", static_argnums)
        which = (*inner, *numbers, *_as_tuple("static_argnames", static_argnames))
        self._static = StaticArguments(function, tuple(dict.fromkeys(which)))
        self._callers: dict[str, Caller] = {}
        callers = self._callers  # and not self, which would be held in a circle
        self._entries: Signatures[Entry] = Signatures(
            lambda e: e.drop(callers.values())
        )
        self._asked: dict[Hashable, Asked] = {}
        self._converted: dict[str, str] = {}  # by the name of the argument
        self._fast_path: Callable[[Any], Any] = no_fast_path
        self._states: tuple[State, ...] = ()  # of the entries, equal ones once
        self.sees_everything = True
        """Whether nothing that its traces read can change unseen."""
        self._watched = self._states  # the first with contents, which no guard tells of

    @property
    def py_func(self) -> Callable[..., Any]:
        """The plain Python function at the bottom."""
        inner = self.function
        return inner.py_func if isinstance(inner, OfFunction) else inner

    @property
    def untransformed(self) -> Compiled:
        """The function that it is a transform of."""
        return Compiled(
            self.function,
            backend=self.backend,
            static_argnums=[w for w in self.static if isinstance(w, int)],
            static_argnames=[w for w in self.static if isinstance(w, str)],
            tracing=self.tracing,
        )

    @property
    def static(self) -> tuple[int | str, ...]:
        """The positions and names of the static arguments."""
        return self._static.which

    @property
    def compile_count(self) -> int:
        """How many signatures were compiled, those that came back counted again."""
        return self._entries.made

    @property
    def signatures(self) -> list[tuple[str, ...]]:
        """The types of the arguments of each signature kept, oldest first."""
        return [
            tuple(f"{node.name}: {node.type}" for node in entry.program.graph.inputs)
            for entry in self._entries.values()
        ]

    @property
    def converted(self) -> Mapping[str, str]:
        """The arguments that calls convert, each with what it is and becomes."""
        return self._converted

    def kept_bytes(self) -> int:
        """The bytes that its signatures keep: scratch memory and captured arrays."""
        return sum(entry.kept_bytes() for entry in self._entries.values())

    def cache_clear(self) -> None:
        """Forget all signatures, and free their memory; code of kernels stays."""
        self._entries.clear()
        self._asked.clear()
        self._states = self._watched = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            for state in self._watched:
                if state.contents_changed():
                    self._forget_stale()
                    break
            if not interpreted.get():
                result = self._fast_path((args, kwargs))
                if result is not NotImplemented:
                    return result
            return self._slow_path(args, kwargs)
        except Exception as error:
            shorten(error)
            raise

    def _slow_path(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call of a new signature or form; the second of one makes a fast path."""
        names = list(kwargs)
        out = None
        has_out = "out" in kwargs and "out" not in parameters(self.py_func)
        if has_out:
            kwargs = dict(kwargs)
            out = kwargs.pop("out")
        call = self._call(args, kwargs)
        entry = self._entry(call)
        if has_out and entry.program.written:
            raise ArgumentError(
                "a function that writes into its arguments takes no out"
            )
        for place in entry.program.written:
            if (how := self._converted.get(call.name(place))) is not None:
                raise ArgumentError(
                    f"the function writes into {call.name(place)}, which is converted: "
                    f"{how}",
                    hint="convert it yourself and keep the array",
                )
        result = entry(call.leaves, self.backend)
        if has_out:
            write_result(result, out)
        backend = find_backend(self.backend)
        can_have = not entry.is_inlined(call.leaves) and self._is_watched(entry.state)
        if backend.make_caller and can_have and entry.wants_fast_path(has_out):
            caller = self._callers.get(self.backend) or self._callers.setdefault(
                self.backend, backend.make_caller(self._static)
            )
            if backend.put_in_front and Compiled.__call__ is _python_call:
                backend.put_in_front(Compiled, "_fast_path", "_watched", interpreted)
            entry.add_recipe(caller, self.backend, entry.signature(call, names, out))
            self._fast_path = caller.call
        return out if has_out else result

    def traced_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Program, Call]:
        """The transformed program for a call inside of a trace, and the call."""
        call = self._call(args, kwargs)
        return self._entry(call).program, call

    @shows_users_frames
    def program(self, *args: Any, **kwargs: Any) -> Program:
        """The transformed program for a call; arguments may be types (see `spec`)."""
        return self._entry(self._call(args, kwargs)).program

    def save(self, path: str | PathLike[str], /, *args: Any, **kwargs: Any) -> None:
        """Keep the function as one file, which `load` runs without the source.

        With arguments, or types for them (see `spec`), it keeps the graph of their
        signature alone; without, those of all signatures that it knows. The file has
        the graphs as differentiated, the trees of arguments and results, and the
        captured arrays. It is replaced as a whole or not at all.

        Raises:
            ArgumentError: Before the first call; for what no file can hold: a static
                argument that is no number, string or tuple of them, or a container
                other than dicts, lists, tuples, named tuples and dataclasses.
            OSError: Where the file cannot be written.
        """
        from ..saving.save import save  # which knows of this class

        some = bool(args or kwargs)
        entries = [self._entry(self._call(args, kwargs))] if some else None
        save(self, path, entries or self._entries.values())

    def to_numba(self, *args: Any, **kwargs: Any) -> str:
        """The text of a Python module that computes the same with Numba alone.

        It has one function, for calls of this signature, or of the newest one without
        arguments. The function takes the leaves of the arguments, and behind them the
        arrays that the traced function captured; it returns a tuple of the leaves of
        the result. Values of rank 0 are numbers. Neither Anabranch nor, for making the
        text, Numba is needed.
        """
        from ...backends.numba.module import print_module

        return print_module(self._find(args, kwargs).optimised("numba"))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: ``self`` is an argument, static by itself."""
        return self if instance is None else MethodType(self, instance)

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
        options = self.backend, numbers, names, self.tracing
        parts = (self.function, self.transform, *options)
        return _remade, parts

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Entry:
        """The entry for calls like this; without arguments the newest."""
        some = bool(args or kwargs)
        return self._entry(self._call(args, kwargs)) if some else self._newest()

    def _newest(self) -> Entry:
        entries = self._entries.values()
        if not entries:
            raise ArgumentError("call the function first: nothing is compiled yet")
        return entries[-1]

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        if self._static.which:
            args, kwargs = self._static.mark(args, kwargs)
        leaves, structure = flatten((args, kwargs))
        call = Call(self.function, leaves, structure)
        taken = call.admitted()
        call = call._replace(leaves=list(map(marked, taken)))
        for place, (given, leaf) in enumerate(zip(leaves, taken, strict=True)):
            if given is not leaf:
                self._converted[call.name(place)] = f"{kind_of(given)} to {leaf.dtype}"
        return call

    def _entry(self, given: Call) -> Entry:
        """The entry of a call, traced if there is none.

        Each value that a trace of this signature has asked for is part of the key.
        """
        signature = given.key()
        while True:
            try:
                asked = self._asked.get(signature, {})
            except TypeError:
                static = [x.value for x in given.leaves if isinstance(x, Static)]
                raise ArgumentError(
                    f"static arguments must be hashable: {static}",
                    hint="an array is an argument like others; for a list pass a tuple",
                ) from None
            try:
                return self._found(given.fixed(asked), asked)
            except ValueAsked as error:
                if error.level != level_of_next():
                    raise
                self._asked[signature] = {**asked, **error.asked}

    def _found(self, call: Call, asked: Asked) -> Entry:
        key = call.key()
        known = self._entries.get(key)
        if known is not None and not (known.state and known.state.changed()):
            known.used = True
            return known
        if known is not None:
            self._entries.forget(lambda entry: entry is known)
        made = self._trace(call, asked)
        if made.nested:
            return made
        kept = self._entries.keep(key, made)
        self._list_states()
        if asked:
            self._count_values(call, asked)
        return kept

    def _count_values(self, call: Call, asked: Asked) -> None:
        """Warn of an argument with many values, when there are so many."""
        entries = self._entries.values()
        if sum(entry.asked is asked for entry in entries) != MANY_VALUES:
            return
        names = " and ".join(map(call.name, asked))
        name = entries[-1].program.graph.name
        line = next(iter(asked.values())) or "one of its graphs"
        warnings.warn(
            f"{name} was compiled for {MANY_VALUES} values of {names}, for which "
            f"{line} asks; conditions and arithmetic do not",
            RuntimeWarning,
            stacklevel=6,
        )

    def _forget_stale(self) -> None:
        """Forget the entries that were traced when the contents were others."""
        stale = {id(state) for state in self._watched if state.changed()}
        self._entries.forget(lambda entry: id(entry.state) in stale)
        self._list_states()

    def hand_on(self, other: Compiled, cells: Mapping[int, CellType]) -> bool:
        """Whether a compiled function of the same code can begin with what this knows.

        It takes over the entries that hold for its own closure cells; ``cells`` has
        them by the ids of ours.
        """
        other._asked.update(self._asked)
        for key, entry in self._entries.items():
            if entry.state is None:
                continue
            state = entry.state.moved(cells)
            if not state.changed():
                other._entries.keep(key, entry.with_state(state))
        other._list_states()
        return len(other._entries) > 0

    def _list_states(self) -> None:
        """Keep a list of the states of all entries, also where threads add some."""
        while True:
            states = self._states = self._found_states()
            contents = [state for state in states if state.has_contents]
            self._watched = tuple(contents[:MAX_STATES])
            if list(map(id, states)) == list(map(id, self._found_states())):
                return

    def _is_watched(self, state: State | None) -> bool:
        """Whether the fast path sees all changes of a state."""
        return not (state and state.has_contents) or any(
            state is other for other in self._watched
        )

    def _found_states(self) -> tuple[State, ...]:
        states = [entry.state for entry in self._entries.values()]
        return tuple({id(state): state for state in states if state}.values())

    def _known(self, made: State) -> State | None:
        """One object for equal states, None for those of nothing."""
        known = (state for state in self._states if state == made)
        return next(known, made) if made else None

    def _trace(self, call: Call, asked: Asked) -> Entry:
        types = call.types()
        leaves = [
            leaf.value if isinstance(leaf, Static) else leaf for leaf in call.leaves
        ]
        seconds = Stages()
        static = [leaf.value for leaf in call.leaves if isinstance(leaf, Static)]
        watched = not (self.tracing.freeze or isinstance(self.function, GraphFunction))
        functions = [self.py_func, *static] if watched else []
        before = State(functions)
        with seconds.timed("trace"):
            if isinstance(self.function, GraphFunction):
                traced = self.function.program(call.structure, call.leaves, types)
            else:
                rewrite, _, allow_random = self.tracing
                with allowing(allow_random):
                    traced = trace_program(
                        self.function,
                        call.structure,
                        leaves,
                        types,
                        rewritten_call if rewrite else operator.call,
                        writes=rewrite and self.transform is None,
                    )
            if self.tracing.freeze:
                traced = traced.frozen()
            program = self.transform(traced, call) if self.transform else traced
        known = [
            leaf if type_ is None else type_
            for leaf, type_ in zip(call.leaves, types, strict=True)
        ]
        after = State(functions, program.captured, before)
        self.sees_everything &= after.is_complete
        state = self._known(after)
        call = call._replace(leaves=known)
        return Entry(traced, program, seconds, call, state, asked)


_python_call = Compiled.__call__


def _remade(
    function: Any,
    transform: Transform | None,
    backend: str,
    numbers: tuple[int, ...],
    names: tuple[str, ...],
    tracing: Tracing,
) -> Compiled:
    """What `pickle` calls."""
    return Compiled(
        function,
        transform,
        backend=backend,
        static_argnums=numbers,
        static_argnames=names,
        tracing=tracing,
    )


def _as_tuple(name: str, value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    several = (value,) if isinstance(value, (int, str)) else value
    if isinstance(several, Iterable):
        which = tuple(cast("Iterable[Any]", several))
        if all(isinstance(one, (int, str)) for one in which):
            return which
    raise ArgumentError(
        f"{name}={value!r} is no position or name of an argument, nor several"
    )
