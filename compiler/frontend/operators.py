"""What the names with a dollar sign mean in rewritten code."""

from __future__ import annotations

from . import control, items, table
from .calls import call
from .twins import register_operators

__all__ = ["call", "table"]

register_operators(
    {
        "and": control.and_,
        "assert": control.assert_,
        "augment": items.augment,
        "call": call,
        "choose": control.choose,
        "compare": control.compare,
        "delitem": items.delete_item,
        "for": control.for_,
        "getitem": items.get_item,
        "if": control.if_,
        "not": control.not_,
        "or": control.or_,
        "setattr": items.set_attribute,
        "setitem": items.set_item,
        "slice": slice,
        "unset": lambda: control.UNSET,
        "while": control.while_,
    }
)
