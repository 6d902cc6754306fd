"""The container of saved functions: a text, and the arrays that it names.

    anabranch saved 1                   what kind of file this is, and its version
    sha256 6d70...                      of all bytes behind this line
    text 1834                           the bytes of the text, which begins now:
    array f64[128,10]                   the type of each array, and then
    ...                                 what the arrays are for
    zeros up to a multiple of 64 bytes from the file's beginning
    the elements of the first array, little-endian, in C order
    ...                                 the others in the same way

The types say how long the file is, and that is checked before anything is allocated.
There is no compression, no name of a file and no offset, so none of them can lie.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.base import Array
from ...ir.errors import ArgumentError, ParseError
from ...ir.text import MAX_TEXT
from ...ir.types import TensorType, dtype_name, spec

__all__ = ["read_container", "write_container"]

VERSION = 1
ALIGNMENT = 64
PREFIX = "array "
MAGIC = f"anabranch saved {VERSION}"
FIRST = len(MAGIC) + len("\nsha256 \n") + 64  # where the checked bytes begin
_HEAD = re.compile(rb"anabranch saved ([1-9][0-9]{0,8})\n")
_REST = re.compile(rb"sha256 ([0-9a-f]{64})\n(text (0|[1-9][0-9]{0,18})\n)")
# Never wait for the other end of a pipe.
READ = getattr(os, "O_NONBLOCK", 0)
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_container(path: Path, text: str, arrays: Sequence[Array]) -> None:
    """Write a file under another name, sync it, and rename it.

    Raises `OSError`, and `ArgumentError` for more text than is ever read; then
    ``path`` is as it was.
    """
    types = [TensorType(dtype_name(array.dtype), array.shape) for array in arrays]
    lines = "".join(f"{PREFIX}{type_}\n" for type_ in types)
    encoded = (lines + text).encode()
    if len(encoded) > MAX_TEXT:
        raise ArgumentError(f"graphs of more than {MAX_TEXT} bytes of text")
    parts: list[Any] = [f"text {len(encoded)}\n".encode(), encoded]
    position = FIRST + len(parts[0]) + len(encoded)
    for type_, array, place in zip(
        types, arrays, _places(types, position), strict=False
    ):
        parts.append(bytes(place - position))
        parts.append(_bytes(np.asarray(array, _little(type_), order="C")))
        position = place + type_.nbytes
    checksum = sha256()
    for part in parts:
        checksum.update(part)
    parts.insert(0, f"{MAGIC}\nsha256 {checksum.hexdigest()}\n".encode())
    temporary = path.parent / f".{os.urandom(8).hex()}.tmp"
    try:
        with open(os.open(temporary, CREATE, 0o666), "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def read_container(path: Path) -> tuple[str, list[Array]]:
    """The text without the arrays' types, and the arrays.

    Raises `ParseError` for anything but a whole file as written, `OSError` where it
    cannot be read.
    """
    with open(path, "rb", opener=_open) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ParseError("not a regular file")
        return _read(file, status.st_size)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | READ)


def _read(file: BufferedReader, size: int) -> tuple[str, list[Array]]:
    head = file.read(256)
    version = _HEAD.match(head)
    if version is None:
        raise ParseError("not a function that Anabranch saved")
    if int(version[1]) > VERSION:
        raise ParseError(
            f"version {int(version[1])} of the format of saved functions is newer than "
            f"{VERSION}, the newest that this Anabranch reads",
            hint="pip install --upgrade anabranch",
        )
    rest = _REST.match(head, version.end())
    if rest is None:
        raise ParseError("the file is damaged: its first lines are not as written")
    length, start = int(rest[3]), rest.end()
    if length > min(size - start, MAX_TEXT):
        raise ParseError("the file is cut off, or its text is too long")
    file.seek(start)
    encoded = file.read(length)
    checksum = sha256(rest[2])
    checksum.update(encoded)
    types, body = _types(encoded)
    places = _places(types, start + length)
    if len(encoded) != length or places.pop() != size:
        raise ParseError(f"the file has {size} bytes, which its arrays do not need")
    arrays: list[Array] = []
    for type_, place in zip(types, places, strict=True):
        checksum.update(file.read(place - file.tell()))
        array = np.empty(type_.shape, _little(type_))
        elements = _bytes(array)
        if file.readinto(elements) != type_.nbytes:
            raise ParseError("the file was cut off while it was read")
        checksum.update(elements)
        if type_.dtype == "bool" and np.any(array.view(np.uint8) > 1):
            raise ParseError(f"an array of {type_} has other values")
        arrays.append(array.astype(type_.numpy, copy=False))
    if checksum.hexdigest().encode() != rest[1]:
        raise ParseError("the file is damaged: its checksum is another one")
    return body, arrays


def _types(encoded: bytes) -> tuple[list[TensorType], str]:
    """The types of the arrays, and the text behind them."""
    try:
        text = encoded.decode()
    except UnicodeDecodeError:
        raise ParseError("the file is damaged: its text is not UTF-8") from None
    types: list[TensorType] = []
    start = 0
    while text.startswith(PREFIX, start):
        end = text.find("\n", start)
        types.append(spec(text[start + len(PREFIX) : end]))
        start = end + 1 if end >= 0 else len(text)
    return types, text[start:]


def _places(types: Sequence[TensorType], position: int) -> list[int]:
    """Where each array begins behind ``position``, and where the file ends."""
    places: list[int] = []
    for type_ in types:
        position += -position % ALIGNMENT
        places.append(position)
        position += type_.nbytes
    return [*places, position]


def _bytes(array: Array) -> memoryview:
    """The bytes of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def _little(type_: TensorType) -> np.dtype[Any]:
    return type_.numpy.newbyteorder("<")
