"""What a traced mask chooses: functions of it, found in `selected.FUNCTIONS`."""

from . import (
    items,
    rules,
    statistics,
)

__all__ = [
    "items",
    "rules",
    "statistics",
]
