"""Compiled functions out of files: `load`, for what `save` wrote.

A file is not trusted. Reading it imports, unpickles and evaluates nothing: the text is
parsed, and whatever it says is held against the graphs, which are verified.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import BoundArguments, Parameter, Signature
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...backends.base import Array
from ...ir.collection import paused_collection
from ...ir.errors import AnabranchError, ParseError
from ...ir.literals import Attrs, Literal, parse_attrs
from ...ir.text import MAX_NAME, parse
from ...ir.types import TensorType, dtype_name
from ..calls.function import Compiled
from ..calls.signatures import MAX_SIGNATURES
from ..calls.static import Static
from ..graph_function import Argument, Case, GraphFunction
from ..guard import guard
from ..program import Program
from ..transforms.residuals import Backward
from ..tree import unflatten
from .container import read_container
from .tree_text import class_name, read_tree

__all__ = ["load"]

_RECORD = re.compile(r"^(function|backward|call) \{(.*)\}$", re.MULTILINE)
_KINDS = {kind.name: kind for kind in type(Parameter.VAR_KEYWORD)}
_NUMBERS = {"bool": False, "i64": 0, "f64": 0.0}  # the types of Python's numbers


def load(
    path: str | PathLike[str],
    *,
    types: Iterable[type] = (),
    backend: str | None = None,
) -> Compiled:
    """Read a function that `Compiled.save` wrote.

    Args:
        path: The file. It is not trusted: nothing in it is imported, unpickled or
            evaluated, and its sizes are checked before anything is allocated.
        types: The classes of the named tuples and dataclasses among arguments and
            results, of which a file has the names.
        backend: As in `jit`; else the one that the function had.

    Returns:
        A compiled function for the signatures that were saved, which compiles each at
        its first call. Its ``py_func`` interprets the graphs.

    Raises:
        ParseError: For anything but a whole file as it was written, and for a newer
            version.
        VerifyError: For a graph that breaks an invariant.
        ArgumentError: For a class that is not in ``types`` or has other fields now, and
            for an unknown backend. At a call: for a signature that was not saved.
        OSError: Where the file cannot be read.
    """
    classes = {class_name(kind): kind for kind in types}
    try:
        text, arrays = read_container(Path(path))
        with paused_collection():
            return _Reader(arrays, classes, backend).read(text)
    except AnabranchError as error:
        error.what = f"{path}: {error.what}"
        raise


T = TypeVar("T")


class _Record(NamedTuple):
    """One record, and the text that stands below it."""

    word: str
    fields: Attrs
    text: str

    def expect(self, *names: str) -> None:
        """Refuse other fields."""
        if tuple(self.fields) != names:
            raise ParseError(f"a {self.word} has the fields {', '.join(names)}")

    def get(self, name: str, kind: type[T]) -> T:
        """The value of a field."""
        value = self.fields[name]
        if type(value) is not kind:
            raise ParseError(f"{name} of a {self.word} is no {kind.__name__}")
        return value


def _records(text: str) -> Iterator[_Record]:
    found = list(_RECORD.finditer(text))
    starts = [match.start() for match in found]
    if starts[:1] != [0] or found[0][1] != "function":
        raise ParseError("the text does not begin with a function")
    for match, end in zip(found, [*starts[1:], len(text)], strict=True):
        yield _Record(match[1], parse_attrs(match[2]), text[match.end() + 1 : end])


class _Reader:
    """Makes a function of records."""

    def __init__(
        self, arrays: Sequence[Array], classes: Mapping[str, type], backend: str | None
    ) -> None:
        self._arrays = arrays
        self._classes = classes
        self._wanted = backend
        self._backend = ""
        self._backward: list[Backward] = []

    def read(self, text: str) -> Compiled:
        """The function, which knows its signatures already."""
        records = _records(text)
        head = next(records)
        head.expect("name", "backend", "static", "parameters")
        name, static = head.get("name", str), head.get("static", tuple)
        if not name.isprintable() or len(name) > MAX_NAME:
            raise ParseError(f"not the name of a function: {name[:60]!r}")
        if any(type(which) not in (int, str) for which in static):
            raise ParseError("static arguments are positions and names")
        self._backend = self._wanted or head.get("backend", str)
        signature = _signature(head.get("parameters", tuple))
        cases: list[Case] = []
        for record in records:
            if record.word == "backward":
                self._backward.append(self._pass(record))
            elif record.word == "call":
                cases.append(self._case(record))
            else:
                raise ParseError("there are two functions")
        if not 0 < len(cases) <= MAX_SIGNATURES:
            raise ParseError(
                f"no call, or more than the {MAX_SIGNATURES} that are kept"
            )
        given = GraphFunction(name, signature, cases, static)
        made = given.compiled(self._backend)
        for case in cases:
            _prepare(made, signature, case)
        if len(made.signatures) != len(cases):
            raise ParseError("two calls have one signature")
        return made

    def _case(self, record: _Record) -> Case:
        record.expect("arguments", "result", "captured")
        graph = guard(parse(record.text))
        structure, leaves = self._tree(record, "arguments")
        inputs = iter(graph.inputs)
        names: list[str | None] = []
        arguments: list[Argument] = []
        for leaf in leaves:
            if isinstance(leaf, tuple):
                names.append(None)
                arguments.append(Static(leaf[1]))
                continue
            node = next(inputs, None)
            if node is None:
                raise ParseError("the graph has too few inputs")
            weak = leaf == "number"
            if weak and (node.type.rank or node.type.dtype not in _NUMBERS):
                raise ParseError(f"%{node.name}: {node.type} is no number of Python's")
            names.append(node.name)
            arguments.append((node.type, weak))
        captured = [self._array(place) for place in record.get("captured", tuple)]
        types = [TensorType(dtype_name(a.dtype), a.shape) for a in captured]
        if types != [node.type for node in inputs]:
            raise ParseError("the captured arrays are not of the graph's types")
        result = self._leaves(record, "result", len(graph.outputs))
        program = Program(graph, tuple(names), tuple(captured), result)
        return Case(structure, tuple(arguments), program)

    def _pass(self, record: _Record) -> Backward:
        record.expect("outputs", "result")
        graph = guard(parse(record.text))
        outputs, leaves = self._tree(record, "outputs")
        count = len(graph.inputs) - len(leaves)
        if set(leaves) - {"array"} or count < 0:
            raise ParseError("the cotangents are not the last inputs")
        names = tuple(node.name for node in graph.inputs)
        result = self._leaves(record, "result", len(graph.outputs))
        made = Backward(Program(graph, names, (), result), names[:count], outputs)
        made.backend = self._backend
        return made

    def _leaves(self, record: _Record, name: str, count: int) -> Any:
        """The structure of a tree of so many arrays."""
        structure, leaves = self._tree(record, name)
        if leaves != ["array"] * count:
            raise ParseError(f"the graph has {count} outputs, and its {name} others")
        return structure

    def _tree(self, record: _Record, name: str) -> tuple[Any, list[Literal]]:
        items = record.get(name, tuple)
        return read_tree(items, _is_leaf, self._classes, self._backward)

    def _array(self, place: Any) -> Array:
        if type(place) is not int or not 0 <= place < len(self._arrays):
            raise ParseError(f"there is no array {str(place)[:40]}")
        return self._arrays[place]


def _is_leaf(item: Literal) -> bool:
    match item:
        case "array" | "number" | ("static", _):
            return True
        case _:
            return False


def _signature(parameters: Iterable[Any]) -> Signature:
    made: list[Parameter] = []
    try:
        for name, kind, has_default in parameters:
            default = ... if has_default else Parameter.empty
            made.append(Parameter(name, _KINDS[kind], default=default))
        return Signature(made)
    except (TypeError, ValueError, KeyError) as error:
        raise ParseError(f"no parameters of a function: {error}") from None


def _prepare(function: Compiled, signature: Signature, case: Case) -> None:
    """Have the function know a signature, as after a call of it."""
    leaves: list[Any] = []
    for argument in case.arguments:
        if isinstance(argument, Static):
            leaves.append(argument.value)
        else:
            type_, weak = argument
            leaves.append(_NUMBERS[type_.dtype] if weak else type_)
    arguments = unflatten(case.structure, leaves)
    try:
        bound = BoundArguments(signature, arguments)
        function.program(*bound.args, **bound.kwargs)
    except AnabranchError:
        raise
    except (TypeError, ValueError, AttributeError) as error:
        raise ParseError(f"the arguments are not of the function: {error}") from None
