"""What kernel source needs of Numba: labelled pointers, arithmetic that wraps."""

from __future__ import annotations

import math
import operator
from typing import Any

import llvmlite.ir as llvm
from numba import types
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    register_jitable,
    register_model,
)

__all__ = ["NAMESPACE"]

DTYPES = {
    **{"f32": types.float32, "f64": types.float64, "bool": types.boolean},
    **{"i8": types.int8, "i16": types.int16, "i32": types.int32, "i64": types.int64},
    **{"u8": types.uint8, "u16": types.uint16, "u32": types.uint32},
    "u64": types.uint64,
}


class BufferPointer(types.CPointer):
    """Where element 0 of an operand lies: `p[i]` is one load, `p[i] = v` one store.

    Neither wraps a negative index nor checks a bound. `label` is a promise: what is
    reached through two different labels of one kernel does not overlap, so LLVM need
    not test that at run time (with 16 inputs and 16 outputs it gives up vectorising).
    Operands that may overlap take the same label, or none. One that is updated in
    place is read and written through a single pointer: with two, the run-time test
    finds an overlap and takes the scalar loop.
    """

    def __init__(self, dtype: types.Type, label: int | None) -> None:
        self.label = label
        super().__init__(dtype)
        self.name = f"{dtype}*" if label is None else f"{dtype}*{label}"

    @property
    def key(self) -> tuple[types.Type, int | None]:
        """What makes two of these types one type."""
        return self.dtype, self.label


register_model(BufferPointer)(models.PointerModel)


def _tag(access: Any, pointer: BufferPointer) -> None:
    """Say which label a load or store goes through, as LLVM's type-based alias tags.

    Tags of two sibling "types" mean "never the same memory", which is what labels mean.
    """
    if pointer.label is not None:
        module = access.function.module
        root = module.add_metadata(["anabranch"])
        zero = llvm.Constant(llvm.IntType(64), 0)
        label = module.add_metadata([f"label {pointer.label}", root, zero])
        access.set_metadata("tbaa", module.add_metadata([label, label, zero]))


@lower_builtin(operator.getitem, BufferPointer, types.Integer)
def _load(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    base, index = args
    value = builder.load(builder.gep(base, [index]))
    _tag(value, signature.args[0])
    if signature.return_type == types.boolean:  # a byte in memory, one bit in registers
        return builder.icmp_unsigned("!=", value, value.type(0))
    return value


@lower_builtin(operator.setitem, BufferPointer, types.Integer, types.Any)
def _store(context: Any, builder: Any, signature: Any, args: Any) -> None:
    base, index, value = args
    value = context.data_model_manager[signature.args[2]].as_data(builder, value)
    _tag(builder.store(value, builder.gep(base, [index])), signature.args[0])


def _pointer(name: str, dtype: types.Type) -> Any:
    """The function `name(address, label=None)` of generated code, label a literal."""

    def define(typing_context: Any, address: Any, label: Any = None) -> Any:
        if not isinstance(address, types.Integer):
            return None
        if label is None:
            label, number = types.none, None
        elif isinstance(label, types.IntegerLiteral):
            number = label.literal_value
        else:
            return None
        pointer = BufferPointer(dtype, number)

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], context.get_value_type(pointer))

        return pointer(types.int64, label), generate

    define.__name__ = name
    return intrinsic(prefer_literal=True)(define)


def _arithmetic(name: str, kind: Any, instruction: str, *flags: str) -> Any:
    """One LLVM instruction on two operands of the same dtype, which it also returns."""

    def define(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return getattr(builder, instruction)(*args, flags=flags)

        return (a(a, b), generate) if isinstance(a, kind) and a == b else None

    define.__name__ = name
    return intrinsic(define)


POINTERS = {short: _pointer(f"{short}_pointer", DTYPES[short]) for short in DTYPES}

# All that generated source can name, besides Numba's own builtins (range, abs, ...).
# `reassociated_add` lets LLVM sum in several accumulators; NaN and inf behave as ever.
# Numba's own + - * on signed integers promise LLVM never to overflow: `x + 1 > x` is
# compiled to True. The wrapping ones do as NumPy does, and do not promote.
NAMESPACE: dict[str, Any] = {
    "math": math,
    **{f"{short}_pointer": pointer for short, pointer in POINTERS.items()},
    **{f"{short}_room": pointer for short, pointer in POINTERS.items()},
    **{str(dtype): dtype for dtype in DTYPES.values() if dtype != types.boolean},
    "boolean": types.boolean,
    "rolled": range,
    "lanes": register_jitable(lambda end, _: range(end)),
    "written_out": lambda kernel: kernel,
    "reassociated_add": _arithmetic("reassociated_add", types.Float, "fadd", "reassoc"),
    "wrapping_add": _arithmetic("wrapping_add", types.Integer, "add"),
    "wrapping_subtract": _arithmetic("wrapping_subtract", types.Integer, "sub"),
    "wrapping_multiply": _arithmetic("wrapping_multiply", types.Integer, "mul"),
}
