"""Object code, by one thread or several."""

import pytest
from llvmlite.binding import ffi

from anabranch.backends.llvm.engine import codegen
from anabranch.backends.llvm.machine import Machine, current

TEXTS = [
    f"define i64 @k{i}(i64 %x) {{\n  %y = mul i64 %x, {i}\n  ret i64 %y\n}}\n"
    for i in range(9)
]


def with_threads(threads: int) -> Machine:
    return current()._replace(threads=threads)


@pytest.mark.parametrize("threads", [1, 2, 20])
def test_any_number_of_threads_makes_the_same_code(threads: int) -> None:
    codes = codegen.emit(TEXTS, str, with_threads(threads))
    alone = with_threads(1)
    assert codes == {text: codegen.emit([text], str, alone)[text] for text in TEXTS}
    assert len(set(codes.values())) == len(TEXTS)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_any_thread_is_raised(threads: int) -> None:
    machine = with_threads(threads)
    with pytest.raises(RuntimeError, match="nonsense"):
        codegen.emit([*TEXTS, "nonsense"], str, machine)
    with pytest.raises(KeyError):
        codegen.emit(TEXTS, {}.__getitem__, machine)
    assert len(codegen.emit(TEXTS, str, machine)) == len(TEXTS)


def test_code_is_generated_without_the_lock() -> None:
    """Else a new llvmlite has made threads useless here, and nobody would notice."""
    assert codegen._generate() is not ffi.lib.LLVMPY_TargetMachineEmitToMemory
