"""LLVM: kernel source in, addresses out. One compilation per source and process.

Modules are optimised for this machine's processor and linked into one engine whose code
lives as long as the process. llvmlite releases the GIL while LLVM works.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import threading
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from .functions import LIBM, find_function, primitive
from .language import compile_source

__all__ = ["assembly", "compile_kernel", "executor", "kernel_llvm"]

# NumPy's array object begins with Python's header and then the address of the data.
RUN = """
define i64 @run(
    ptr %program, i64 %steps, ptr %buffers, ptr %arrays, i64 %count) nounwind {
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

_lock = threading.Lock()
if hasattr(os, "register_at_fork"):  # a child must not inherit a lock that is held
    os.register_at_fork(
        before=_lock.acquire,
        after_in_parent=_lock.release,
        after_in_child=_lock.release,
    )
_kernels: dict[str, int] = {}


@cache
def _machine() -> Any:
    """The target machine: this processor, all its features."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=2, codemodel="jitdefault"
    )


@cache
def _engine() -> Any:
    """The engine that all modules are linked into; it knows libm."""
    machine = _machine()
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    for name in (*LIBM.values(), "fmod", "fma"):  # frem is fmod, and some lack fma
        for symbol in (name, f"{name}f"):
            function = ctypes.cast(libm[symbol], ctypes.c_void_p)
            llvm.add_symbol(symbol, function.value)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


def _link(text: str, symbol: str) -> int:
    """The address of ``symbol`` in a module, optimised and linked."""
    engine = _engine()
    module = llvm.parse_assembly(text)
    _optimise(module)
    engine.add_module(module)
    engine.finalize_object()
    return engine.get_function_address(symbol)


def _optimise(module: Any) -> None:
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = True
    options.slp_vectorization = True
    builder = llvm.create_pass_builder(_machine(), options)
    builder.getModulePassManager().run(module, builder)
    inliner = llvm.create_new_module_pass_manager()  # what `rare` has for vectors
    inliner.add_always_inliner_pass()
    inliner.run(module, builder)


def kernel_llvm(source: str) -> str:
    """The LLVM assembly of a kernel before optimisation."""
    return compile_source(source, _symbol(source), find_function, primitive)


def assembly(source: str) -> str:
    """The machine code of a kernel, as assembly."""
    module = llvm.parse_assembly(kernel_llvm(source))
    _optimise(module)
    return str(_machine().emit_assembly(module))


def _symbol(source: str) -> str:
    return f"kernel_{sha256(source.encode()).hexdigest()[:24]}"


def compile_kernel(source: str) -> int:
    """The address of the kernel that ``source`` defines.

    Equal sources are compiled once; any number of threads may ask.
    """
    found = _kernels.get(source)
    if found is None:
        with _lock:
            found = _kernels.get(source)
            if found is None:
                found = _link(kernel_llvm(source), _symbol(source))
                _kernels[source] = found
    return found


@cache
def executor() -> Callable[[int, int, int, Any, int], int]:
    """The function run(program, steps, buffers, arrays, count).

    ``arrays`` is a ctypes array of ``count`` ndarrays (or None); their addresses are
    put into the first places of ``buffers``. Then the kernels of the program are called
    in turn, the GIL released, up to the first that fails. The result is 0, or what
    `failure` reads.
    """
    with _lock:
        address = _link(RUN.replace("HEADER", str(_data_offset())), "run")
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 5)(address)


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
