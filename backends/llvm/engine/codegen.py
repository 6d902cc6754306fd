"""Code generation: LLVM texts to object code for a processor, several at once.

llvmlite lets one thread into LLVM at a time. But threads that each have a context and a
target machine of their own share nothing there, and nearly all of the time goes to one
function, from an optimised module to its code. So we call that one past its lock.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite.binding import ffi

from ..language.instructions import WRITTEN_OUT
from ..machine import Machine, Processor

__all__ = ["OPTIONS", "assembly", "emit", "is_helping", "target_machine"]

OPTIONS = {"speed": 1, "emit": 2}
_helping = threading.local()


def target_machine(processor: Processor) -> Any:
    """A new object of LLVM's, which makes code for a processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=processor.name,
        features=processor.features,
        opt=OPTIONS["emit"],
        codemodel="jitdefault",
    )


def _optimised(text: str, target: Any) -> Any:
    """The module of an LLVM text, optimised, in a context of its own."""
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()  # else LLVM may end the process
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIONS["speed"])
    options.loop_vectorization = True
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(target, options)
    if WRITTEN_OUT in text:
        passes = llvm.create_new_module_pass_manager()
        passes.add_always_inliner_pass()
        passes.add_sroa_pass()
        passes.add_loop_rotate_pass()
    else:
        passes = builder.getModulePassManager()
    passes.run(module, builder)
    with suppress(AttributeError):  # `close` forgets to free it, 50 kB each time
        ffi.lib.LLVMPY_DisposeNewModulePassManger(passes)
        passes.detach()
    return module


@cache
def _generate() -> Any:
    """LLVM's function (target, module, 1 for object code, error) to a buffer."""
    locked = ffi.lib.LLVMPY_TargetMachineEmitToMemory
    path = getattr(ffi.lib, "_name", None)
    if path is None:  # an llvmlite that keeps it to itself: one thread at a time
        return locked
    function = ctypes.CDLL(path).LLVMPY_TargetMachineEmitToMemory
    function.argtypes, function.restype = locked.argtypes, locked.restype
    return function


def _emit(text: str, target: Any) -> bytes:
    """The object code of an LLVM text."""
    module = _optimised(text, target)
    with ffi.OutputString() as error:
        buffer = _generate()(target, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start = ffi.lib.LLVMPY_GetBufferStart(buffer)
        return ctypes.string_at(start, ffi.lib.LLVMPY_GetBufferSize(buffer))
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def emit(
    texts: Collection[str], lower: Callable[[str], str], machine: Machine
) -> dict[str, bytes]:
    """The object code for a machine of each of some texts, made by all its threads.

    ``lower`` makes a text LLVM's; it is called by one thread at a time. A finalizer
    that runs inside llvmlite compiles alone, since no other thread could get in.
    """
    threads = 1 if _is_in_llvmlite() else machine.threads
    waiting = sorted(texts, key=len)  # the longest is taken first, from the end
    codes: dict[str, bytes] = {}
    failures: list[BaseException] = []
    lowering = threading.Lock()

    def take() -> tuple[str, str] | None:
        with lowering:
            return (waiting[-1], lower(waiting.pop())) if waiting else None

    def work() -> None:
        try:
            target = target_machine(machine.processor)
            for text, lowered in iter(take, None):
                codes[text] = _emit(lowered, target)
        except BaseException as failure:  # for whoever waits
            failures.append(failure)

    def help_() -> None:
        _helping.now = True
        work()

    helpers: list[threading.Thread] = []
    with suppress(RuntimeError):  # no threads to be had
        for _ in range(min(threads, len(texts)) - 1):
            helper = threading.Thread(target=help_, name="anabranch compiler")
            helper.start()
            helpers.append(helper)
    work()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]
    return codes


def _is_in_llvmlite() -> bool:
    """Whether this thread has llvmlite's lock."""
    inner: Any = getattr(getattr(ffi.lib, "_lock", None), "_lock", None)
    return inner is not None and inner._is_owned()


def is_helping() -> bool:
    """Whether this thread works for another one, which waits for it, in `emit`.

    Python may run anything in it, a finalizer for instance.
    """
    return getattr(_helping, "now", False)


def assembly(text: str, processor: Processor) -> str:
    """The machine code of an LLVM text, as assembly."""
    target = target_machine(processor)
    return str(target.emit_assembly(_optimised(text, target)))
