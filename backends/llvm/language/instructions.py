"""LLVM's instructions: what the kernel language is made of.

All instructions work lane by lane; a scalar that meets a vector is in every lane.
Integers wrap; comparisons with NaN are false.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

from .values import (
    FLOAT,
    INT,
    REGISTERS,
    TABLE,
    LanguageError,
    Value,
    constant,
    literal,
    vector,
)

__all__ = ["WRITTEN_OUT", "Emitter", "Linkage"]

FLOAT_OPERATORS = {"Add": "fadd", "Sub": "fsub", "Mult": "fmul", "Div": "fdiv"}
INTEGER_OPERATORS = {
    **{"Add": "add", "Sub": "sub", "Mult": "mul", "LShift": "shl"},
    **{"BitAnd": "and", "BitOr": "or", "BitXor": "xor"},
}
PREDICATES = {
    "Eq": ("oeq", "eq", "eq"),
    "NotEq": ("une", "ne", "ne"),
    "Lt": ("olt", "slt", "ult"),
    "LtE": ("ole", "sle", "ule"),
    "Gt": ("ogt", "sgt", "ugt"),
    "GtE": ("oge", "sge", "uge"),
}
FOLDED = {"Add": operator.add, "Sub": operator.sub, "Mult": operator.mul}
ROLLED = 1_000_000  # metadata from here on is about loops, before about labels
WRITTEN_OUT = '"written-out"'  # the attribute of a kernel that needs few passes


class Linkage:
    """What the functions of one LLVM module share: declarations and memory labels."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.declarations: dict[str, str] = {}
        self.labels: set[int] = set()
        self.rolled = 0

    def rolled_loop(self) -> str:
        """The mark of a loop that is not to be unrolled; each has its own."""
        self.rolled += 1
        return f", !llvm.loop !{ROLLED + self.rolled}"

    def declare(self, name: str, result: str, operands: Sequence[str]) -> None:
        """Declare a function that is linked in."""
        types = ", ".join(operands)
        self.declarations[name] = f"declare {result} @{name}({types})"

    def text(self) -> str:
        """The module as LLVM assembly."""
        metadata = ['!0 = !{!"anabranch"}', "!1 = !{}"]
        for label in sorted(self.labels):
            kind, tag = 2 * label + 2, 2 * label + 3
            metadata.append(f'!{kind} = !{{!"label {label}", !0, i64 0}}')
            metadata.append(f"!{tag} = !{{!{kind}, !{kind}, i64 0}}")
        if self.rolled:
            metadata.append(f'!{ROLLED} = !{{!"llvm.loop.unroll.disable"}}')
        metadata += [
            f"!{number} = distinct !{{!{number}, !{ROLLED}}}"
            for number in range(ROLLED + 1, ROLLED + 1 + self.rolled)
        ]
        return "\n".join([*self.declarations.values(), *self.bodies, *metadata, ""])


class Emitter:
    """Appends instructions to one function, block by block.

    ``slots`` are the stack slots, which stand at the entry; ``label`` is that of the
    current block, and ``closed`` says that it has ended.
    """

    def __init__(self, linkage: Linkage) -> None:
        self.linkage = linkage
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.count = 0
        self.label = "entry"
        self.closed = False

    def finish(self, header: str) -> None:
        """Put the function under its header into the module."""
        body = [f"  {line}" if not line.endswith(":") else line for line in self.lines]
        slots = [f"  {slot}" for slot in self.slots]
        text = [f"{header} nounwind {{", "entry:", *slots, *body, "}"]
        self.linkage.bodies.append("\n".join(text))

    def fresh(self, hint: str = "t") -> str:
        """A name that nothing has yet."""
        self.count += 1
        return f"{hint}{self.count}"

    def room(self, kind: str, hint: str = "room") -> str:
        """The address of room on the stack for an LLVM type."""
        address = f"%{self.fresh(f'{hint}.')}"
        self.slots.append(f"{address} = alloca {kind}")
        return address

    def emit(self, dtype: str, instruction: str) -> Value:
        """An instruction with a result."""
        name = f"%{self.fresh()}"
        self.lines.append(f"{name} = {instruction}")
        return Value(dtype, name)

    def jump(self, line: str) -> None:
        """End the block."""
        self.lines.append(line)
        self.closed = True

    def start(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self.label = label
        self.closed = False

    def either(self, a: Value, first: str, b: Value, second: str) -> Value:
        """``a`` where control came from the block ``first``, ``b`` from ``second``."""
        kind = REGISTERS[a.dtype]
        return self.emit(
            a.dtype, f"phi {kind} [ {a.text}, %{first} ], [ {b.text}, %{second} ]"
        )

    def call(
        self, symbol: str, dtype: str, operands: Sequence[Value], declare: bool = True
    ) -> Value:
        """Call a linked function or an intrinsic on registers."""
        types = [REGISTERS[operand.dtype] for operand in operands]
        if declare:
            self.linkage.declare(symbol, REGISTERS[dtype], types)
        listed = ", ".join(
            f"{kind} {operand.text}"
            for kind, operand in zip(types, operands, strict=True)
        )
        return self.emit(dtype, f"call {REGISTERS[dtype]} @{symbol}({listed})")

    def element(self, pointer: Value, place: Value) -> str:
        """The address of an element."""
        kind = "i8" if pointer.dtype == "bool" else REGISTERS[pointer.dtype]
        step = f"getelementptr {kind}, ptr {pointer.text}, i64 {place.text}"
        return self.emit("", step).text

    def access(self, pointer: Value, place: Value) -> tuple[str, str]:
        """The address of an element, and the alias tag of what accesses it."""
        return self.element(pointer, self.typed(place, "i64")), self._tag(pointer)

    def load(self, pointer: Value, place: Value) -> Value:
        """An element; a bool is a byte in memory."""
        address, tag = self.access(pointer, place)
        if pointer.dtype == "bool":
            byte = self.emit("u8", f"load i8, ptr {address}{tag}")
            return self.emit("bool", f"icmp ne i8 {byte.text}, 0")
        kind = REGISTERS[pointer.dtype]
        return self.emit(pointer.dtype, f"load {kind}, ptr {address}{tag}")

    def store(self, pointer: Value, place: Value, value: Value) -> None:
        """Write an element, cast to what the pointer points to."""
        element = self.cast(value, pointer.dtype)
        address, tag = self.access(pointer, place)
        kind = REGISTERS[pointer.dtype]
        if pointer.dtype == "bool":
            element = self.emit("u8", f"zext i1 {element.text} to i8")
            kind = "i8"
        self.lines.append(f"store {kind} {element.text}, ptr {address}{tag}")

    def _tag(self, pointer: Value) -> str:
        if pointer.label is None:
            return ""
        if pointer.label == TABLE:
            return ", !invariant.load !1"
        self.linkage.labels.add(pointer.label)
        return f", !tbaa !{2 * pointer.label + 3}"

    def settled(self, value: Value, dtype: str | None = None) -> Value:
        """A literal that met nothing: i64 or f64, or ``dtype``."""
        if value.number is None:
            return value
        return constant(value.number, dtype or ("i64" if value.dtype == INT else "f64"))

    def typed(self, value: Value, dtype: str) -> Value:
        """``value`` as ``dtype``; only literals adapt."""
        value = self.settled(value, dtype)
        if value.dtype != dtype:
            raise LanguageError(f"{value.dtype} where {dtype} is wanted")
        return value

    def matched(self, *values: Value) -> tuple[Value, ...]:
        """Values in one dtype: literals and scalars take that of the others."""
        values = self.spread(values)
        dtypes = {value.dtype for value in values if value.number is None}
        if len(dtypes) > 1:
            raise LanguageError(" meets ".join(sorted(dtypes)))
        if dtypes:
            dtype = dtypes.pop()
        else:
            dtype = "f64" if any(value.dtype == FLOAT for value in values) else "i64"
        return tuple([self.settled(value, dtype) for value in values])

    def spread(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """Values with the same number of lanes; literals stay as they are."""
        lanes = max([value.lanes for value in values])
        return tuple(
            [
                value if value.number is not None else self.widened(value, lanes)
                for value in values
            ]
        )

    def widened(self, value: Value, lanes: int) -> Value:
        """A scalar in all lanes of a vector; what has these lanes stays."""
        if value.lanes == lanes:
            return value
        if value.lanes != 1:
            raise LanguageError(f"{value.dtype} in {lanes} lanes")
        dtype = vector(value.dtype, lanes)
        kind, element = REGISTERS[dtype], REGISTERS[value.dtype]
        first = f"insertelement {kind} poison, {element} {value.text}, i64 0"
        alone = self.emit(dtype, first)
        return self.shuffle(alone, alone, [0] * lanes)

    def shuffle(self, a: Value, b: Value, lanes: Sequence[int]) -> Value:
        """The given lanes of ``a`` followed by ``b``."""
        kind = REGISTERS[a.dtype]
        mask = f"<{len(lanes)} x i32> <{', '.join(f'i32 {lane}' for lane in lanes)}>"
        return self.emit(
            vector(a.element, len(lanes)),
            f"shufflevector {kind} {a.text}, {kind} {b.text}, {mask}",
        )

    def binary(self, operator: str, a: Value, b: Value, flags: str = "") -> Value:
        """Arithmetic of two values of one dtype; of two literals at once."""
        if a.number is not None and b.number is not None and operator in FOLDED:
            return literal(FOLDED[operator](a.number, b.number))
        a, b = self.matched(a, b)
        table = FLOAT_OPERATORS if a.is_float else INTEGER_OPERATORS
        instruction = table.get(operator)
        if operator == "RShift" and not a.is_float:
            instruction = "ashr" if a.dtype[0] == "i" else "lshr"
        if instruction is None:
            raise LanguageError(f"{operator} of {a.dtype}")
        kind = REGISTERS[a.dtype]
        return self.emit(a.dtype, f"{instruction}{flags} {kind} {a.text}, {b.text}")

    def compare(self, operator: str, a: Value, b: Value) -> Value:
        """A comparison of two values of one dtype."""
        a, b = self.matched(a, b)
        on_floats, signed, unsigned = PREDICATES[operator]
        if a.is_float:
            compared = f"fcmp {on_floats}"
        else:
            compared = f"icmp {signed if a.dtype[0] == 'i' else unsigned}"
        kind = REGISTERS[a.dtype]
        flags = vector("bool", a.lanes)
        return self.emit(flags, f"{compared} {kind} {a.text}, {b.text}")

    def truth(self, value: Value) -> Value:
        """A value as a condition."""
        value = self.settled(value)
        if value.element == "bool":
            return value
        return self.compare("NotEq", value, literal(0))

    def logical(self, word: str, a: Value, b: Value) -> Value:
        """``and``, ``or``, ``xor`` of two values as conditions."""
        a, b = self.matched(self.truth(a), self.truth(b))
        return self.emit(a.dtype, f"{word} {REGISTERS[a.dtype]} {a.text}, {b.text}")

    def any(self, condition: Value) -> Value:
        """Whether a condition holds in any lane."""
        if condition.lanes == 1:
            return condition
        symbol = f"llvm.vector.reduce.or.v{condition.lanes}i1"
        return self.call(symbol, "bool", [condition])

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """``a if condition else b``, both computed."""
        if "bool" in (a.element, b.element):
            a, b = self.truth(a), self.truth(b)
            if condition == b:  # a comparison that branches can follow one by one
                return self.logical("and", condition, a)
            if condition == a:
                return self.logical("or", condition, b)
        a, b = self.matched(a, b)
        if condition.lanes != a.lanes:
            lanes = max(condition.lanes, a.lanes)
            condition, a, b = (self.widened(v, lanes) for v in (condition, a, b))
        kind, flags = REGISTERS[a.dtype], REGISTERS[condition.dtype]
        chosen = f"select {flags} {condition.text}, {kind} {a.text}, {kind} {b.text}"
        return self.emit(a.dtype, chosen)

    def cast(self, value: Value, dtype: str) -> Value:
        """A conversion to a scalar's dtype; of floats to integers, if they fit."""
        if value.number is not None:
            return constant(value.number, dtype)
        if value.element == dtype:
            return value
        if dtype == "bool":
            return self.truth(value)
        instruction = _conversion(value.element, dtype)
        made = vector(dtype, value.lanes)
        source, target = REGISTERS[value.dtype], REGISTERS[made]
        if instruction == "":
            return Value(made, value.text)
        return self.emit(made, f"{instruction} {source} {value.text} to {target}")


def _conversion(source: str, target: str) -> str:
    """The LLVM instruction between two dtypes; empty where the bits stay."""
    if target in ("f32", "f64"):
        if source in ("f32", "f64"):
            return "fpext" if target == "f64" else "fptrunc"
        return "sitofp" if source[0] == "i" else "uitofp"
    if source in ("f32", "f64"):
        return "fptosi" if target[0] == "i" else "fptoui"
    old = 1 if source == "bool" else int(source[1:])
    new = int(target[1:])
    if old == new:
        return ""
    if new < old:
        return "trunc"
    return "sext" if source[0] == "i" else "zext"
