"""Compiled kernels on disk: what one process compiled, the next one loads.

One file an entry, named by the hash of its key. A key is text, and holds everything
that decides the code. The numbers are little-endian:

    16 bytes   what kind of file this is, and its format
    32 bytes   SHA-256 of all that follows
     8 bytes   the length of the key
               the key
               the object code

A file is used if all of this holds and the key is the one that was asked for; nothing
in it is looked at before. The checksum finds damage. Against other people there is the
folder: it and its files must belong to the user, and nobody else may write to them. Who
may write to a folder above it could put another in its place; so those must belong to
the user or to root, and nobody else may write to them, unless they are sticky.

Files are written under another name and then renamed, so readers see whole ones only,
and there is no lock. Losing an entry costs time and nothing else. For the same reason
nothing is synced to the disk: the checksum tells what a crash left behind.

All entries are counted before a process writes its first one, and then after each
sixty-fourth of the limit that it writes. So a few processes at once may exceed it.

The environment variable ``ANABRANCH_CACHE`` is a path of the folder, with a slash in
it, or ``0`` or ``off``.
"""

from __future__ import annotations

import os
import re
import stat
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ....ir.settings import setting

__all__ = ["Cache", "CacheError", "Found", "find_cache", "load", "store"]

MAGIC = b"anabranch kern 1"
LIMIT = 256 * 2**20
PARTS = 64  # of the limit, of which a process writes one between two counts
HOUR = 3600.0
MADE = re.compile(r"[0-9a-f]{40}\.(kernel|[0-9a-f]+\.tmp)")
# Never follow a link, nor wait for the other end of a pipe.
READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
BINARY = getattr(os, "O_BINARY", 0)


class CacheError(Exception):
    """A folder that cannot be used, and why."""


class Found(NamedTuple):
    """The object code of an entry; None with the reason where there is none."""

    code: bytes | None
    reason: str = ""


class Cache(NamedTuple):
    """The entries in one folder, together about ``limit`` bytes at most."""

    folder: Path
    limit: int = LIMIT

    def load(self, key: str) -> Found:
        """The code stored under ``key``; a damaged entry is logged, and a miss.

        Raises `CacheError` where the folder cannot be trusted.
        """
        if not self._check():
            return Found(None, "no entry")
        path = self.path(key)
        try:
            code = unpack(_read(path, self.limit), key)
        except FileNotFoundError:
            return Found(None, "no entry")
        except (OSError, ValueError) as error:
            from logging import getLogger  # only here: it costs a process 5 ms

            getLogger(__name__).warning("entry %s is compiled anew: %s", path, error)
            return Found(None, f"bad entry: {error}")
        with suppress(OSError):
            os.utime(path)
        return Found(code)

    def store(self, codes: Mapping[str, bytes]) -> None:
        """Write entries by key; above the limit the least used ones are removed.

        Raises `CacheError` where that cannot be done.
        """
        try:
            self._check()
            _make(self.folder)
            self._check()
            room = _room.get(self.folder, 0)
            for key, code in codes.items():
                data = pack(key, code)
                room -= len(data)
                with suppress(FileNotFoundError):  # another process clears the folder
                    self._write(self.path(key), data)
            _room[self.folder] = room if room > 0 else self._evict()
        except OSError as error:
            raise CacheError(f"{error.strerror}: {self.folder}") from error

    def path(self, key: str) -> Path:
        """The file of a key."""
        return self.folder / f"{sha256(key.encode()).hexdigest()[:40]}.kernel"

    def entries(self) -> list[tuple[Path, os.stat_result]]:
        """The entries, least recently used first."""
        self._check()
        found = [item for item in self._files() if item[0].suffix == ".kernel"]
        return sorted(found, key=lambda item: item[1].st_mtime_ns)

    def clear(self) -> int:
        """Remove every entry, and what interrupted processes left; returns how many."""
        self._check()
        return sum(_remove(path) for path, _ in list(self._files()))

    def _check(self) -> bool:
        """Whether the folder is there; raises `CacheError` if it is not to be used."""
        unsafe = _unsafe_parent(self.folder)
        if unsafe:
            raise CacheError(f"others may write to {unsafe}, above {self.folder}")
        try:
            status = os.lstat(self.folder)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CacheError(f"{error.strerror}: {self.folder}") from error
        if not stat.S_ISDIR(status.st_mode):
            raise CacheError(f"not a folder: {self.folder}")
        if not _is_private(status):
            raise CacheError(f"others may write to it: {self.folder}")
        return True

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file that a cache has written."""
        with suppress(FileNotFoundError), os.scandir(self.folder) as found:
            for item in found:
                if MADE.fullmatch(item.name):
                    with suppress(FileNotFoundError):
                        yield Path(item.path), item.stat(follow_symlinks=False)

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_suffix(f".{os.urandom(8).hex()}.tmp")
        try:
            with open(os.open(temporary, WRITE | BINARY, 0o600), "wb") as file:
                file.write(data)
            temporary.replace(path)
        finally:
            _remove(temporary)

    def _evict(self) -> int:
        """Keep to the limit, and remove what interrupted writers left long ago.

        Returns how much this process may write before the next time. Where the limit is
        met a part of it is freed, else every store would count again.
        """
        total = 0
        entries: list[tuple[int, int, Path]] = []
        for path, status in self._files():
            if path.suffix == ".kernel":
                entries.append((status.st_mtime_ns, status.st_size, path))
                total += status.st_size
            elif status.st_mtime < time.time() - HOUR:
                _remove(path)
        part = self.limit // PARTS
        if total > self.limit:
            for _, size, path in sorted(entries):
                _remove(path)
                total -= size
                if total <= self.limit - part:
                    break
        return min(self.limit - total, part)


_room: dict[Path, int] = {}
"""How much this process may write into a folder before it counts what is there."""


def pack(key: str, code: bytes) -> bytes:
    """The bytes of an entry."""
    text = key.encode()
    body = len(text).to_bytes(8, "little") + text + code
    return MAGIC + sha256(body).digest() + body


def unpack(data: bytes, key: str) -> bytes:
    """The code in an entry of ``key``; raises `ValueError` if it is none.

    >>> unpack(pack("key", b"code"), "key")
    b'code'
    """
    if data[:16] != MAGIC:
        raise ValueError("another format")
    body = data[48:]
    if sha256(body).digest() != data[16:48]:
        raise ValueError("wrong checksum")
    text = key.encode()
    code = body.removeprefix(len(text).to_bytes(8, "little") + text)
    if len(code) == len(body):
        raise ValueError("another key")
    return code


def find_cache() -> Cache | None:
    """The cache that the environment asks for, None if it asks for none.

    Raises `CacheError` where no folder can be told.
    """
    named = setting("ANABRANCH_CACHE", "a path with a slash in it, 0, or off", _place)
    if named in ("0", "off"):
        return None
    if named:
        return Cache(_resolved(Path(named)))
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Cache(_resolved(Path(base, "anabranch")))
    try:
        return Cache(_resolved(Path.home() / ".cache" / "anabranch"))
    except RuntimeError as error:
        raise CacheError(str(error)) from error


def _place(text: str) -> str | None:
    """The folder or word of ``ANABRANCH_CACHE``; a word such as ``on`` is none."""
    return text if text in ("0", "off") or os.path.dirname(text) else None


def _resolved(folder: Path) -> Path:
    """The folder by a path without links, which whoever owns one could turn round."""
    return Path(os.path.realpath(folder.parent)) / folder.name


def load(keys: Iterable[str]) -> dict[str, Found]:
    """What the user's cache holds under each key; no cache is a miss like any other."""
    keys = list(keys)
    try:
        cache = find_cache()
        if cache is None:
            return dict.fromkeys(keys, Found(None, "the cache is off"))
        return {key: cache.load(key) for key in keys}
    except CacheError as error:
        _complain(error)
        return dict.fromkeys(keys, Found(None, f"no cache: {error}"))


def store(codes: Mapping[str, bytes]) -> None:
    """Write entries by key to the user's cache, if there is one."""
    try:
        cache = find_cache()
        if cache is not None:
            cache.store(codes)
    except CacheError as error:
        _complain(error)


_complaints: list[CacheError] = []


def _complain(error: CacheError) -> None:
    """Warn of the first error of a process."""
    _complaints.append(error)
    if len(_complaints) == 1:
        warnings.warn(f"kernels are not cached: {error}", RuntimeWarning, stacklevel=2)


def _is_private(status: os.stat_result) -> bool:
    """Whether the user alone can write to a file."""
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def _make(folder: Path) -> None:
    """Make a folder and those above it that are missing, for the user alone."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(0o700, exist_ok=True)


def _unsafe_parent(folder: Path) -> Path | None:
    """The first folder above one that others than the user and root may write to."""
    if not hasattr(os, "getuid"):
        return None
    for parent in Path(os.path.abspath(folder)).parents:
        try:
            status = os.stat(parent)
        except OSError:  # it is not there yet, or no folder: found out soon enough
            continue
        shared = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if shared or status.st_uid not in (0, os.getuid()):
            return parent
    return None


def _read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of the user's; raises `OSError`, `ValueError`."""
    with open(os.open(path, READ | BINARY), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_private(status):
            raise ValueError("not a file of ours")
        if status.st_size > limit:
            raise ValueError("too large")
        return file.read()


def _remove(path: Path) -> bool:
    """Remove a file that another process may have removed."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
