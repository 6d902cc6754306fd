"""LLVM: kernel source in, addresses out. One compilation per source and processor.

Object code is looked for in the user's cache first and kept there (see `cache`), else
made (see `codegen`). It is linked into the engine of its processor (there is one, but
for tests) and lives as long as the process.
llvmlite's own bookkeeping does not survive an exception between two of its lines: it
would keep its lock, or free memory twice. So Ctrl-C waits meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from ..machine import Machine, Processor, current
from . import cache as disk
from . import codegen

__all__ = [
    "Loaded",
    "assembly",
    "compile_kernel",
    "compile_kernels",
    "exclusive",
    "executor",
    "kernel_llvm",
    "undisturbed",
]

# NumPy's array object begins with Python's header and then the address of the data.
RUN = """
define i64 @run(
    ptr %program, i64 %steps, ptr %buffers, ptr %arrays, i64 %count)
    nounwind "written-out" {
entry:
  br label %fill
fill:
  %i = phi i64 [ 0, %entry ], [ %more, %copy ]
  %missing = icmp slt i64 %i, %count
  br i1 %missing, label %copy, label %head
copy:
  %place = getelementptr ptr, ptr %arrays, i64 %i
  %array = load ptr, ptr %place
  %field = getelementptr i8, ptr %array, i64 HEADER
  %data = load ptr, ptr %field
  %buffer = getelementptr ptr, ptr %buffers, i64 %i
  store ptr %data, ptr %buffer
  %more = add nsw i64 %i, 1
  br label %fill
head:
  %step = phi i64 [ 0, %fill ], [ %next, %done ]
  %inside = icmp slt i64 %step, %steps
  br i1 %inside, label %body, label %end
body:
  %pair = getelementptr [2 x ptr], ptr %program, i64 %step
  %kernel = load ptr, ptr %pair
  %second = getelementptr ptr, ptr %pair, i64 1
  %words = load ptr, ptr %second
  %status = call i64 %kernel(ptr %buffers, ptr %words)
  %fine = icmp eq i64 %status, 0
  br i1 %fine, label %done, label %failed
done:
  %next = add nsw i64 %step, 1
  br label %head
failed:
  %number = add i64 %step, 1
  %high = shl i64 %status, 32
  %result = or i64 %number, %high
  ret i64 %result
end:
  ret i64 0
}
"""

_lock = threading.RLock()  # whoever compiles may be interrupted, and compile
if hasattr(os, "register_at_fork"):  # a child must not inherit a lock that is held
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )
_addresses: dict[tuple[Processor, str], int] = {}


def exclusive() -> AbstractContextManager[object]:
    """What only one thread at a time may do, and those that help it to compile."""
    return nullcontext() if codegen.is_helping() else _lock


@contextmanager
def undisturbed() -> Generator[None, None, None]:
    """Let an interrupt of the main thread wait until the end of the block."""
    handler = None
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        yield
        return
    waiting: list[Any] = []
    signal.signal(signal.SIGINT, lambda *interrupt: waiting.append(interrupt))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if waiting:
            handler(*waiting[-1])


class Loaded(NamedTuple):
    """A linked function, and where its code came from.

    The origin is "memory", "disk", or "compiled: " and why neither of them had it.
    """

    address: int
    origin: str


@cache
def _engine(processor: Processor) -> Any:
    """The engine that a processor's code is linked into, with the process's libm."""
    target = codegen.target_machine(processor)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)


@undisturbed()
def _add(processor: Processor, code: bytes) -> None:
    """Hand object code to the engine."""
    _engine(processor).add_object_file(llvm.ObjectFileRef.from_data(code))


@undisturbed()
def _finalize(processor: Processor, symbols: Iterable[str]) -> dict[str, int]:
    """Link what was added; the addresses of symbols."""
    engine = _engine(processor)
    engine.finalize_object()
    return {symbol: engine.get_function_address(symbol) for symbol in symbols}


@undisturbed()
def compiler_files() -> str:
    """A hash of the files that decide what a source becomes: all of the backends.

    What cannot be read has a hash that nothing else ever had.
    """
    with suppress(OSError):
        stamps = sorted(_stamps(os.fspath(Path(__file__).parents[2])))
        if stamps:
            return _hash(tuple(stamps))
    return os.urandom(32).hex()


def _stamps(folder: str) -> Iterator[tuple[str, int, int, int]]:
    """The Python files in and below a folder, with what each write of them changes."""
    with os.scandir(folder) as found:
        for item in found:
            if item.is_dir():
                yield from _stamps(item.path)
            elif item.name.endswith(".py"):
                status = item.stat()
                times = status.st_mtime_ns, status.st_ctime_ns
                yield item.path, status.st_size, *times


@lru_cache(maxsize=1)
def _hash(stamps: tuple[tuple[str, int, int, int], ...]) -> str:
    """The hash of files; they are read again only when one of them was written."""
    hashes = [sha256(Path(path).read_bytes()).digest() for path, *_ in stamps]
    return sha256(b"".join(hashes)).hexdigest()


COMPILER = compiler_files()


@undisturbed()
def environment(processor: Processor) -> str:
    """All that decides object code, besides what is compiled."""
    facts = {
        "compiler": COMPILER,
        "options": codegen.OPTIONS,
        "python": sys.version,
        "numpy": np.__version__,
        "llvmlite": llvmlite.__version__,
        "llvm": llvm.llvm_version_info,
        "triple": llvm.get_default_triple(),
        "processor": tuple(processor),
    }
    return "".join(f"{name}: {fact}\n" for name, fact in facts.items())


def _load(symbols: Mapping[str, str], machine: Machine) -> dict[str, Loaded]:
    """Functions that this process has not met: from the cache, or compiled into it."""
    processor = machine.processor
    prefix = environment(processor)
    keys = {
        text: f"{prefix}symbol: {symbol}\n{text}" for text, symbol in symbols.items()
    }
    entries = disk.load(keys.values())
    missing = [text for text, key in keys.items() if entries[key].code is None]
    made: dict[str, bytes] = {}
    if missing:
        with undisturbed():  # and `ast` makes another error of an interrupt
            codes = codegen.emit(missing, _lowered, machine)
        made = {keys[text]: code for text, code in codes.items()}
    found: dict[str, Loaded] = {}
    for key in keys.values():
        _add(processor, entries[key].code or made[key])
    addresses = _finalize(processor, symbols.values())
    for text, symbol in symbols.items():
        _addresses[processor, text] = addresses[symbol]
        reason = entries[keys[text]].reason
        origin = f"compiled: {reason}" if reason else "disk"
        found[text] = Loaded(addresses[symbol], origin)
    if made and compiler_files() == COMPILER:  # what ran is what the key says
        disk.store(made)
    return found


def kernel_llvm(source: str) -> str:
    """The LLVM assembly of a kernel before optimisation."""
    from ..language.syntax import compile_source

    return compile_source(source, _symbol(source))


def assembly(source: str) -> str:
    """The machine code of a kernel, as assembly."""
    return codegen.assembly(kernel_llvm(source), current().processor)


def _lowered(text: str) -> str:
    return text if text == _run_text() else kernel_llvm(text)


def _symbol(source: str) -> str:
    return f"kernel_{sha256(source.encode()).hexdigest()[:24]}"


def compile_kernels(sources: Iterable[str]) -> dict[str, Loaded]:
    """The kernels that the sources define, each linked, and what `executor` needs.

    Equal sources are compiled once; any number of threads may ask.
    """
    symbols = {_run_text(): "run"} | {source: _symbol(source) for source in sources}
    machine = current()
    processor = machine.processor
    with exclusive():
        found = {
            text: Loaded(_addresses[processor, text], "memory")
            for text in symbols
            if (processor, text) in _addresses
        }
        new = {text: name for text, name in symbols.items() if text not in found}
        return found | _load(new, machine) if new else found


def compile_kernel(source: str) -> int:
    """The address of one kernel."""
    return compile_kernels([source])[source].address


def executor() -> Callable[[int, int, int, Any, int], int]:
    """The function run(program, steps, buffers, arrays, count).

    ``arrays`` is a ctypes array of ``count`` ndarrays (or None); their addresses are
    put into the first places of ``buffers``. Then the kernels of the program are called
    in turn, the GIL released, up to the first that fails. The result is 0, or what
    `failure` reads.
    """
    return _executor(compile_kernels([])[_run_text()].address)


@cache
def _executor(address: int) -> Callable[[int, int, int, Any, int], int]:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5)(address)


@cache
def _run_text() -> str:
    return RUN.replace("HEADER", str(_data_offset()))


def _data_offset() -> int:
    """Where an ndarray object keeps the address of its data; checked on one."""
    array = np.zeros(1)
    offset = object.__basicsize__
    found = ctypes.c_void_p.from_address(id(array) + offset).value
    if found != array.ctypes.data:
        raise RuntimeError("this NumPy lays out its arrays in another way")
    return offset


def failure(result: int) -> tuple[int, int]:
    """The step that failed, and its status, from what the executor returned.

    >>> failure(3 | 7 << 32)
    (2, 7)
    """
    return (result & 0xFFFFFFFF) - 1, result >> 32
