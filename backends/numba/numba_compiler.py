"""Kernel source by Numba: the second opinion on what `engine` compiles.

The same source gives the same kernel, `int64 kernel(int64 *buffers, int64 *words)`, by
another compiler with other functions: Numba's front end, NumPy's and libm's functions.
``ANABRANCH_KERNELS=numba`` runs everything through it.

What holds:
- One compilation per distinct source text and process, whatever the threads do.
- Compiled code is never freed, so an address stays good until the process ends.
- A kernel cannot raise. A `cfunc` that raises prints and returns 0, which would read as
  success, so source that could raise is refused when it is compiled.
"""

import linecache
import math
import operator
import os
import re
from collections.abc import Callable
from typing import Any

import llvmlite.ir as llvm
from numba import cfunc, config, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic, lower_builtin, models, register_model

TABLE = types.CPointer(types.int64)
KERNEL = types.int64(TABLE, TABLE)  # (buffers, words) -> status

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
    **{str(dtype): dtype for dtype in DTYPES.values() if dtype != types.boolean},
    "boolean": types.boolean,
    "reassociated_add": _arithmetic("reassociated_add", types.Float, "fadd", "reassoc"),
    "wrapping_add": _arithmetic("wrapping_add", types.Integer, "add"),
    "wrapping_subtract": _arithmetic("wrapping_subtract", types.Integer, "sub"),
    "wrapping_multiply": _arithmetic("wrapping_multiply", types.Integer, "mul"),
}

_OPTIMISED: bool = vars(config)["OPT"] != 0  # NUMBA_OPT; 3 unless the user said else
_alive: list[Any] = []  # Numba may unload what nothing refers to
_kernels: dict[str, int] = {}  # source text -> address


def compile_function(function: Callable[..., int], signature: Any = KERNEL) -> int:
    """The address of `function`, compiled as a C function that never takes the GIL."""
    compiled: Any = cfunc(signature, nogil=True, error_model="numpy")(function)
    # Numba's inner function returns an i32: 0, or that it raised. Once optimised, any
    # return but a plain 0 is a path that may.
    if _OPTIMISED and re.search(r"\bret i32 (?!0\b)", compiled.inspect_llvm()):
        raise RuntimeError(f"kernel {function.__name__} could raise")
    _alive.append(compiled)
    return compiled.address


def _namespace() -> dict[str, Any]:
    """What generated source sees: NAMESPACE, and the scalar functions."""
    from .numba_functions import FUNCTIONS

    return {**NAMESPACE, **FUNCTIONS, "__builtins__": {}}


def compile_kernel(source: str, name: str) -> int:
    """The address of the function `name` that `source` defines.

    The source sees NAMESPACE only. Read `buffers` and `words` before the loops: LLVM
    cannot know that stores leave them alone.
    """
    if source not in _kernels:  # a hit never waits for the lock
        # Numba's lock, not one of ours: two locks could be taken in either order.
        with global_compiler_lock:
            if source not in _kernels:
                filename = f"<anabranch {name}>"
                lines = source.splitlines(keepends=True)
                linecache.cache[filename] = len(source), None, lines, filename
                namespace = _namespace()
                exec(compile(source, filename, "exec"), namespace)
                _kernels[source] = compile_function(namespace[name])
    return _kernels[source]


# A fork while another thread compiles would leave the child waiting for ever on a lock
# that nobody in it holds. So the forking thread takes the lock across the fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
