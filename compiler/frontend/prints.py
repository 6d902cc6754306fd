"""`print` and logging where a trace runs: texts of values that are not known.

A text shows a traced value as its type and name, whatever its format. What is printed
in a branch or in the body of a loop waits until that is part of the graph: what a trial
printed is dropped with it, and several passes over a body print once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from ...ir.errors import ConcretizationError
from ..tracing.notes import note
from ..tracing.running import active_trace, is_traced
from ..tracing.source import calling_frame, user_line
from .calls import call
from .journals import said_here
from .said import Said, hand_on

__all__ = ["tell"]

_CONVERSION = re.compile(r"%(\([^)]*\))?[^a-zA-Z%]*[a-zA-Z%]")


class _Text:
    """What is shown of a traced value: no format needs more of it."""

    def __init__(self, value: Any) -> None:
        self._text = repr(value)

    def __repr__(self) -> str:
        return self._text

    def __format__(self, format_spec: str) -> str:
        return self._text


class _Shower:
    """Makes the texts of one call; ``met`` whether any is of a traced value."""

    def __init__(self) -> None:
        self.met = False

    def __call__(self, value: Any, text: str | None = None) -> Any:
        """What stands for a value in a text; with ``text`` that, ``text % value``."""
        if text is not None:
            return self._filled(text, value)
        if is_traced(value):
            if value.known is not None:
                return value.known
            self.met = True
            return _Text(value)
        if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
            items: Iterable[Any] = value
            return type(value)(self(item) for item in items)
        if type(value) is dict:
            entries: dict[Any, Any] = value
            return {key: self(item) for key, item in entries.items()}
        return value

    def _filled(self, text: str, value: Any) -> str:
        shown = self(value)
        given = shown.values() if isinstance(shown, dict) else shown
        parts = list(given if isinstance(shown, (tuple, dict)) else (shown,))
        if any(isinstance(part, _Text) for part in parts):
            text = _CONVERSION.sub(_as_text, text)
        return text % shown


def _as_text(found: re.Match[str]) -> str:
    return "%%" if found[0].endswith("%") else f"%{found[1] or ''}s"


def tell(function: Any, args: Callable[[Any], tuple[Any, ...]], /, **rest: Any) -> Any:
    """``function(*args(show), **rest)``, where ``function`` may print or log."""
    show = _Shower()
    if active_trace() is None or not _is_teller(function):
        return call(function, *args(_plain), **rest)
    try:
        values = [show(value) for value in args(show)]
    except ConcretizationError as error:
        show.met = True
        values = [f"<{error.what}>"]
    around = said_here()
    if not show.met and around is None:
        return function(*values, **rest)
    note("plain", "printed while the function is traced, when arrays have no values")
    if function is not print and len(values) > 1:  # a format and what it takes
        values = [show(tuple(values[1:]), str(values[0]))]
    texts = [str(value) for value in values]
    name = function.__name__
    said = Said(lambda: function(*texts, **rest), name, user_line(calling_frame()))
    hand_on([said], around)
    return None


def _plain(value: Any, text: str | None = None) -> Any:
    return value if text is None else text % value


def _is_teller(function: Any) -> bool:
    if function is print:
        return True
    logging = sys.modules.get("logging")  # whoever calls it has imported it
    if logging is None:
        return False
    loggers = logging.Logger, logging.LoggerAdapter
    owner = getattr(function, "__self__", None)
    return isinstance(owner, loggers) or (
        getattr(function, "__module__", None) == "logging"
    )
