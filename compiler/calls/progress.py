"""One live line on a terminal while a first call takes long: what is being done.

A thread looks at the work after some seconds, and only where the error stream is a
terminal: elsewhere no thread is started and nothing is written. Of work inside of
other work the outermost is shown. The line goes when the work ends.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TextIO

__all__ = ["shown"]

PATIENCE = 2.0  # seconds until there is a line
EVERY = 0.2  # seconds between two looks
ERASE = "\r\x1b[K"

_busy = threading.Lock()


@contextmanager
def shown(what: str, detail: Callable[[], str]) -> Generator[None, None, None]:
    """Show the body as ``what: detail()``, if it takes long and somebody looks.

    ``detail`` is called by another thread, and may raise while the work goes on.
    """
    stream = sys.stderr
    if not _is_terminal(stream) or not _busy.acquire(blocking=False):
        yield
        return
    done = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(what, detail, stream, done), daemon=True
    )
    try:
        watcher.start()
        yield
    finally:
        done.set()
        watcher.join()
        _busy.release()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it was closed
        return False


def _watch(
    what: str, detail: Callable[[], str], stream: TextIO, done: threading.Event
) -> None:
    start = time.monotonic()
    if done.wait(PATIENCE):
        return
    told = ""
    while True:
        with suppress(Exception):  # what is looked at changes meanwhile
            told = detail()
        seconds = time.monotonic() - start
        line = f"anabranch: {what}: {told} ({seconds:.0f} s)"
        with suppress(OSError, ValueError):
            width = shutil.get_terminal_size().columns - 1
            stream.write(ERASE + line[:width])
            stream.flush()
        if done.wait(EVERY):
            break
    with suppress(OSError, ValueError):
        stream.write(ERASE)
        stream.flush()
