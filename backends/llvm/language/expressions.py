"""The expressions of the kernel language: see `syntax`."""

from __future__ import annotations

import ast
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

from .instructions import Emitter
from .primitives import PRIMITIVES
from .values import FLOAT, REGISTERS, LanguageError, Slot, Value, constant, literal

if TYPE_CHECKING:
    from .lanes import Round
    from .syntax import Module

__all__ = ["Expressions"]


class Expressions(Emitter):
    """Emits the expressions of one function.

    ``names`` has a `Value`, a tuple of them or a `Slot` for each name. ``narrow`` says
    that the constants of the function are those for float32; ``round`` is that of the
    loop over lanes that is emitted.
    """

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self.module = module
        self.names: dict[str, Any] = {}
        self.narrow = False
        self.round: Round | None = None

    @contextmanager
    def one_lane(self, name: str, value: Value) -> Generator[None]:
        """In the block the loop's ``name`` has one value, and there are no lanes."""
        round_, self.round, self.names[name] = self.round, None, value
        yield
        self.round = round_
        del self.names[name]

    def value(self, node: ast.expr) -> Any:
        """The value of an expression: a `Value`, or a tuple of them."""
        match node:
            case ast.Name(id=name):  # the most frequent come first
                return self._name(name)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left=left, op=op, right=right):
                kind = type(op).__name__
                return self.binary(kind, self.value(left), self.value(right))
            case ast.Constant(value=bool() as flag):
                return constant(flag, "bool")
            case ast.Constant(value=(int() | float()) as number):
                return literal(number)
            case ast.Subscript() if self.round:
                return self.round.load(self, node)
            case ast.Subscript():
                return self.load(*self._place(node))
            case ast.Tuple(elts=items):
                return tuple(self.value(item) for item in items)
            case ast.Attribute(attr="inf" | "nan" as name):
                return literal(float(name))
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
            found = self.module.constant(name, narrow=self.narrow)
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
        primitive = PRIMITIVES.get(name)
        if primitive is not None:
            return primitive(self, *operands)
        return self.apply(name, operands)

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
