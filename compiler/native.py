"""Compiled functions for native code: C by address, Numba by type, samplers."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Protocol

from ..backends.base import Array, Door
from ..ir.errors import ArgumentError
from ..ir.types import TensorType
from .calls.tracebacks import shows_users_frames
from .program import Program

__all__ = ["HasNative", "LogDensity", "Native"]

FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
DOUBLES = ctypes.POINTER(ctypes.c_double)
DENSITY = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_size_t, DOUBLES, DOUBLES, DOUBLES, ctypes.c_void_p
)
C_TYPES = {
    **{f"i{bits}": f"int{bits}_t" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}_t" for bits in (8, 16, 32, 64)},
    **{"f32": "float", "f64": "double", "bool": "bool"},
    **{"c64": "float _Complex", "c128": "double _Complex"},
}


class Native:
    """One signature of a compiled function, to be called without Python.

    ``address`` is that of a C function; ``header`` declares it and lists inputs and
    outputs:

        int f(const void *const *inputs, void *const *outputs);

    Inputs are the leaves of the arguments and outputs those of the result, in their
    order (a dict's as inserted), each the address of a C-contiguous array aligned to
    its dtype; a scalar is an array of one element. Inputs are only read and may share
    memory; outputs must share none with inputs or each other. Any number of threads may
    call at once, and so may the children of a fork. The result is 0, else a code for
    `error`; outputs then hold nothing of meaning. Captured arrays are read at each
    call, as they are then.

    This object keeps code and captured arrays alive, even without the compiled
    function; an address is good as long as its object lives.
    """

    def __init__(self, program: Program, door: Door, captured: Sequence[Array]) -> None:
        self._door = door
        self._captured = list(captured)
        graph = program.graph
        self.name = graph.name
        given = graph.inputs[: len(graph.inputs) - len(captured)]
        self.inputs = {node.name: node.type for node in given}
        self.outputs = [
            (output.label, graph[output.value].type) for output in graph.outputs
        ]
        self.address: int = door.address

    @cached_property
    def ctypes(self) -> Any:
        """The C function for ctypes, of two addresses; it keeps this alive."""
        function: Any = FUNCTION(self.address)
        function.native = self
        return function

    @cached_property
    def njit(self) -> Any:
        """The function to be called inside of functions that Numba compiles.

        It takes the inputs by position, C-contiguous arrays and numbers, and returns
        the outputs: a number for one without dimensions, a new array for another, a
        tuple of these for several. It needs no GIL.

        Another dtype, rank or layout is a TypingError when Numba compiles, another
        shape a ValueError at the call; a check that fails raises BoundsError,
        DomainError or RangeError, as from Python. What Numba compiled with it
        stays alive as long as the process, and cannot be kept on disk (``cache=True``).

        Asking for it imports Numba, and compiles nothing.
        """
        return self._door.njit(self.name, list(self.inputs))

    @property
    def header(self) -> str:
        """The C declaration, and a comment with the inputs and outputs."""
        lines = [
            *(
                f" * inputs[{number}]: {_declared(name, type_)}"
                for number, (name, type_) in enumerate(self.inputs.items())
            ),
            *(
                f" * outputs[{number}]: {_declared(label or 'result', type_)}"
                for number, (label, type_) in enumerate(self.outputs)
            ),
        ]
        name = re.sub(r"\W", "_", self.name, flags=re.ASCII)
        return "\n".join(
            [
                "/*",
                *lines,
                " * Returns 0, or a code other than 0 where it failed.",
                " */",
                f"int {name}(const void *const *inputs, void *const *outputs);",
            ]
        )

    def error(self, code: int) -> BaseException:
        """The exception for a code other than 0 that a call returned."""
        return self._door.error(code)

    def logdensity(self) -> LogDensity:
        """This function as samplers call it; see `Compiled.logdensity`."""
        return LogDensity(self, self._door)

    def __repr__(self) -> str:
        return f"<native {self.name} at {self.address:#x}>"


def _declared(name: str, type_: TensorType) -> str:
    sizes = "".join(f"[{size}]" for size in type_.shape) or "[1]"
    return f"{C_TYPES[type_.dtype]} {name}{sizes}"


class LogDensity:
    """Value and gradient of a function of one vector of float64, as samplers call it.

        int f(size_t n, const double *x, double *grad, double *value, void *user);

    ``x`` and ``grad`` have ``n = size`` elements; ``user`` is not looked at. The result
    is 0; -2 for another ``n``, and else as `Native` says. This object keeps the code
    alive; ``ctypes`` keeps this object.
    """

    def __init__(self, native: Native, door: Door) -> None:
        types = list(native.inputs.values())
        outputs = [type_ for _, type_ in native.outputs]
        vector = len(types) == 1 and types[0].rank == 1 and types[0].dtype == "f64"
        if not vector or outputs != [types[0].with_shape(()), types[0]]:
            raise ArgumentError(
                f"{native.name} is no log-density: it maps "
                f"{', '.join(map(str, types))} to {', '.join(map(str, outputs))}",
                hint="take value_and_grad of a function of one vector of float64",
            )
        self.native = native
        self.size: int = types[0].shape[0]
        self._thunk = door.density(self.size)
        self.address: int = self._thunk.address

    @cached_property
    def ctypes(self) -> Any:
        """The C function for ctypes, and for Numba, which calls it by its type."""
        function: Any = DENSITY(self.address)
        function.density = self
        return function

    @property
    def njit(self) -> Any:
        """``x`` to value and gradient, in functions that Numba compiles."""
        return self.native.njit

    def error(self, code: int) -> BaseException:
        """The exception for a code other than 0 that a call returned."""
        return self.native.error(code)

    def __repr__(self) -> str:
        return f"<log-density {self.native.name} of {self.size} at {self.address:#x}>"


class MakesNative(Protocol):
    """What is kept of one signature."""

    def native(self, backend: str) -> Native:
        """It for native code, by this backend."""
        ...


class HasNative:
    """The part of a compiled function that native code calls.

    What says nothing of arguments is of the newest signature, and raises
    `ArgumentError` before the first call. All of it raises `ArgumentError` for a
    backend other than llvm, and is good as long as the signature is kept; what `native`
    and `logdensity` return is as long as it lives.
    """

    backend: str

    def _newest(self) -> MakesNative:
        raise NotImplementedError

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> MakesNative:
        raise NotImplementedError

    @shows_users_frames
    def native(self, *args: Any, **kwargs: Any) -> Native:
        """The function for C and Numba code, for arguments like these.

        Arguments may be types (see `spec`); without any it is the newest signature.
        """
        return self._find(args, kwargs).native(self.backend)

    @property
    @shows_users_frames
    def njit(self) -> Any:
        """The function to be called in functions that Numba compiles; see `Native`."""
        return self._newest().native(self.backend).njit

    @property
    @shows_users_frames
    def address(self) -> int:
        """The address of the C function; see `Native`."""
        return self._newest().native(self.backend).address

    @property
    @shows_users_frames
    def ctypes(self) -> Any:
        """The C function for ctypes; see `Native`."""
        return self._newest().native(self.backend).ctypes

    @shows_users_frames
    def logdensity(self, size: int) -> LogDensity:
        """The C function that samplers want, for vectors of ``size`` float64.

        For ``value_and_grad`` of a function of one vector. See `LogDensity`.

        >>> import numpy as np, anabranch
        >>> f = anabranch.value_and_grad(lambda x: -0.5 * np.sum(x * x))
        >>> f.logdensity(3).size
        3
        """
        vector = TensorType("f64", (size,))
        return self._find((vector,), {}).native(self.backend).logdensity()
