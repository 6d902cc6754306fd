"""The methods and operators of traced arrays that are functions of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["ArrayMethods"]

_PYTHON = {"b": "bool", "i": "i64", "u": "u64", "f": "f64", "c": "c128"}
"""The dtype of the Python number that an element of a kind becomes."""


def _binary(function: Any, reflected: bool = False) -> Any:
    def method(self: Any, other: Any) -> Any:
        pair = (other, self) if reflected else (self, other)
        return self.owner.operator(function, *pair)

    return method


def _product(reflected: bool = False) -> Any:
    multiply = _binary(np.multiply, reflected)

    def method(self: Any, other: Any) -> Any:
        whole = self.ndim == 0 and (self.dtype.kind in "iu" or _is_python_bool(self))
        if whole and isinstance(other, (list, tuple, str, bytes)):
            return NotImplemented  # Python repeats it, and asks for the number
        return multiply(self, other)

    return method


def _is_python_bool(value: Any) -> bool:
    return value.weak and value.dtype.kind == "b"


def _unary(function: Any) -> Any:
    def method(self: Any) -> Any:
        return self.owner.operator(function, self)

    return method


def _in_place(function: Any) -> Any:
    def method(self: Any, other: Any) -> Any:
        if self.known is not None:
            out = {"operator": True, "out": self}
            return self.owner.apply(function, (self, other), out)
        result = self.owner.operator(function, self, other)
        if result is NotImplemented or (self.ndim == 0 and not self.is_view):
            return result
        return self.write(result)

    return method


def _method(function: Any) -> Any:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self.owner.apply(function, (self, *args), kwargs)

    return method


class ArrayMethods:
    """What `Tracer` inherits; each method hands the call to the trace."""

    __slots__ = ()

    def item(self: Any, *args: Any) -> Any:
        """An element as a Python number, which adapts its dtype to others."""
        if self.known is not None:
            return self.known.item(*args)
        index = args[0] if len(args) == 1 else args
        if not args and self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        if args and isinstance(index, tuple):
            found = self[index]
        else:
            found = np.reshape(self, -1)[index if args else 0]
        trace = self.owner.innermost
        return trace.wrap(trace.node(found, _PYTHON[self.dtype.kind]), weak=True)

    def tolist(self: Any) -> Any:
        """Lists of such numbers."""
        if self.known is not None:
            return self.known.tolist()
        return [row.tolist() for row in self] if self.ndim else self.item()

    def view(self: Any, dtype: Any = None, type: Any = None) -> Any:
        """All of the array by another name; its bits are not read in another way."""
        kinds = [kind for kind in (dtype, type) if kind not in (None, np.ndarray)]
        if any(np.dtype(kind) != self.dtype for kind in kinds):
            self._lack(
                f".view({np.dtype(kinds[0])}) of {self.dtype}",
                "np.stack((z.real, z.imag), axis=-1) are the parts of complex numbers; "
                "x.astype converts values",
            )
        return self[...]

    @property
    def device(self: Any) -> str:
        return "cpu"

    def to_device(self: Any, device: Any, /, *, stream: Any = None) -> Any:
        """The array itself, for there is one device."""
        if device != "cpu":
            raise ValueError(f"the device is 'cpu', not {device!r}")
        return self.view()

    def choose(self: Any, choices: Any, *args: Any, **kwargs: Any) -> Any:
        return self.owner.apply(np.choose, (self, choices, *args), kwargs)

    def put(self: Any, indices: Any, values: Any, mode: str = "raise") -> None:
        self.owner.apply(np.put, (self, indices, values), {"mode": mode})

    def sort(self: Any, axis: int = -1, **kwargs: Any) -> None:
        # NumPy's stubs do not know that other arrays may be dispatched on.
        self[...] = np.sort(self, axis, **kwargs)  # type: ignore[call-overload]

    def partition(self: Any, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        # Likewise.
        self[...] = np.partition(self, kth, axis, **kwargs)  # type: ignore[call-overload]

    def fill(self: Any, value: Any) -> None:
        self[...] = value

    def reshape(self: Any, *shape: Any, **kwargs: Any) -> Any:
        wanted = shape[0] if len(shape) == 1 else shape
        return self.owner.apply(np.reshape, (self, wanted), kwargs)

    def transpose(self: Any, *axes: Any) -> Any:
        wanted = axes[0] if len(axes) == 1 else (axes or None)
        return self.owner.apply(np.transpose, (self, wanted), {})

    def flatten(self: Any, order: str = "C") -> Any:
        return self.owner.apply(np.reshape, (self, -1), {"order": order}).copy()

    def copy(self: Any, order: str = "C") -> Any:
        made = self.owner.apply(np.copy, (self,), {})
        if made.known is None:
            made.memory.ordered = order == "C"
        return made

    def __copy__(self: Any) -> Any:
        return self.copy()

    def __deepcopy__(self: Any, memo: Any) -> Any:
        return self.copy()

    def astype(
        self: Any, dtype: Any, *args: Any, copy: bool = True, **kwargs: Any
    ) -> Any:
        return self.owner.apply(np.astype, (self, np.dtype(dtype)), {"copy": copy})

    def clip(self: Any, min: Any = None, max: Any = None) -> Any:
        return self.owner.apply(np.clip, (self, min, max), {})

    def compress(self: Any, condition: Any, *args: Any, **kwargs: Any) -> Any:
        return self.owner.apply(np.compress, (condition, self, *args), kwargs)

    sum, prod, mean = _method(np.sum), _method(np.prod), _method(np.mean)
    max, min = _method(np.max), _method(np.min)
    var, std = _method(np.var), _method(np.std)
    any, all = _method(np.any), _method(np.all)
    argmax, argmin = _method(np.argmax), _method(np.argmin)
    cumsum, cumprod = _method(np.cumsum), _method(np.cumprod)
    ravel, squeeze = _method(np.ravel), _method(np.squeeze)
    swapaxes, repeat = _method(np.swapaxes), _method(np.repeat)
    take, dot, round = _method(np.take), _method(np.dot), _method(np.round)
    diagonal, trace = _method(np.diagonal), _method(np.trace)
    argsort, argpartition = _method(np.argsort), _method(np.argpartition)
    nonzero = _method(np.nonzero)
    searchsorted = _method(np.searchsorted)
    conj = conjugate = _method(np.conjugate)

    __add__, __radd__ = _binary(np.add), _binary(np.add, True)
    __sub__, __rsub__ = _binary(np.subtract), _binary(np.subtract, True)
    __mul__, __rmul__ = _product(), _product(reflected=True)
    __truediv__, __rtruediv__ = _binary(np.divide), _binary(np.divide, True)
    __floordiv__ = _binary(np.floor_divide)
    __rfloordiv__ = _binary(np.floor_divide, True)
    __mod__, __rmod__ = _binary(np.remainder), _binary(np.remainder, True)
    __divmod__, __rdivmod__ = _binary(np.divmod), _binary(np.divmod, True)
    __pow__, __rpow__ = _binary(np.power), _binary(np.power, True)
    __matmul__, __rmatmul__ = _binary(np.matmul), _binary(np.matmul, True)
    __and__, __rand__ = _binary(np.bitwise_and), _binary(np.bitwise_and, True)
    __or__, __ror__ = _binary(np.bitwise_or), _binary(np.bitwise_or, True)
    __xor__, __rxor__ = _binary(np.bitwise_xor), _binary(np.bitwise_xor, True)
    __lshift__, __rlshift__ = _binary(np.left_shift), _binary(np.left_shift, True)
    __rshift__, __rrshift__ = _binary(np.right_shift), _binary(np.right_shift, True)
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)
    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)
    __iadd__, __isub__ = _in_place(np.add), _in_place(np.subtract)
    __imul__, __itruediv__ = _in_place(np.multiply), _in_place(np.divide)
    __ifloordiv__, __imod__ = _in_place(np.floor_divide), _in_place(np.remainder)
    __ipow__, __imatmul__ = _in_place(np.power), _in_place(np.matmul)
    __iand__, __ior__ = _in_place(np.bitwise_and), _in_place(np.bitwise_or)
    __ixor__ = _in_place(np.bitwise_xor)
