"""The kernel language: the little Python that kernels are written in, as LLVM.

The source that `kernels` write is for people and for this compiler,
which needs a hundredth of a second where Numba would need six. This module has its
statements, `expressions` the rest. The language:

    statement  := expression | name = expression | name, ... = expression
                | name op= expression | pointer[expression] = expression
                | return expression
                | for name in range(expression [, expression]): block
                | for name in rolled(expression [, expression]): block
                | for name in lanes(expression, number): block
                | if expression: block [else: block] | while expression: block
    expression := number | True | False | name | pointer[expression]
                | arithmetic, comparisons, and, or, not, a if c else b, tuples
                | function(expression, ...)

Every value has a dtype of the IR, or is a pointer; number literals take the dtype of
what they meet. Integers wrap. ``a if c else b``, ``and``, ``or`` compute both sides.
Loops over ``lanes`` are computed in vectors, see `lanes`; so are functions that they
call, where a ``while`` goes on as long as its condition holds in any lane.
The kernel may be marked ``@written_out``: there is nothing left to vectorise or unroll,
and it gets few optimisations. A ``rolled`` range is one that LLVM vectorises, but does
not unroll or interleave: it is short, or its body is written out already.
There are no exceptions: whatever is not in the language is refused when compiled.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from .expressions import Expressions
from .functions import find_constant, find_function
from .instructions import WRITTEN_OUT, Linkage
from .lanes import emit_lanes, totals_in_lanes
from .values import REGISTERS, TABLE, LanguageError, Slot, Value, constant, literal

__all__ = ["Function", "Module", "compile_source"]


class Module(Linkage):
    """The functions of one LLVM module, each compiled for the dtypes it is called with.

    ``functions`` and ``constants`` are those that the kernel's source defines.
    """

    def __init__(
        self,
        functions: Mapping[str, ast.FunctionDef],
        constants: Mapping[str, Value],
    ) -> None:
        super().__init__()
        self.functions = functions
        self.constants = constants
        self.made: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}

    def constant(self, name: str, *, narrow: bool) -> Any:
        """A constant of the source or of the language, None where there is none."""
        return self.constants.get(name) or find_constant(name, narrow=narrow)

    def instance(
        self, name: str, dtypes: tuple[str, ...]
    ) -> tuple[str, tuple[str, ...]] | None:
        """The LLVM name and result dtypes of a function for these operands."""
        key = name, dtypes
        if key not in self.made:
            definition = self.functions.get(name) or find_function(name, dtypes)
            if definition is None:
                return None
            symbol = f"{name}.{'.'.join(dtypes)}"
            function = Function(self, definition)
            parameters = [Value(dtype, f"%a{i}") for i, dtype in enumerate(dtypes)]
            self.made[key] = symbol, function.compile(symbol, parameters)
        return self.made[key]


class Function(Expressions):
    """Emits one function: every statement appends lines to the current block."""

    def __init__(self, module: Module, definition: ast.FunctionDef) -> None:
        super().__init__(module)
        self.definition = definition
        self.results: tuple[str, ...] = ()
        self.once = _assigned_once(definition)

    def compile(self, symbol: str, parameters: Sequence[Value]) -> tuple[str, ...]:
        """Emit the whole function; returns the dtypes of its results."""
        names = [argument.arg for argument in self.definition.args.args]
        self.names.update(zip(names, parameters, strict=True))
        self.narrow = parameters[0].element in ("f32", "i32")
        self.block(self.definition.body)
        types = [REGISTERS[dtype] for dtype in self.results]
        result = types[0] if len(types) == 1 else f"{{ {', '.join(types)} }}"
        operands = ", ".join(f"{REGISTERS[p.dtype]} {p.text}" for p in parameters)
        self.finish(f"define internal {result} @{symbol}({operands}) alwaysinline")
        return self.results

    def compile_kernel(self, symbol: str) -> None:
        """Emit ``i64 symbol(ptr buffers, ptr words)``."""
        for argument, name in zip(
            self.definition.args.args, ("%buffers", "%words"), strict=True
        ):
            self.names[argument.arg] = Value("i64", name, TABLE)
        self.block(self.definition.body)
        marks = [ast.unparse(mark) for mark in self.definition.decorator_list]
        if marks not in ([], ["written_out"]):
            raise LanguageError(f"not in the language: @{marks[0]}")
        attributes = f" {WRITTEN_OUT}" if marks else ""
        self.finish(f"define i64 @{symbol}(ptr %buffers, ptr %words){attributes}")

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Statements one after the other; what follows a return is dead."""
        for statement in statements:
            if self.closed:
                break
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """One statement."""
        match node:
            case ast.Expr(value=ast.Constant()):  # a docstring
                pass
            case ast.Expr(value=expression):
                self.value(expression)
            case ast.Assign(targets=[target]):
                self.assign(target, self.value(node.value))
            case ast.AugAssign(target=target, op=op):
                left, right = self.value(target), self.value(node.value)
                self.assign(target, self.binary(type(op).__name__, left, right))
            case ast.Return():
                self._return(node)
            case ast.For():
                self._for(node)
            case ast.While():
                self._while(node)
            case ast.If():
                self._if(node)
            case _:
                raise LanguageError(f"not in the language: {ast.unparse(node)}")

    def assign(self, target: ast.expr, value: Any) -> None:
        """Give a name, several, or an element a value."""
        if isinstance(target, ast.Tuple):
            for part, item in zip(target.elts, value, strict=True):
                self.assign(part, item)
        elif isinstance(target, ast.Subscript) and self.round:
            self.round.store(self, target, value)
        elif isinstance(target, ast.Subscript):
            pointer, place = self._place(target)
            self.store(pointer, place, self.settled(value, pointer.dtype))
        elif isinstance(target, ast.Name):
            self._store_name(target.id, value)
        else:
            raise LanguageError(f"cannot assign to {ast.unparse(target)}")

    def _store_name(self, name: str, value: Any) -> None:
        """Names that are assigned once are values; others have a stack slot."""
        if name in self.once or not isinstance(value, Value):
            self.names[name] = value
            return
        slot = self.names.get(name)
        if slot is None:
            value = self.settled(value)
            slot = self.names[name] = self.slot(name, value.dtype)
        value = self.typed(value, slot.dtype)
        kind = REGISTERS[value.dtype]
        self.lines.append(f"store {kind} {value.text}, ptr {slot.address}")

    def slot(self, name: str, dtype: str) -> Slot:
        """Room for what a name is assigned."""
        return Slot(self.room(REGISTERS[dtype], name), dtype)

    def _return(self, node: ast.Return) -> None:
        if node.value is None:
            raise LanguageError("a kernel function returns a value")
        value = self.value(node.value)
        parts = (value,) if isinstance(value, Value) else value
        if not self.results:
            parts = tuple(self.settled(part) for part in parts)
            self.results = tuple(part.dtype for part in parts)
        parts = [
            self.typed(part, dtype)
            for part, dtype in zip(parts, self.results, strict=True)
        ]
        types = [REGISTERS[part.dtype] for part in parts]
        if len(parts) == 1:
            self.jump(f"ret {types[0]} {parts[0].text}")
            return
        kind = f"{{ {', '.join(types)} }}"
        whole = "undef"
        for i, (part, type_) in enumerate(zip(parts, types, strict=True)):
            step = f"insertvalue {kind} {whole}, {type_} {part.text}, {i}"
            whole = self.emit("", step).text
        self.jump(f"ret {kind} {whole}")

    def _for(self, node: ast.For) -> None:
        match node:
            case ast.For(
                ast.Name(id=name),
                ast.Call(ast.Name("range" | "rolled" | "lanes" as kind), args),
            ):
                pass
            case _:
                raise LanguageError(
                    f"not in the language: for {ast.unparse(node.iter)}"
                )
        if kind == "lanes":
            with totals_in_lanes(self, node):
                emit_lanes(self, node)
            return
        bounds = [self.typed(self.value(b), "i64") for b in args]
        start = bounds[0] if len(bounds) == 2 else constant(0, "i64")
        with (
            totals_in_lanes(self, node),
            self.loop(start, bounds[-1], rolled=kind == "rolled") as counter,
        ):
            self.names[name] = counter
            self.block(node.body)

    @contextmanager
    def loop(
        self, start: Value, end: Value, step: int = 1, *, rolled: bool = False
    ) -> Generator[Value, None, None]:
        """Emit a loop around what the block emits; gives its counter."""
        head, body, after = (self.fresh(hint) for hint in ("head", "body", "end"))
        slot = self.room("i64", "counter")
        self.lines.append(f"store i64 {start.text}, ptr {slot}")
        self.jump(f"br label %{head}")
        self.start(head)
        counter = self.emit("i64", f"load i64, ptr {slot}")
        inside = self.emit("bool", f"icmp slt i64 {counter.text}, {end.text}")
        self.jump(f"br i1 {inside.text}, label %{body}, label %{after}")
        self.start(body)
        yield counter
        if not self.closed:
            next_ = self.emit("i64", f"add nsw i64 {counter.text}, {step}")
            self.lines.append(f"store i64 {next_.text}, ptr {slot}")
            mark = self.linkage.rolled_loop() if rolled else ""
            self.jump(f"br label %{head}{mark}")
        self.start(after)

    def _while(self, node: ast.While) -> None:
        head, body, end = (self.fresh(hint) for hint in ("head", "body", "end"))
        self.jump(f"br label %{head}")
        self.start(head)
        condition = self.any(self.truth(self.value(node.test)))
        self.jump(f"br i1 {condition.text}, label %{body}, label %{end}")
        self.start(body)
        self.block(node.body)
        if not self.closed:
            self.jump(f"br label %{head}")
        self.start(end)

    def _if(self, node: ast.If) -> None:
        then, other, end = (self.fresh(hint) for hint in ("then", "else", "end"))
        condition = self.typed(self.truth(self.value(node.test)), "bool")
        self.jump(f"br i1 {condition.text}, label %{then}, label %{other}")
        open_ends = 0
        for label, statements in ((then, node.body), (other, node.orelse)):
            self.start(label)
            self.block(statements)
            if not self.closed:
                open_ends += 1
                self.jump(f"br label %{end}")
        if open_ends:
            self.start(end)


def _assigned_once(definition: ast.FunctionDef) -> set[str]:
    """The names that a single statement gives a value."""
    counts = Counter(_assigned(definition.body))
    return {name for name, count in counts.items() if count == 1}


def _assigned(nodes: Sequence[ast.AST]) -> Iterator[str]:
    """The names that statements or targets assign to, as often as they stand there."""
    for node in nodes:
        match node:
            case ast.Name(id=name):
                yield name
            case ast.Tuple(elts=parts) | ast.Assign(targets=parts):
                yield from _assigned(parts)
            case ast.AugAssign(target=target):
                yield from _assigned([target])
            case ast.For(target=target, body=body):
                yield from _assigned([target, *body])
            case ast.If(body=body, orelse=other) | ast.While(body=body, orelse=other):
                yield from _assigned([*body, *other])
            case _:
                pass


def compile_source(source: str, symbol: str) -> str:
    """The LLVM module of the kernel that ``source`` defines.

    The kernel, ``i64 symbol(ptr buffers, ptr words)``, stands last; constants
    (``NAME = number``) and functions of its own may stand before it. Raises
    `LanguageError`.
    """
    *before, definition = ast.parse(source).body
    if not isinstance(definition, ast.FunctionDef):
        raise LanguageError("the source of a kernel ends with a function")
    functions: dict[str, ast.FunctionDef] = {}
    constants: dict[str, Value] = {}
    for statement in before:
        match statement:
            case ast.FunctionDef(name=name):
                functions[name] = statement
            case ast.Assign(
                [ast.Name(id=name)], ast.Constant(value=(int() | float()) as n)
            ):
                constants[name] = literal(n)
            case _:
                raise LanguageError(f"not in the language: {ast.unparse(statement)}")
    module = Module(functions, constants)
    Function(module, definition).compile_kernel(symbol)
    return module.text()
