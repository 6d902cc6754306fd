"""What the names with a dollar sign mean in rewritten code."""

from __future__ import annotations

from . import (
    control,
    items,
    journals,
    mathematics,
    noted,
    polynomial_functions,
    polynomials,
    table,
    vectorized,
)
from .calls import call
from .comprehensions import Generated, consume, list_of
from .endings import UNSET
from .prints import tell
from .products import matmul
from .state import known
from .twins import register_operators

__all__ = [
    "call",
    "mathematics",
    "polynomial_functions",
    "polynomials",
    "table",
    "vectorized",
]

register_operators(
    {
        "and": control.and_,
        "assert": control.assert_,
        "augment": noted.augment,
        "call": call,
        "changes": journals.may_change,
        "choose": noted.choose,
        "compare": control.compare,
        "consume": consume,
        "delattr": items.delete_attribute,
        "delitem": items.delete_item,
        "for": noted.for_,
        "generator": Generated,
        "getitem": items.get_item,
        "if": noted.if_,
        "list": list_of,
        "matmul": matmul,
        "not": control.not_,
        "or": control.or_,
        "result": known,
        "setattr": items.set_attribute,
        "setitem": noted.set_item,
        "slice": slice,
        "tell": tell,
        "unset": lambda: UNSET,
        "while": noted.while_,
    }
)
