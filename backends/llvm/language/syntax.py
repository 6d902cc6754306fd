"""The kernel language: the little Python that kernels are written in, as LLVM.

The source that `printer` and `library` write is for people and for this compiler,
which needs a hundredth of a second where Numba would need six. The language:

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
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, TypeAlias

from ...scalars import CASTS
from .instructions import (
    FLOAT,
    REGISTERS,
    TABLE,
    WRITTEN_OUT,
    Emitter,
    LanguageError,
    Linkage,
    Value,
    constant,
    literal,
)
from .lanes import Round, emit_lanes, totals_in_lanes

__all__ = ["Function", "compile_source"]

Functions: TypeAlias = "Callable[[str, Sequence[str]], ast.FunctionDef | None]"
Primitives: TypeAlias = "Callable[[Function, str, list[Any]], Any]"

DTYPES = {name: dtype for dtype, name in CASTS.items()}
WRAPPING = {
    "wrapping_add": "Add",
    "wrapping_subtract": "Sub",
    "wrapping_multiply": "Mult",
}


class Module(Linkage):
    """The functions of one LLVM module, each compiled for the dtypes it is called with.

    ``functions`` finds the Python source of a function by name and operand dtypes, and
    ``primitives`` emits those that are not written in the language.
    """

    def __init__(self, functions: Functions, primitives: Primitives) -> None:
        super().__init__()
        self.functions = functions
        self.primitives = primitives
        self.made: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]] = {}

    def instance(
        self, name: str, dtypes: tuple[str, ...]
    ) -> tuple[str, tuple[str, ...]] | None:
        """The LLVM name and result dtypes of a function for these operands."""
        key = name, dtypes
        if key not in self.made:
            definition = self.functions(name, dtypes)
            if definition is None:
                return None
            symbol = f"{name}.{'.'.join(dtypes)}"
            function = Function(self, definition)
            parameters = [Value(dtype, f"%a{i}") for i, dtype in enumerate(dtypes)]
            self.made[key] = symbol, function.compile(symbol, parameters)
        return self.made[key]


class Function(Emitter):
    """Emits one function: every statement appends lines to the current block.

    ``narrow`` says that the constants of the function are those for float32; ``round``
    is that of the loop over lanes that is emitted.
    """

    def __init__(self, module: Module, definition: ast.FunctionDef) -> None:
        super().__init__(module)
        self.module = module
        self.definition = definition
        self.names: dict[str, Any] = {}
        self.results: tuple[str, ...] = ()
        self.narrow = False
        self.round: Round | None = None
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

    # Statements.

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Statements one after the other; what follows a return is dead."""
        for statement in statements:
            if self.closed:
                break
            handler = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if handler is None:
                raise LanguageError(f"not in the language: {ast.unparse(statement)}")
            handler(statement)

    def _expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.value(node.value)

    def _assign(self, node: ast.Assign) -> None:
        value = self.value(node.value)
        self.assign(node.targets[0], value)

    def _augassign(self, node: ast.AugAssign) -> None:
        left = self.value(node.target)
        kind = type(node.op).__name__
        self.assign(node.target, self.binary(kind, left, self.value(node.value)))

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
        if name in self.once or isinstance(value, tuple):
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
        parts = value if isinstance(value, tuple) else (value,)
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
        kind = ast.unparse(node.iter).partition("(")[0]
        if not (
            isinstance(node.iter, ast.Call)
            and isinstance(node.target, ast.Name)
            and kind in ("range", "rolled", "lanes")
        ):
            raise LanguageError(f"not in the language: for {ast.unparse(node.iter)}")
        if kind == "lanes":
            with totals_in_lanes(self, node):
                emit_lanes(self, node)
            return
        bounds = [self.typed(self.value(b), "i64") for b in node.iter.args]
        start = bounds[0] if len(bounds) == 2 else constant(0, "i64")
        with (
            totals_in_lanes(self, node),
            self.loop(start, bounds[-1], rolled=kind == "rolled") as counter,
        ):
            self.names[node.target.id] = counter
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

    # Expressions.

    def value(self, node: ast.expr) -> Any:
        """The value of an expression: a `Value`, or a tuple of them."""
        match node:
            case ast.Constant(value=bool() as flag):
                return constant(flag, "bool")
            case ast.Constant(value=(int() | float()) as number):
                return literal(number)
            case ast.Name(id=name):
                return self._name(name)
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.Attribute(attr="inf" | "nan" as name):
                return literal(float(name))
            case ast.Subscript() if self.round:
                return self.round.load(self, node)
            case ast.Subscript():
                return self.load(*self._place(node))
            case ast.BinOp(left=left, op=op, right=right):
                kind = type(op).__name__
                return self.binary(kind, self.value(left), self.value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return self._unary(type(op).__name__, self.value(operand))
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return reduce(partial(self.logical, word), map(self.value, values))
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self.truth(self.value(test))
                return self.select(condition, self.value(body), self.value(orelse))
            case ast.Call():
                return self._call(node)
            case _:
                raise LanguageError(f"not in the language: {ast.unparse(node)}")

    def _name(self, name: str) -> Any:
        found = self.names.get(name)
        if isinstance(found, Slot):
            kind = REGISTERS[found.dtype]
            return self.emit(found.dtype, f"load {kind}, ptr {found.address}")
        if found is None and self.round and name == self.round.name:
            return self.round.numbers(self)
        if found is None:
            found = self.module.primitives(self, name, [])
        if found is None:
            raise LanguageError(f"{name} has no value")
        return found

    def _place(self, node: ast.Subscript) -> tuple[Value, Value]:
        """The pointer and the index of ``pointer[index]``."""
        return self.value(node.value), self.typed(self.value(node.slice), "i64")

    def _unary(self, operator: str, value: Value) -> Value:
        if operator == "Not":
            return self.logical("xor", value, constant(1, "bool"))
        if value.number is not None and operator == "USub":
            return literal(-value.number)
        kind = REGISTERS[value.dtype]
        if operator == "USub" and value.is_float:
            return self.emit(value.dtype, f"fneg {kind} {value.text}")
        if operator == "USub":
            return self.binary("Sub", literal(0), value)
        if operator == "Invert":
            return self.binary("BitXor", value, literal(-1))
        raise LanguageError(f"{operator} of {value.dtype}")

    def _comparison(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        found: Value | None = None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node)
            flag = self.compare(type(op).__name__, left, right)
            if found is not None:
                flag = self.logical("and", found, flag)
            found, left = flag, right
        if found is None:
            raise LanguageError("an empty comparison")
        return found

    def _call(self, node: ast.Call) -> Any:
        match node.func:
            case ast.Name(id=name) | ast.Attribute(ast.Name("math" | "np"), name):
                pass
            case _:
                raise LanguageError(f"not in the language: {ast.unparse(node)}")
        operands = [self.value(argument) for argument in node.args]
        if not operands:
            raise LanguageError(f"not in the language: {ast.unparse(node)}")
        if name in DTYPES:
            return self.cast(operands[0], DTYPES[name])
        if name == "float":
            return self.cast(operands[0], "f64")
        dtype, _, kind = name.rpartition("_")
        if kind in ("pointer", "room") and dtype in REGISTERS:
            label = int(operands[1].number) if len(operands) > 1 else None
            made = self.emit("", f"inttoptr i64 {operands[0].text} to ptr")
            return Value(dtype, made.text, label, whole=kind == "room")
        if name in WRAPPING:
            return self.binary(WRAPPING[name], *operands)
        if name == "reassociated_add":
            return self.binary("Add", *operands, flags=" reassoc")
        found = self.module.primitives(self, name, operands)
        return self.apply(name, operands) if found is None else found

    def apply(self, name: str, operands: list[Value]) -> Any:
        """A function that is written in the language."""
        operands = list(self.spread(operands))
        floats = next((o.dtype for o in operands if o.is_float), "f64")
        settled = [
            self.settled(operand, floats if operand.dtype == FLOAT else None)
            for operand in operands
        ]
        made = self.module.instance(name, tuple(o.dtype for o in settled))
        if made is None:
            types = ", ".join(operand.dtype for operand in settled)
            raise LanguageError(f"no function {name}({types})")
        symbol, results = made
        types = [REGISTERS[dtype] for dtype in results]
        kind = types[0] if len(types) == 1 else f"{{ {', '.join(types)} }}"
        listed = ", ".join(f"{REGISTERS[o.dtype]} {o.text}" for o in settled)
        whole = self.emit(results[0], f"call {kind} @{symbol}({listed})")
        if len(results) == 1:
            return whole
        return tuple(
            self.emit(dtype, f"extractvalue {kind} {whole.text}, {i}")
            for i, dtype in enumerate(results)
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """The stack slot of a name that is assigned more than once."""

    address: str
    dtype: str


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


def compile_source(
    source: str, symbol: str, functions: Functions, primitives: Primitives
) -> str:
    """The LLVM module of the kernel that ``source`` defines.

    The kernel, ``i64 symbol(ptr buffers, ptr words)``, stands last; constants
    (``NAME = number``) and functions of its own may stand before it. Raises
    `LanguageError`.
    """
    *before, definition = ast.parse(source).body
    if not isinstance(definition, ast.FunctionDef):
        raise LanguageError("the source of a kernel ends with a function")
    own: dict[str, ast.FunctionDef] = {}
    constants: dict[str, Value] = {}
    for statement in before:
        match statement:
            case ast.FunctionDef(name=name):
                own[name] = statement
            case ast.Assign(
                [ast.Name(id=name)], ast.Constant(value=(int() | float()) as n)
            ):
                constants[name] = literal(n)
            case _:
                raise LanguageError(f"not in the language: {ast.unparse(statement)}")

    def find(name: str, dtypes: Sequence[str]) -> ast.FunctionDef | None:
        return own.get(name) or functions(name, dtypes)

    def emit(function: Function, name: str, operands: list[Value]) -> Any:
        known = constants.get(name) if not operands else None
        return known or primitives(function, name, operands)

    module = Module(find, emit)
    Function(module, definition).compile_kernel(symbol)
    return module.text()
