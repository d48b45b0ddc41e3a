"""npz files, numpy's arrays by name: read so that nothing is unpickled and no more memory is taken
than the file has bytes, and checked as part of a ``Document``."""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainValidator, ValidationInfo

from .errors import InputError, shown

MAX_BYTES = 2**28
Arrays = dict[str, NDArray[Any]]


def read_npz(path: Path, expected: str, max_bytes: int = MAX_BYTES) -> Arrays:
    """The arrays of a file that ``numpy.savez`` wrote, by name, each of the shape (...) that it has
    there.

    Args:
        expected: what the file should have been, e.g. ``a checkpoint``.

    Raises:
        InputError: one line that names the file: it cannot be read, or is none.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        reason = shown(str(getattr(error, "strerror", None) or error))[1:-1]
        raise InputError(f"{path}: cannot be read ({reason}), expected {expected}") from error
    try:
        if len(content) > max_bytes:
            raise ValueError(f"larger than {max_bytes} bytes")
        with ZipFile(io.BytesIO(content)) as archive:
            return dict(_members(archive, len(content)))
    # RuntimeError: a password; the rest is what zipfile, and numpy's reader of headers, raise.
    except (
        BadZipFile, zlib.error, ValueError, KeyError, TypeError, IndexError, OSError, EOFError,
        RuntimeError, SyntaxError, TokenError, OverflowError, MemoryError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path}: is damaged ({shown(str(error))[1:-1]}), expected {expected}"
        ) from error


def _members(archive: ZipFile, size: int) -> list[tuple[str, NDArray[Any]]]:
    members = []
    for info in archive.infolist():
        # savez does not compress: what is there takes no more room than it says.
        if info.compress_type != ZIP_STORED or info.file_size > size:
            raise ValueError(f"{info.filename} is compressed")
        name = info.filename.removesuffix(".npy")
        members.append((name, _array(archive.read(info), info.filename)))
    if len({name for name, _ in members}) < len(members):
        raise ValueError("an array stands twice")
    return members


def _array(content: bytes, name: str) -> NDArray[Any]:
    """One array; its header says how large it is, and it has exactly these bytes."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is of another version of numpy's format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject or dtype.kind not in "iufbU" or dtype.itemsize == 0:
        raise ValueError(f"{name} holds {dtype}")
    values = content[file.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(values):
        raise ValueError(f"{name} is cut off, or not of shape {shape}")
    flat: NDArray[Any] = np.frombuffer(values, dtype)
    return flat.reshape(shape[::-1]).T.copy() if fortran else flat.reshape(shape).copy()


def array_of(dtype: str, *dims: str, or_none: bool = False) -> Any:
    """The type of an array in a ``Document``.

    Args:
        dtype: of the values; ``str`` for texts.
        dims: letters for its shape. A letter is one size throughout the document, the size that
            ``check`` was given for it where it was.
        or_none: it may be an empty one instead, of whatever type.
    """

    def validate(value: Any, info: ValidationInfo) -> Any:
        asked = f"be an array of {dtype} of shape ({', '.join(dims)})"
        if or_none and isinstance(value, np.ndarray) and value.shape == (0,):
            return value
        if not isinstance(value, np.ndarray) or value.ndim != len(dims):
            raise ValueError(asked)
        if value.dtype.kind != "U" if dtype == "str" else value.dtype != np.dtype(dtype):
            raise ValueError(asked)
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError(f"{asked}, all finite")
        sizes = {} if info.context is None else info.context
        for letter, size in zip(dims, value.shape, strict=True):
            known = sizes.setdefault(letter, size)
            if size != known:
                raise ValueError(f"{asked}, {letter} = {known}")
        return value

    return Annotated[Any, PlainValidator(validate)]
