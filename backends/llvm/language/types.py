"""What dtypes are called in the kernel language."""

from __future__ import annotations

__all__ = ["CASTS"]

CASTS = {
    **{f"f{bits}": f"float{bits}" for bits in (32, 64)},
    **{f"i{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"u{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "bool": "boolean",
}
