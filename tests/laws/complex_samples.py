"""Sample operands of complex dtypes, for every op that takes them.

The shapes and attributes are those of `op_cases`. Both parts are drawn as the operands
in float64 are, so they stand away from kinks, poles and cuts; operands that are no
floats stay as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy.linalg import eig, expm

from anabranch.ir import OPS
from anabranch.ir.types import DTYPES
from tests.laws.op_cases import CASES, SHAPES, Case
from tests.laws.op_oracles import ORACLES, each_matrix, schur_form
from tests.laws.op_samples import DOMAINS, LAYOUTS, Array, Sample, each, lay_out, number
from tests.oracles.special_functions import mp

__all__ = ["COMPLEX_CASES", "COMPLEX_ORACLES", "COMPLEX_SAMPLES", "smooth_complex"]

_LIKE_REAL = (
    "neg add sub mul div add_n chain chain_both exp exp2 expm1 log log2 log10 log1p "
    "sqrt sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh "
    "power power_log1 power_log2 power_log3 power_log4 straight_through select eq ne "
    "isnan isinf isfinite reduce_sum reduce_prod cumsum recurrence matmul identity "
    "stop_gradient reshape transpose broadcast_to slice pad concatenate take "
    "scatter_add update put slice_at update_at add_at windows fold cast "
    "cholesky lu solve_triangular solve_lu det logdet pinv expm qr eigh svd "
    "sqrtm logm sylvester"
).split()

_FUNCTIONS = [{"function": name} for name in ("sqrt", "sin", "arctan", "exp2")]

_OWN: dict[str, list[Case]] = {
    **{
        op: [Case((shape,), {}) for shape in SHAPES]
        for op in ("conj", "real", "imag", "reciprocal", "wofz")
    },
    "lambertw": [Case((shape,) * 3, {}) for shape in SHAPES],
    "schur": list(CASES["eigh"]),
    "eig": list(CASES["eigh"]),
    "complex": [Case((shape, shape), {}) for shape in SHAPES],
    "of_complex": [
        *(Case((shape,), _FUNCTIONS[place % 4]) for place, shape in enumerate(SHAPES)),
        Case(((3,), (3,)), {"function": "power"}),
    ],
}
for _op in ("fft", "ifft", "rfft"):
    _OWN[_op] = [Case((shape,), {}) for shape in SHAPES if shape and shape[-1]]
_OWN["irfft"] = [
    Case(((*case.shapes[0][:-1], size // 2 + 1),), {"size": size})
    for case in _OWN["fft"]
    for size in (case.shapes[0][-1], case.shapes[0][-1] + 1)
]
COMPLEX_CASES: dict[str, list[Case]] = _OWN
"""Of the ops that take complex numbers and no others."""


def _cases(op: str) -> Sequence[Case]:
    if op in _OWN:
        return _OWN[op]
    if op in CASES:
        return CASES[op]
    arity = 3 if OPS[op].variadic else OPS[op].arity
    return [Case((shape,) * arity, {}) for shape in SHAPES]


def _operands(op: str, case: Case, dtype: str, rng: np.random.Generator) -> list[Array]:
    _, domain = DOMAINS.get(op, ((), each(number)))
    first, second = (domain(rng, case.shapes, "f64") for _ in range(2))
    if op == "lambertw":
        z = np.asarray(first[0] + 1j * second[0]).astype(DTYPES[dtype])
        branch = np.asarray(rng.integers(-2, 3, z.shape))
        return [z, branch, np.full(z.shape, 1e-8, z.real.dtype)]
    if op in ("complex", "rfft"):
        part = np.float32 if dtype == "c64" else np.float64
        return [np.asarray(x).astype(part) for x in first]
    made: list[Array] = []
    for x, y in zip(first, second, strict=True):
        x = np.asarray(x)
        is_float = x.dtype.kind == "f"
        made.append((x + 1j * np.asarray(y)).astype(DTYPES[dtype]) if is_float else x)
    if op in ("solve_lu", "det", "logdet"):
        made[1:3] = OPS["lu"].reference(made[0])[:2]
    if op == "pinv":
        made[1] = np.linalg.pinv(made[0])
    if op in ("sqrtm", "logm"):
        made[1] = made[0]
    if op == "expm":
        made[2] = expm(made[0]) if made[0].size else made[0]
    return made


def _samples(op: str, dtypes: Sequence[str]) -> tuple[Sample, ...]:
    rng = np.random.default_rng(zlib.crc32(op.encode()))
    made: list[Sample] = []
    for place, case in enumerate(_cases(op)):
        dtype = dtypes[place % len(dtypes)]
        attrs = case.attrs
        if op == "cast":
            attrs = {"dtype": ("c128", "c64", "f64", "bool", "f32", "i64")[place % 6]}
        layout = LAYOUTS[(place + place // 5) % 5]
        operands = _operands(op, case, dtype, rng)
        label = f"{dtype} {list(case.shapes)} {layout} {dict(attrs)}"
        laid = tuple(lay_out(np.asarray(x), layout) for x in operands)
        made.append(Sample(laid, attrs, label))
    return tuple(made)


@cache
def smooth_complex(op: str) -> tuple[Sample, ...]:
    """The samples of an op in complex128; casts among the dtypes with digits."""
    made = _samples(op, ("c128",))
    kept = ("c128", "f64")
    return tuple(x for x in made if op != "cast" or x.attrs["dtype"] in kept)


_WIDE = ("qr", "eigh", "eig", "svd", "schur", "sqrtm", "logm", "sylvester")
COMPLEX_SAMPLES: Mapping[str, tuple[Sample, ...]] = {
    op: _samples(op, ("c128",) if op in _WIDE else ("c128", "c64"))
    for op in (*_LIKE_REAL, *_OWN)
}


def _sums(z: Array, sign: int) -> Array:
    """The Fourier transform by its matrix."""
    places = np.arange(z.shape[-1])
    turns = np.exp(sign * 2j * np.pi * np.outer(places, places) / z.shape[-1])
    return np.asarray(z @ turns).astype(np.result_type(z.dtype, np.complex64))


def _of_frequencies(z: Array, size: int) -> Array:
    """Cosines and sines of each frequency, the inner ones twice."""
    made = np.zeros((*z.shape[:-1], size))
    for k in range(z.shape[-1]):
        turns = np.exp(2j * np.pi * k * np.arange(size) / size)
        count = 1 if k == 0 or 2 * k == size else 2
        made += count * np.real(z[..., k, None] * turns)
        if count == 1:
            made -= np.real(1j * np.imag(z[..., k, None]) * turns)
    return made.astype(np.float32 if z.dtype == np.complex64 else np.float64)


def _parts(function: Callable[..., Any]) -> Callable[..., Array]:
    """An oracle that works on one Python number after the other."""

    def apply(*operands: Array, **attrs: Any) -> Array:
        values = [
            function(*(x.item() for x in items), **attrs)
            for items in zip(*(np.ravel(x) for x in operands), strict=True)
        ]
        return np.array(values).reshape(operands[0].shape)

    return apply


def _lambert(z: complex, k: int, tol: float) -> complex:
    return complex(mp.lambertw(z, k))


def _faddeeva(z: complex) -> complex:
    return complex(mp.exp(-z * z) * mp.erfc(-1j * z))


COMPLEX_ORACLES: Mapping[str, Callable[..., Array]] = {
    "conj": _parts(lambda z: complex(z.real, -z.imag)),
    "real": _parts(lambda z: z.real),
    "imag": _parts(lambda z: z.imag),
    "complex": _parts(complex),
    "of_complex": lambda *z, function: getattr(np, function)(*z),
    "fft": lambda z: _sums(z, -1),
    "ifft": lambda z: _sums(z, 1),
    "rfft": lambda x: _sums(x, -1)[..., : x.shape[-1] // 2 + 1],
    "wofz": _parts(_faddeeva),
    "lambertw": _parts(_lambert),
    "irfft": lambda z, size: _of_frequencies(z, size),
    "schur": each_matrix(schur_form),
    "eig": each_matrix(lambda a: eig(a) if a.size else (a.reshape(0), a)),
    **{
        op: ORACLES[op]
        for op in "cholesky lu solve_triangular solve_lu qr eigh svd".split()
    },
}
