"""Doors as functions inside of Numba's: types are checked as Numba compiles.

A `DoorFunction` is a value of a type of its own, which says what a call with arguments
of some types returns, and prints the code of the call: look at the shapes, fill the two
tables on the stack, call the address. So nothing is compiled before a function of the
user's is, and then only this call.

What Numba compiled has the address, and nothing says when Numba's code goes. So a door
that was compiled into some stays as long as the process.

Importing this imports Numba.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, errors, types
from numba.core.imputils import lower_constant
from numba.core.typing.templates import Signature, signature
from numba.extending import (
    NativeValue,
    lower_builtin,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np import arrayobj
from numba.np.numpy_support import as_dtype, from_dtype

from .....ir.ops.index import ERRORS
from .....ir.types import TensorType
from .door import LLVMDoor
from .entry import NO_MEMORY

__all__ = ["DoorFunction"]

_numbers = itertools.count()
_compiled_in: set[LLVMDoor] = set()


class DoorFunction:
    """A door to be called in functions that Numba compiles.

    ``name`` and ``arguments`` (names in the order of the inputs) are for messages.
    """

    def __init__(self, door: LLVMDoor, name: str, arguments: Sequence[str]) -> None:
        graph = door.executable.plan.graph
        self.door = door
        self.name = name
        self.arguments = tuple(arguments)
        self.inputs = [node.type for node in graph.inputs[: len(self.arguments)]]
        self.outputs = [graph[result].type for result in graph.results]
        self.type = DoorType(self)

    def __repr__(self) -> str:
        listed = ", ".join(map(_told, self.arguments, self.inputs))
        results = ", ".join(map(str, self.outputs))
        return f"<{self.name}({listed}) -> {results}, for functions of Numba's>"


class DoorType(types.Callable):
    """Numba's type of one `DoorFunction`."""

    def __init__(self, function: DoorFunction) -> None:
        self.function = function
        super().__init__(f"anabranch.{function.name}.{next(_numbers)}")

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Signature:
        """The signature of a call; a TypingError where arguments do not fit."""
        function = self.function
        wanted = list(map(_told, function.arguments, function.inputs))
        if kws or len(args) != len(wanted):
            raise errors.TypingError(
                f"{function.name} takes {len(wanted)} arguments, by position: "
                f"{', '.join(wanted)}"
            )
        taken = [
            _argument(function.name, told, type_, given)
            for told, type_, given in zip(wanted, function.inputs, args, strict=True)
        ]
        results = [_result(type_) for type_ in function.outputs]
        result = results[0] if len(results) == 1 else types.Tuple(results)
        return signature(result, *taken, recvr=self)

    def get_call_signatures(self) -> tuple[list[Signature], bool]:
        """No list: arrays of several kinds fit."""
        return [], True

    def get_impl_key(self, sig: Signature) -> type:
        """One implementation for all doors; the signature says which it is."""
        del sig
        return type(self)


def _scalar(type_: TensorType) -> Any:
    dtype: Any = type_.numpy
    return from_dtype(dtype)


def _told(name: str, type_: TensorType) -> str:
    return f"{name}: {type_}"


def _argument(function: str, told: str, type_: TensorType, given: Any) -> Any:
    """The type that an argument is passed as."""
    given = types.unliteral(given)
    scalar = _scalar(type_)
    if isinstance(given, types.Array):
        if given.dtype != scalar or given.ndim != type_.rank:
            raise errors.TypingError(f"{function}: {told} is wanted, not {given}")
        if given.layout != "C" or not given.aligned:
            raise errors.TypingError(
                f"{function}: {told} is not known to be C-contiguous and aligned, it "
                f"is {given}; pass np.ascontiguousarray(...) of it"
            )
        return given
    number = type_.rank == 0 and isinstance(given, (types.Number, types.Boolean))
    if number and np.can_cast(as_dtype(given), type_.numpy, "safe"):
        return scalar
    raise errors.TypingError(f"{function}: {told} is wanted, not {given}")


def _result(type_: TensorType) -> Any:
    scalar = _scalar(type_)
    return types.Array(scalar, type_.rank, "C") if type_.rank else scalar


register_model(DoorType)(models.OpaqueModel)


@typeof_impl.register(DoorFunction)
def _type_of(value: DoorFunction, context: Any) -> DoorType:
    del context
    return value.type


@lower_constant(DoorType)
def _constant(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    del builder, kind, value
    return context.get_dummy_value()


@unbox(DoorType)
def _unboxed(kind: Any, value: Any, context: Any) -> NativeValue:
    del kind, value
    return NativeValue(context.context.get_dummy_value())


@lower_builtin(DoorType, types.VarArg(types.Any))
def _call(context: Any, builder: Any, sig: Signature, args: Sequence[Any]) -> Any:
    """The code of a call."""
    function: DoorFunction = sig.args[0].function
    _compiled_in.add(function.door)
    pointers = [
        _input(context, builder, function, number, kind, value)
        for number, (kind, value) in enumerate(zip(sig.args[1:], args[1:], strict=True))
    ]
    results = [_Output(context, builder, type_) for type_ in function.outputs]
    inputs = _table(context, builder, pointers)
    outputs = _table(context, builder, [result.pointer for result in results])
    pointer = cgutils.voidptr_t
    word = context.get_value_type(types.int32)
    kind = ir.FunctionType(word, [pointer, pointer])
    address = context.add_dynamic_addr(builder, function.door.address, function.name)
    routine = builder.bitcast(address, kind.as_pointer())
    status = builder.call(routine, [inputs, outputs])
    failed = cgutils.is_not_null(builder, status)
    with builder.if_then(failed, likely=False):
        for result in results:
            result.release()
        _raise(context, builder, function, status)
    values = [result.value() for result in results]
    if len(values) == 1:
        return values[0]
    return context.make_tuple(builder, sig.return_type, values)


def _table(context: Any, builder: Any, pointers: Sequence[Any]) -> Any:
    """A table of pointers on the stack."""
    pointer = cgutils.voidptr_t
    size = context.get_constant(types.intp, max(len(pointers), 1))
    table = cgutils.alloca_once(builder, pointer, size)
    for number, item in enumerate(pointers):
        place = cgutils.gep_inbounds(builder, table, number)
        builder.store(builder.bitcast(item, pointer), place)
    return builder.bitcast(table, pointer)


def _input(
    context: Any, builder: Any, function: DoorFunction, number: int, kind: Any, v: Any
) -> Any:
    """The address of an argument, whose shape is looked at."""
    if not isinstance(kind, types.Array):
        return _cell(context, builder, kind, v)
    type_ = function.inputs[number]
    array = arrayobj.make_array(kind)(context, builder, v)
    sizes = cgutils.unpack_tuple(builder, array.shape, kind.ndim)
    for axis, size in enumerate(sizes):
        wanted = context.get_constant(types.intp, type_.shape[axis])
        differs = builder.icmp_signed("!=", size, wanted)
        with builder.if_then(differs, likely=False):
            told = _told(function.arguments[number], type_)
            message = f"{function.name}: {told} has another size along axis {axis}"
            context.call_conv.return_user_exc(builder, ValueError, (message,))
    return array.data


def _cell(context: Any, builder: Any, kind: Any, value: Any = None) -> Any:
    """Memory on the stack for a scalar."""
    model = context.data_model_manager[kind]
    cell = cgutils.alloca_once(builder, model.get_data_type())
    if value is not None:
        builder.store(model.as_data(builder, value), cell)
    return cell


class _Output:
    """Memory for one result: a new array, or a cell for a scalar."""

    def __init__(self, context: Any, builder: Any, type_: TensorType) -> None:
        self._context, self._builder = context, builder
        self._kind = _result(type_)
        self._array: Any = None
        if type_.rank:
            sizes = [context.get_constant(types.intp, size) for size in type_.shape]
            self._array = arrayobj._empty_nd_impl(  # pyright: ignore[reportPrivateUsage]
                context, builder, self._kind, sizes
            )
            self.pointer: Any = self._array.data
        else:
            self.pointer = _cell(context, builder, self._kind)

    def value(self) -> Any:
        """The result."""
        if self._array is not None:
            return self._array._getvalue()
        model = self._context.data_model_manager[self._kind]
        return model.from_data(self._builder, self._builder.load(self.pointer))

    def release(self) -> None:
        """Give up the memory of an array."""
        if self._array is not None:
            value = self._array._getvalue()
            self._context.nrt.decref(self._builder, self._kind, value)


def _raise(context: Any, builder: Any, function: DoorFunction, status: Any) -> None:
    """Raise what a status other than 0 says."""
    checks = function.door.checks
    blocks = {
        found: builder.append_basic_block(f"failed_{found[0]}")
        for found in dict.fromkeys(checks.values())
    }
    memory = builder.append_basic_block("no_memory")
    switch = builder.switch(status, memory)
    word = status.type
    switch.add_case(ir.Constant(word, NO_MEMORY), memory)
    for code, found in checks.items():
        switch.add_case(ir.Constant(word, code), blocks[found])
    for (kind, told), block in blocks.items():
        builder.position_at_end(block)
        message = f"{function.name}: {told}"
        context.call_conv.return_user_exc(builder, ERRORS[kind], (message,))
    builder.position_at_end(memory)
    message = f"{function.name}: no memory for the scratch arrays of a call"
    context.call_conv.return_user_exc(builder, MemoryError, (message,))
