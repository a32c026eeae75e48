"""Read pickles of numpy arrays, and of nothing that could run.

A pickle is a program: it may import and call anything. This reader lets it name only what numpy
arrays are rebuilt from, gives it stand-ins for those, and builds the arrays itself afterwards from
what the stand-ins were handed. Any other name is refused before anything has been called.
"""

from __future__ import annotations

import io
import pickle
import re
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError

MAX_BYTES = 4 * 2**30  # WESAD's largest subject has about 1 GiB
MAX_NODES = 100_000  # items of all containers together; WESAD has about 30
MAX_DEPTH = 50
MAX_GROWTH = 4
"""Bytes that may be made of each byte of the file: what is read once can be named many times."""
_MAX_LINE = 2**16

_NUMBERS = re.compile(r"[<>=|]?([biufc])(\d{1,2})")
"""Types of numbers; objects, texts and records are refused."""

_LEFT_OUT = (
    *(pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4),
    *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    *(pickle.EMPTY_SET, pickle.ADDITEMS, pickle.FROZENSET),
)
"""Instructions that no file of plain arrays needs."""


def read_pickle(path: Path) -> Any:
    """Read a pickle of dictionaries, lists, numbers, texts and arrays of numbers.

    Files of Python 2 are read as well as those of Python 3. Texts of Python 2, and byte strings,
    become text by Latin-1.

    Parameters
    ----------
    path : Path

    Returns
    -------
    object
        Arrays may be read-only.

    Raises
    ------
    InputError
        If the file is absent, too large, truncated or no pickle; if it holds an array of anything
        but numbers; or if it names anything that arrays of numbers do not need: the sentence says
        what, and it was neither imported nor called.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"{str(path)!r} has {size} bytes, more than the {MAX_BYTES} that are read: "
                "give one person's file"
            )
        with path.open("rb") as file:
            return _read(file, size, str(path))
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error}; restore it") from error


def _read(file: BinaryIO, size: int, source: str) -> Any:
    budget = _Budget(size)
    try:
        return _Builder(budget).plain(_Reader(_Bounded(file, size), source, budget).load())
    except InputError:
        raise
    # The instructions of a damaged file may go wrong in any way.
    except Exception as error:
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(
            f"{str(source)!r} is no pickle of arrays, or damaged ({text}): restore it"
        ) from error


class _Bounded(io.RawIOBase):
    """A file that is never asked for more than it has, whatever it declares."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise EOFError(f"{size} bytes are announced, {self._left} are left")
        self._left -= size
        return self._file.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        line = self._file.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            raise EOFError("a line has no end")
        self._left -= len(line)
        return line


class _Budget:
    """How many bytes may still be made of a file."""

    def __init__(self, size: int) -> None:
        self._left = MAX_GROWTH * size

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError(f"it grows to more than {MAX_GROWTH} times its size")


class _StandIn:
    """Something that a pickle may name: it can be called if at all, and never be changed."""

    __slots__ = ()

    def __call__(self, *args: Any) -> Any:
        raise ValueError("it calls what is no function")

    def __setstate__(self, state: Any) -> None:
        raise ValueError("it changes what is not its own")


class _Reconstruct(_StandIn):
    __slots__ = ()

    def __call__(self, *args: Any) -> _Array:
        return _Array()


class _MakeDtype(_StandIn):
    __slots__ = ()

    def __call__(self, *args: Any) -> _Dtype:
        return _Dtype(_text(args[0]))


class _MakeScalar(_StandIn):
    __slots__ = ()

    def __call__(self, *args: Any) -> _Scalar:
        dtype, data = args
        return _Scalar(dtype, data)


class _Encode(_StandIn):
    """`_codecs.encode`, by which protocols before 3 keep byte strings."""

    __slots__ = ("_budget",)

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def __call__(self, *args: Any) -> bytes:
        text, encoding = args
        if _text(encoding) != "latin1":
            raise ValueError(f"it encodes by {reprlib.repr(encoding)}")
        text = _text(text)
        self._budget.take(len(text))
        return text.encode("latin-1")


class _Dtype:
    """What a file says of a type of numbers."""

    __slots__ = ("_order", "_spec")

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._order = "="

    def __setstate__(self, state: Any) -> None:
        order = _text(state[1])
        # Names and fields of a record.
        if order not in "<>=|" or any(part is not None for part in state[2:5]):
            raise ValueError(f"type {self._spec!r} with {reprlib.repr(state)}")
        self._order = order

    def build(self) -> np.dtype[Any]:
        if _NUMBERS.fullmatch(self._spec) is None:
            what = "objects" if self._spec.lstrip("|").startswith("O") else self._spec
            raise ValueError(f"it holds an array of {what}, not of numbers")
        return np.dtype(self._spec).newbyteorder(self._order)  # type: ignore[arg-type]


class _Array:
    """What a file says of an array."""

    __slots__ = ("_state",)

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def build(self) -> NDArray[Any]:
        _, shape, dtype, fortran, data = self._state
        kind = dtype.build()
        values = np.frombuffer(_bytes(data), dtype=kind)
        # A shape that does not fit the data is refused by numpy.
        return values.reshape(shape, order="F" if fortran else "C")


class _Scalar:
    """What a file says of a single number."""

    __slots__ = ("_data", "_dtype")

    def __init__(self, dtype: _Dtype, data: Any) -> None:
        self._dtype = dtype
        self._data = data

    def build(self) -> Any:
        return np.frombuffer(_bytes(self._data), dtype=self._dtype.build())[0]


_PERMITTED: dict[tuple[str, str], _StandIn] = {
    ("numpy", "dtype"): _MakeDtype(),
    ("numpy", "ndarray"): _StandIn(),
    **{
        (f"numpy.{core}.multiarray", name): made
        for core in ("core", "_core")
        for name, made in (("_reconstruct", _Reconstruct()), ("scalar", _MakeScalar()))
    },
}
"""Stand-ins for what a file may name, beside `_codecs.encode`."""

_KEYS = (str, bytes, int, float, type(None))
"""Keys of dictionaries. Looking up a tuple of tuples of tuples ... could take for ever."""


def _with_plain_keys(code: bytes) -> Callable[[Any], None]:
    """Return the instruction that fills a dictionary, for `_KEYS` alone."""
    load: Callable[[Any], None] = pickle._Unpickler.dispatch[code[0]]
    # Key and value lie on top of the dictionary, or any number of both on top of a mark.
    keys = slice(-2, -1) if code == pickle.SETITEM else slice(None, None, 2)

    def checked(reader: Any) -> None:
        if not all(isinstance(key, _KEYS) for key in reader.stack[keys]):
            raise ValueError("it has a key that is neither text nor number")
        load(reader)

    return checked


# The reader written in Python, since it keeps what it has read in a dictionary: the one written in
# C reserves as much memory as the highest number that a file gives to an item.
class _Reader(pickle._Unpickler):
    """Unpickler with stand-ins for everything that it lets a file name."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        key: load
        for key, load in pickle._Unpickler.dispatch.items()
        if bytes([key]) not in _LEFT_OUT
    } | {code[0]: _with_plain_keys(code) for code in (pickle.SETITEM, pickle.SETITEMS, pickle.DICT)}

    def __init__(self, file: _Bounded, source: str, budget: _Budget) -> None:
        super().__init__(file, encoding="bytes")
        self._source = source
        self._permitted = {**_PERMITTED, ("_codecs", "encode"): _Encode(budget)}

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in; InputError for any other name."""
        made = self._permitted.get((module, name))
        if made is None:
            wanted = f"{module}.{name}"[:200]
            raise InputError(
                f"{self._source!r} wants to use {wanted!r}, which arrays of numbers do not need: "
                "it may be hostile, and was not opened; get the file from its publisher"
            )
        return made


class _Builder:
    """Turns what was read into plain Python and numpy, counting as it goes."""

    def __init__(self, budget: _Budget) -> None:
        self._nodes = 0
        self._budget = budget

    def plain(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ValueError("it holds too many things, or things in things without end")
        if isinstance(value, _Array | _Scalar):
            built = value.build()
            self._budget.take(built.nbytes)
            return built
        if isinstance(value, bytes):
            self._budget.take(len(value))
            return value.decode("latin-1")
        if value is None or isinstance(value, bool | int | float | complex | str):
            return value
        if isinstance(value, dict):
            return {
                self.plain(key, depth + 1): self.plain(one, depth + 1) for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            return type(value)(self.plain(one, depth + 1) for one in value)
        raise ValueError(f"it holds a {type(value).__name__.strip('_').lower()}")


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise ValueError(f"{reprlib.repr(value)} is no text")
    return value


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("latin-1")
    if not isinstance(value, bytes):
        raise ValueError("it holds an array of objects, not of numbers")
    return value
