"""`print` and logging where a trace runs: texts of values that are not known.

A text shows a traced value as its type and name, whatever its format. What is printed
in a branch or in the body of a loop waits until that is part of the graph: what a trial
printed is dropped with it, and several passes over a body print once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...ir.errors import ConcretizationError
from ..notes import note
from ..running import active_trace, is_traced
from ..source import calling_frame, user_line
from .branches import said_here
from .calls import call
from .said import Said, hand_on

__all__ = ["tell"]

_CONVERSION = re.compile(r"%(\([^)]*\))?[^a-zA-Z%]*[a-zA-Z%]")
_LOGGERS = logging.Logger, logging.LoggerAdapter


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
    name = function.__name__
    try:
        values = [show(value) for value in args(show)]
    except ConcretizationError as error:
        show.met = True
        values = [*[logging.INFO] * (name == "log"), f"<{error.what}>"]
    around = said_here()
    if not show.met and around is None:
        return function(*values, **rest)
    note("plain", "printed while the function is traced, when arrays have no values")
    if function is print:
        given = [str(value) for value in values]
    else:
        given = _logged(name, values, show)
    said = Said(lambda: function(*given, **rest), name, user_line(calling_frame()))
    hand_on([said], around)
    return None


def _logged(name: str, values: Sequence[Any], show: _Shower) -> Sequence[Any]:
    """What a logger is given: the level, if there is one, and the text."""
    first = 1 if name == "log" else 0
    text, given = values[first], tuple(values[first + 1 :])
    return [*values[:first], show(given, str(text)) if given else str(text)]


def _plain(value: Any, text: str | None = None) -> Any:
    return value if text is None else text % value


def _is_teller(function: Any) -> bool:
    if function is print or isinstance(getattr(function, "__self__", None), _LOGGERS):
        return True
    return getattr(function, "__module__", None) == logging.__name__
