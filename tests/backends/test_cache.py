"""The cache of compiled kernels: hits, misses, damage, and folders to keep out of."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numpy as np
import pytest

import anabranch
from anabranch import cli
from anabranch.backends.llvm.engine import cache, codegen, engine
from anabranch.backends.llvm.engine.cache import (
    Cache,
    CacheError,
    find_cache,
    pack,
    unpack,
)
from anabranch.backends.llvm.machine import Processor, current, using
from tests.oracles.work import HANGS

SCRIPT = """
import sys
import numpy as np, anabranch
{before}
f = anabranch.value_and_grad(lambda w, x: np.sum(np.abs(x * np.sum(w))))
value, gradient = f(np.full((3, 3), 0.5), np.ones((2, 3)))
print(value.tobytes().hex() + gradient.tobytes().hex())
print(sorted({{origin for _, origin in f.report().kernels}}))
{after}
"""


def start(folder: Path, before: str = "", after: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before=before, after=after)],
        env=os.environ | {"ANABRANCH_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[str, str, str]:
    """What another process computed, the origins of its kernels, its complaints."""
    out, complaints = process.communicate(timeout=HANGS)
    assert process.returncode == 0, complaints
    bits, origins = out.splitlines()
    return bits, origins, complaints


HIT = "['disk']"
MISS = "['compiled: no entry']"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kernels"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_another_process_loads_the_same_bits(folder: Path) -> None:
    cold = finish(start(folder))
    stored = [path.read_bytes() for path in files(folder)]
    warm = finish(start(folder))
    assert cold == (cold[0], MISS, "")
    assert warm == (cold[0], HIT, "")
    assert [path.read_bytes() for path in files(folder)] == stored
    assert oct(folder.stat().st_mode & 0o777) == "0o700"


# The rest is about one process that forgets what it has linked.


def loss(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.sum(np.abs(x * np.sum(w)))


ARGUMENTS = np.full((3, 3), 0.5), np.ones((2, 3))


@pytest.fixture
def store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """An empty cache, for the kernels of `again`."""
    engine.executor()
    monkeypatch.setenv("ANABRANCH_CACHE", str(folder))
    monkeypatch.setattr(engine, "_addresses", {})
    monkeypatch.setattr(cache, "_complaints", [])
    return Cache(folder)


def again() -> tuple[bytes, set[str]]:
    """The results as a new process has them, and the origins of its kernels."""
    engine._addresses.clear()
    anabranch.clear_caches()
    function = anabranch.value_and_grad(loss)
    value, gradient = function(*ARGUMENTS)
    return value.tobytes() + gradient.tobytes(), {
        origin for _, origin in function.report().kernels
    }


def test_whatever_is_compiled_is_in_the_key(store: Cache) -> None:
    """Sizes and constants are not: they are in no kernel."""

    def missed(function, *shapes, dtype: type = np.float64) -> bool:
        engine._addresses.clear()
        function = anabranch.jit(function)
        function(*(np.ones(shape, dtype) for shape in shapes))
        return any(origin != "disk" for _, origin in function.report().kernels)

    assert missed(lambda x: np.abs(x) * 2.5, 3)
    assert not missed(lambda x: np.abs(x) * 3.5, 3)
    assert not missed(lambda x: np.abs(x) * 2.5, 7)
    assert missed(lambda x: np.abs(x) + 2.5, 3)
    assert missed(lambda x: np.abs(x) * 2.5, 3, dtype=np.float32)
    assert missed(lambda x: np.abs(x.T) * 2.5, (3, 2))


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (engine, "COMPILER", "other"),
        *(
            (codegen, "OPTIONS", codegen.OPTIONS | {name: 0})
            for name in codegen.OPTIONS
        ),
        (llvmlite, "__version__", "0.1"),
        (llvm, "llvm_version_info", (1, 2, 3)),
        (np, "__version__", "0.1"),
        (sys, "version", "0.1"),
        (llvm, "get_default_triple", lambda: "other"),
    ],
)
def test_whatever_decides_the_code_is_in_the_key(
    store: Cache, owner: object, name: str, value: object, monkeypatch
) -> None:
    right, _ = again()
    with monkeypatch.context() as other:
        other.setattr(engine, "compiler_files", lambda: engine.COMPILER)
        other.setattr(owner, name, value)
        assert again() == (right, {"compiled: no entry"})
        assert again() == (right, {"disk"})
    assert again() == (right, {"disk"})


def test_the_processor_is_in_the_key(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANABRANCH_CPU", raising=False)
    right, _ = again()
    machine = current()
    name, features = machine.processor
    for other in (Processor("other", features), Processor(name, f"{features},-bmi")):
        with using(machine._replace(processor=other)):
            assert again() == (right, {"compiled: no entry"})
            assert again() == (right, {"disk"})
    assert again() == (right, {"disk"})


def test_nothing_is_kept_if_the_compiler_was_edited_meanwhile(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "COMPILER", "what was imported")
    again()
    assert not store.folder.exists()
    monkeypatch.setattr(engine, "_stamps", lambda _: iter(()))
    assert engine.compiler_files() != engine.compiler_files()


def test_equal_kernels_are_linked_once(store: Cache) -> None:
    first = anabranch.grad(loss)
    first(*ARGUMENTS)
    anabranch.clear_caches()
    second = anabranch.grad(loss)
    second(*ARGUMENTS)
    assert "memory" not in str(first.report())
    assert {origin for _, origin in second.report().kernels} == {"memory"}


def test_entries_are_exact() -> None:
    data = pack("key", b"code")
    assert unpack(data, "key") == b"code"
    for size in range(len(data)):
        with pytest.raises(ValueError, match=r"format|checksum"):
            unpack(data[:size], "key")
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(ValueError, match=r"format|checksum"):
            unpack(bytes(flipped), "key")
    for other in ("", "ke", "keyc", "kez", "key\0"):
        with pytest.raises(ValueError, match="another key"):
            unpack(data, other)


def damages() -> dict[str, object]:
    rng = random.Random(0)

    def flipped(data: bytes) -> bytes:
        place = rng.randrange(len(data))
        return (
            data[:place]
            + bytes([data[place] ^ 1 << rng.randrange(8)])
            + data[place + 1 :]
        )

    made: dict[str, object] = {
        f"cut to {i} of 16": lambda data, i=i: data[: len(data) * i // 16]
        for i in (0, 1, 8, 15)
    }
    made |= {f"flip {i}": flipped for i in range(2)}
    made["random bytes"] = lambda data: rng.randbytes(len(data))
    made["older format"] = lambda data: b"anabranch kern 0" + data[16:]
    made["newer format"] = lambda data: b"anabranch kern 2" + data[16:]
    made["more"] = lambda data: data + b"x"
    return made


@pytest.mark.parametrize("damage", damages().values(), ids=damages())
def test_damaged_entries_are_replaced(
    store: Cache, damage, caplog: pytest.LogCaptureFixture
) -> None:
    right, _ = again()
    good = {path: path.read_bytes() for path in files(store.folder)}
    for path, data in good.items():
        path.write_bytes(damage(data))
    bits, origins = again()
    assert bits == right
    assert all(origin.startswith("compiled: bad entry") for origin in origins)
    assert len(caplog.records) == len(good)
    assert again() == (right, {"disk"})


def test_swapped_entries_are_detected(store: Cache) -> None:
    right, _ = again()
    first, second, *_ = files(store.folder)
    first_data, second_data = first.read_bytes(), second.read_bytes()
    first.write_bytes(second_data)
    second.write_bytes(first_data)
    bits, origins = again()
    assert bits == right
    assert origins == {"disk", "compiled: bad entry: another key"}
    assert (first.read_bytes(), second.read_bytes()) == (first_data, second_data)


def test_links_pipes_and_files_of_others_are_no_entries(
    store: Cache, tmp_path: Path
) -> None:
    right, _ = again()
    first, second, third, *_ = files(store.folder)
    planted = tmp_path / "planted"
    first.rename(planted)
    first.symlink_to(planted)
    second.unlink()
    os.mkfifo(second)
    third.chmod(0o666)
    bits, origins = again()
    assert bits == right
    assert origins - {"disk"}  # and one more entry is of what calls the kernels
    assert again() == (right, {"disk"})
    assert not first.is_symlink()
    assert third.stat().st_mode & 0o777 == 0o600


def test_a_cache_that_is_off(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("0", "off"):
        monkeypatch.setenv("ANABRANCH_CACHE", word)
        assert find_cache() is None
        assert again()[1] == {"compiled: the cache is off"}
    assert not store.folder.exists()


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def found() -> Path:
        cache = find_cache()
        assert cache is not None
        return cache.folder

    monkeypatch.delenv("ANABRANCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert found() == tmp_path / "anabranch"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/not/allowed")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert found() == tmp_path / "home" / ".cache" / "anabranch"
    monkeypatch.delenv("HOME")
    assert found().is_absolute()

    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(CacheError, match="no home"):
        find_cache()


# Folders that cannot be used cost one warning.


def refused(match: str) -> None:
    """Two compilations work, and only the first one warns."""
    with pytest.warns(RuntimeWarning, match=match) as warned:
        first, _ = again()
    second, origins = again()
    assert len(warned) == 1
    assert first == second
    assert all(origin.startswith("compiled") for origin in origins)


def test_a_file_in_place_of_the_folder(store: Cache) -> None:
    store.folder.write_text("")
    refused("not a folder")
    assert store.folder.read_text() == ""


def test_a_file_in_place_of_the_parent(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.folder.write_text("")
    monkeypatch.setenv("ANABRANCH_CACHE", str(store.folder / "below"))
    refused("Not a directory")


def test_a_link_in_place_of_the_folder(store: Cache, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(0o700)
    store.folder.symlink_to(tmp_path / "real")
    refused("not a folder")
    assert not files(tmp_path / "real")


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702, 0o1777])
def test_a_folder_that_others_write_to(store: Cache, mode: int) -> None:
    store.folder.mkdir()
    store.folder.chmod(mode)
    refused("others may write")
    assert not files(store.folder)


def test_a_folder_of_another_user(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    again()
    monkeypatch.setattr(os, "getuid", lambda: os.geteuid() + 1)
    refused("others may write")


# Whoever may write to a folder above could put another in its place.


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o702])
@pytest.mark.parametrize("made", [False, True], ids=["not yet made", "made"])
def test_a_parent_that_others_write_to(
    store: Cache, made: bool, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = store.folder / "shared"
    path = parent / "deep" / "er"
    monkeypatch.setenv("ANABRANCH_CACHE", str(path))
    if made:
        again()
    parent.mkdir(parents=True, exist_ok=True)
    parent.chmod(mode)
    refused(f"others may write to {parent}, above {path}")
    assert path.exists() == made


def test_a_sticky_parent(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /tmp is: only the owner of what is in it can move that away."""
    parent = store.folder / "shared"
    monkeypatch.setenv("ANABRANCH_CACHE", str(parent / "kernels"))
    parent.mkdir(parents=True)
    parent.chmod(0o1777)
    right, _ = again()
    assert again() == (right, {"disk"})


def test_a_parent_of_another_user(folder: Path, monkeypatch) -> None:
    folder.mkdir(0o700)
    parent, seen = str(folder.parent), os.stat

    def stat(path, **options):
        status = list(seen(path, **options))
        if str(path) == parent:
            status[4] = os.getuid() + 1
        return os.stat_result(status)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(CacheError, match=f"write to {parent}, above"):
        Cache(folder).entries()


def test_parents_behind_a_link(store: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is where the folder is."""
    real = store.folder / "real"
    real.mkdir(parents=True)
    (store.folder / "link").symlink_to(real)
    monkeypatch.setenv("ANABRANCH_CACHE", str(store.folder / "link" / "kernels"))
    right, _ = again()
    assert again() == (right, {"disk"})
    real.chmod(0o777)
    refused(f"others may write to {real}")


def test_folders_are_made_for_the_user_alone(folder: Path) -> None:
    mask = os.umask(0o002)
    try:
        Cache(folder / "deep" / "er").store({"key": b"code"})
    finally:
        os.umask(mask)
    for path in (folder, folder / "deep", folder / "deep" / "er"):
        assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("call", "number"),
    [
        *product(["open"], ["EACCES", "EROFS", "ENOSPC", "EBUSY", "ESTALE"]),
        *product(["replace", "mkdir", "scandir"], ["ENOSPC"]),
    ],
)
def test_errors_of_the_system(
    store: Cache, call: str, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        code = getattr(errno, number)
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(engine, "compiler_files", lambda: engine.COMPILER)
        broken.setattr(os, call, fail)
        if call == "scandir":  # the entries were written by then
            with pytest.warns(RuntimeWarning, match="not cached"):
                right, _ = again()
        else:
            refused("not cached")
            right, _ = again()
    assert again()[0] == right
    assert again() == (right, {"disk"})
    assert all(path.suffix == ".kernel" for path in files(store.folder))


def test_entries_that_cannot_be_read(store: Cache, monkeypatch) -> None:
    right, _ = again()
    opened = os.open

    def fail(path, flags, *rest):
        if not flags & os.O_CREAT:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return opened(path, flags, *rest)

    monkeypatch.setattr(os, "open", fail)
    bits, origins = again()
    assert bits == right
    assert all("Stale" in origin for origin in origins)


def test_no_room_on_the_disk(store: Cache) -> None:
    """A limit of the file size fails in the middle of a write."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))"
    bits, origins, complaints = finish(start(store.folder, full))
    assert origins == MISS
    assert complaints.count("RuntimeWarning") == 1
    assert not files(store.folder)
    assert again() == (bytes.fromhex(bits), {"compiled: no entry"})


@pytest.mark.parametrize("name", ["a b", "ÄÖ→🜛", "n" * 200, "'\";$(x)\n"])
def test_odd_names(store: Cache, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = os.fsdecode(name.encode("utf-8"))  # what an ASCII locale makes of its bytes
    path = store.folder / name / "deep" / "er"
    monkeypatch.setenv("ANABRANCH_CACHE", str(path))
    right, _ = again()
    assert again() == (right, {"disk"})
    assert files(path)


# Other processes.


def test_a_folder_that_goes_away(store: Cache) -> None:
    right, _ = again()
    shutil.rmtree(store.folder)
    assert again() == (right, {"compiled: no entry"})
    assert again() == (right, {"disk"})
    count = len(files(store.folder))
    assert store.clear() == count > 0
    assert again() == (right, {"compiled: no entry"})


def test_cleared_in_the_middle_of_a_write(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def cleared(*paths: str) -> None:
        store.clear()
        replace(*paths)

    monkeypatch.setattr(os, "replace", cleared)
    right, _ = again()
    assert files(store.folder) == []
    assert again()[0] == right


def test_clear_leaves_what_is_not_ours(store: Cache) -> None:
    again()
    mine = store.folder / "notes.kernel"
    mine.write_text("")
    store.clear()
    assert files(store.folder) == [mine]


def test_many_processes_at_once(store: Cache) -> None:
    """They start when a file appears, on one key or on several."""
    folder = store.folder
    gate = folder.with_name("gate")
    wait = (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.001)"
    )
    running = [start(folder, wait) for _ in range(4)]
    gate.touch()
    results = [finish(process) for process in running]
    assert len({bits for bits, _, _ in results}) == 1
    assert {complaints for _, _, complaints in results} == {""}
    assert all(path.suffix == ".kernel" for path in files(folder))
    assert again() == (bytes.fromhex(results[0][0]), {"disk"})


def hammer(folder: str, seed: int, rounds: int) -> bool:
    """Store, load and clear; whether all that was loaded was right."""
    rng = random.Random(seed)
    store = Cache(Path(folder), limit=20_000)
    for _ in range(rounds):
        key = f"key {rng.randrange(8)}"
        code = key.encode() * 500
        found = store.load(key)
        if found.code is None:
            store.store({key: code})
        if found.code not in (None, code) or found.reason not in ("", "no entry"):
            return False
        if rng.random() < 0.02:
            store.clear()
    return True


@pytest.mark.parametrize("processes", [3, pytest.param(16, marks=pytest.mark.fuzz)])
def test_many_processes_that_store_load_and_clear(folder: Path, processes: int) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        jobs = [(str(folder), seed, 50 * processes) for seed in range(processes)]
        assert all(pool.starmap(hammer, jobs))
    assert all(path.suffix == ".kernel" for path in files(folder))


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.fuzz)])
def test_killed_at_any_time(store: Cache, kills: int) -> None:
    """Processes that compile and store again and again; what they leave is right."""
    rng = random.Random(0)
    endless = """
from anabranch.backends.llvm.engine import cache
from anabranch.backends.llvm.engine import engine
sys.stdout.flush()
while True:
    cache.find_cache().clear()
    engine._addresses.clear()
    anabranch.jit(lambda x: np.abs(x) * 2)(np.ones(3))
"""
    right, _ = again()
    for _ in range(kills):
        process = start(store.folder, after=endless)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.3)
        process.kill()
        process.communicate()
        bits, origins = again()
        assert bits == right
        assert origins <= {"disk", "compiled: no entry"}
    assert again() == (right, {"disk"})


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have SIGINT interrupt, as it does not in what nohup or a build server starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("tries", [3, pytest.param(20, marks=pytest.mark.fuzz)])
def test_interrupted_at_any_time(store: Cache, tries: int) -> None:
    """A KeyboardInterrupt leaves no files behind, and the next call is right."""
    right, _ = again()
    rng = random.Random(0)
    for _ in range(tries):
        store.clear()
        seconds = rng.random() * 0.15
        timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
        timer.start()
        with suppress(KeyboardInterrupt):
            again()
            timer.join()
            time.sleep(0.01)
        timer.join()
        assert again()[0] == right
        assert all(path.suffix == ".kernel" for path in files(store.folder))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_llvm(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    optimised, ended = codegen._optimised, []

    def interrupted(text: str, machine: object) -> object:
        signal.raise_signal(signal.SIGINT)
        module = optimised(text, machine)
        ended.append(text)
        return module

    monkeypatch.setattr(codegen, "_optimised", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again()
    assert ended
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.usefixtures("interruptible")
def test_an_ignored_interrupt_stays_ignored(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    optimised, interrupted = codegen._optimised, []

    def interrupt(text: str, machine: object) -> object:
        signal.raise_signal(signal.SIGINT)
        interrupted.append(text)
        return optimised(text, machine)

    monkeypatch.setattr(codegen, "_optimised", interrupt)
    again()
    assert interrupted
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_compiles(
    store: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child can compile: it has not inherited a lock that is held."""
    compiling = threading.Event()
    emit = codegen._emit

    def slowly(text: str, machine: object) -> bytes:
        compiling.set()
        time.sleep(0.2)
        return emit(text, machine)

    monkeypatch.setattr(codegen, "_emit", slowly)
    thread = threading.Thread(target=again, daemon=True)
    thread.start()
    assert compiling.wait(HANGS)
    child = os.fork()
    if child == 0:
        signal.alarm(int(HANGS))
        os._exit(0 if anabranch.jit(np.cbrt)(np.full(3, 8.0))[0] == 2.0 else 1)
    assert os.waitpid(child, 0) == (child, 0)
    thread.join(HANGS)
    assert not thread.is_alive()


@pytest.mark.parametrize("threads", [1, 2])
def test_compiling_in_the_middle_of_compiling(
    store: Cache, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """As a finalizer or a signal handler may, with the very same kernels."""
    monkeypatch.setenv("ANABRANCH_THREADS", str(threads))
    right, _ = again()
    store.clear()
    emit, meeting, nested = codegen._emit, threading.Barrier(threads), []
    parsing = threading.Lock()  # Python 3.11 can parse in one thread only

    def nesting(text: str, machine: object) -> bytes:
        meeting.wait(HANGS)  # all threads are at it
        monkeypatch.setattr(codegen, "_emit", emit)
        with parsing:
            nested.append(again()[0])
        return emit(text, machine)

    monkeypatch.setattr(codegen, "_emit", nesting)
    assert again()[0] == right
    assert nested == [right] * threads
    assert again() == (right, {"disk"})


FINALIZER = """
import os, threading
from llvmlite.binding import ffi
os.environ["ANABRANCH_THREADS"] = "2"
negative, large, made = anabranch.jit(np.negative), np.ones((1000, 1000)), []
def finalize():
    if not made and threading.current_thread().name == "{thread}":
        made.append(None)
        made[:] = [negative(large)[0, 0] for _ in range(3)]
ffi.register_lock_callback(finalize, lambda: None)
"""


@pytest.mark.parametrize("thread", ["MainThread", "anabranch compiler"])
def test_a_finalizer_inside_llvmlite_may_compile_and_call(
    store: Cache, thread: str
) -> None:
    """While this thread has llvmlite's lock, and maybe another waits for it with ours.

    The function is large enough for the pool, and gets its fast path.
    """
    before = FINALIZER.format(thread=thread)
    found = finish(start(store.folder, before, "assert made == [-1, -1, -1]"))
    assert bytes.fromhex(found[0]) == again()[0]


def test_warm_processes_import_little(store: Cache) -> None:
    """Nothing that takes long and that a call with a warm cache can do without."""
    again()
    slow = "('numba', 'networkx', 'scipy', 'rich', 'typer', 'logging')"
    check = f"assert not [name for name in {slow} if name in sys.modules]"
    compiler = "assert 'anabranch.backends.llvm.language.functions' not in sys.modules"
    warm = finish(start(store.folder, after=f"{check}\n{compiler}"))
    assert warm[1:] == (HIT, "")


# The size of it.


def test_the_least_used_entries_go_first(folder: Path) -> None:
    store = Cache(folder, limit=10 * len(pack("key 000", bytes(1000))))
    for number in range(10):
        store.store({f"key {number:03}": bytes(1000)})
        os.utime(store.path(f"key {number:03}"), (number, number))
    assert store.load("key 000").code  # used just now
    for number in range(10, 13):
        store.store({f"key {number:03}": bytes(1000)})
    kept = [n for n in range(13) if store.load(f"key {n:03}").code is not None]
    assert kept == [0, *range(5, 13)]  # with one more, for room


def test_a_thousand_entries_stay_below_the_limit(folder: Path) -> None:
    store = Cache(folder, limit=100_000)
    for first in range(0, 1000, 20):
        store.store({f"key {n}": bytes(n) for n in range(first, first + 20)})
        assert sum(status.st_size for _, status in store.entries()) <= store.limit
    assert store.load("key 999").code == bytes(999)


def test_entries_are_counted_once_in_a_while(folder: Path, monkeypatch) -> None:
    counts: list[str] = []
    listed = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: counts.append(path) or listed(path))
    store = Cache(folder, limit=64_000)
    size = len(pack("key 00", bytes(20)))
    for number in range(50):
        store.store({f"key {number:02}": bytes(20)})
    assert len(counts) == -(-50 // -(-1000 // size))
    counts.clear()
    store._replace(limit=20 * size).store({"key 00": bytes(900)})
    assert len(counts) == 1
    assert sum(status.st_size for _, status in store.entries()) <= 20 * size


def test_what_was_left_in_the_middle_of_a_write_goes_after_an_hour(
    folder: Path,
) -> None:
    store = Cache(folder)
    store.store({"key": b"code"})
    new, old = (store.path("key").with_suffix(f".{word}.tmp") for word in ("00", "01"))
    new.touch()
    old.touch()
    os.utime(old, (0, 0))
    cache._room.clear()  # as in the next process
    store.store({"other": b"code"})
    assert new.exists()
    assert not old.exists()


def test_the_command_line(
    store: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def anabranch_cache(command: str) -> str:
        monkeypatch.setattr(sys, "argv", ["anabranch", "cache", command])
        with pytest.raises(SystemExit) as exit:
            cli.main()
        assert not exit.value.code
        return capsys.readouterr().out

    again()
    count = len(files(store.folder))
    assert f"{store.folder}: {count} kernels" in anabranch_cache("info")
    assert f"{count} files removed" in anabranch_cache("clear")
    assert "0 kernels, 0 of" in anabranch_cache("info")


def test_the_report(store: Cache) -> None:
    function = anabranch.value_and_grad(loss)
    function(*ARGUMENTS)
    report = function.report()
    assert list(report.seconds) == ["trace", "passes", "plan", "compile"]
    assert report.nodes == len(anabranch.parse(function.inspect_ir()))
    first, second, *kernels = str(report).splitlines()
    assert first.startswith("loss.grad: 12 nodes, 3 steps, 3 distinct kernels, arena")
    assert second.startswith("  trace ")
    assert [line.split()[:2] for line in kernels] == [
        ["kernel", str(number)] for number in range(3)
    ]
    interpreted = anabranch.grad(loss, backend="reference")
    interpreted(*ARGUMENTS)
    assert interpreted.report().kernels == ()
