"""Pickles: arrays of numbers are read, whatever wrote them; anything that could run is refused."""

from __future__ import annotations

import builtins
import functools
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.datasets import pickles
from model.datasets.pickles import read_pickle
from realtime.errors import InputError
from tests.model.datasets.writers import pickle_of_python_2, wesad_signals


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file.pkl"
    path.write_bytes(content)
    return path


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


CONTENT = {
    "signal": wesad_signals(0.5),
    "label": np.arange(350, dtype=np.int32),
    "subject": "S2",
}


def test_a_file_of_python_2(tmp_path: Path) -> None:
    path = written(tmp_path, pickle_of_python_2(CONTENT))
    assert same(read_pickle(path), CONTENT)
    # The writer of the tests writes what Python itself understands.
    assert same(pickle.loads(path.read_bytes(), encoding="latin1"), CONTENT)


@pytest.mark.parametrize("protocol", range(5))
def test_a_file_of_python_3(tmp_path: Path, protocol: int) -> None:
    content = {
        **CONTENT,
        "order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i4"),
        "flags": np.array([True, False]),
        "one": np.float64(3.5),
        "list": [1, 2.5, None, (True, "µ")],
    }
    keyed = {key.encode(): value for key, value in content.items()}
    assert same(read_pickle(written(tmp_path, pickle.dumps(keyed, protocol=protocol))), content)


class Runs:
    """Something that runs on being unpickled."""

    def __init__(self, call: Any, *args: Any) -> None:
        self.call = (call, args)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize(
    ("call", "args", "name"),
    [
        (os.system, ("touch {mark}",), f"{os.name}.system"),
        (builtins.eval, ("open(r'{mark}', 'w')",), "eval"),
        (builtins.exec, ("open(r'{mark}', 'w')",), "exec"),
        (builtins.getattr, ("{mark}", "upper"), "getattr"),
        (np.load, ("{mark}",), "load"),
        (np.save, ("{mark}", 1), "save"),
        (functools.partial, (print, "{mark}"), "functools.partial"),
        (Path, ("{mark}",), "Path"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_what_could_run_is_refused_by_name_and_does_not_run(
    tmp_path: Path, call: Any, args: tuple, name: str, protocol: int, nested: bool
) -> None:
    mark = tmp_path / "it_ran"
    filled = [arg.format(mark=mark) if isinstance(arg, str) else arg for arg in args]
    bad: Any = Runs(call, *filled)
    if nested:
        bad = {"signal": {"chest": {"ECG": np.arange(3.0), "EDA": [1, (bad,)]}}}
    path = written(tmp_path, pickle.dumps(bad, protocol=protocol))
    with pytest.raises(InputError, match="wants to use .*" + name.replace(".", r"\.")) as caught:
        read_pickle(path)
    assert str(caught.value).count(". ") == 0
    assert not mark.exists()


def test_names_of_python_2_and_old_instructions_are_refused_too(tmp_path: Path) -> None:
    for content, name in (
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(c__builtin__\neval\nS'1'\no.", "__builtin__.eval"),
        (b"cnumpy.core.multiarray\nfromfile\n.", "numpy.core.multiarray.fromfile"),
        (b"cnumpy\nndarray.tofile\n.", "numpy.ndarray.tofile"),
    ):
        with pytest.raises(InputError, match=name.replace(".", r"\.")):
            read_pickle(written(tmp_path, content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle at all",
        b"PK\x03\x04",
        b"\x80\x02X\xff\xff\xff\x7fabc.",  # 2 GiB of text announced
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x00.",  # a frame of 2**56 bytes
        b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.",  # a byte array
        b"\x80\x02Nr\xff\xff\xff\xffQ.",  # the highest memo, and a persistent id
        b"\x80\x02\x82\x01.",  # the extension registry
        b"\x80\x02(cnumpy\ndtype\nU\x02f8t.",  # an opened name that is not called
        b"\x80\x02cnumpy\nndarray\n(tR.",  # a call of what is only named
        b"\x80\x02cnumpy\ndtype\n}U\x08__call__Nsb.",  # an attempt to change it
        b"\x80\x02cnumpy\nndarray\n)\x81.",  # and to make one
        b"(lp0\ng0\na.",  # a list in itself
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match=r"no pickle of arrays, or damaged .*: restore it") as e:
        read_pickle(written(tmp_path, content))
    assert "\n" not in str(e.value)


def test_every_truncation_is_told(tmp_path: Path) -> None:
    whole = pickle_of_python_2({"label": np.arange(20, dtype=np.int32), "subject": "S2"})
    for length in range(len(whole)):
        with pytest.raises(InputError, match="damaged"):
            read_pickle(written(tmp_path, whole[:length]))


@pytest.mark.parametrize(
    "array",
    [
        np.array([{"a": 1}], dtype=object),
        np.array([b"text"]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
    ],
)
def test_arrays_of_anything_but_numbers_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    path = written(tmp_path, pickle.dumps({"label": array}, protocol=2))
    with pytest.raises(InputError, match="damaged"):
        read_pickle(path)


def test_a_shape_must_fit_the_data(tmp_path: Path) -> None:
    content = pickle_of_python_2({"label": np.arange(20, dtype=np.int32)})
    old, new = (b"(J" + struct.pack("<i", size) + b"t" for size in (20, 2**30))
    assert content.count(old) == 1
    with pytest.raises(InputError, match="reshape"):
        read_pickle(written(tmp_path, content.replace(old, new)))


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb: Any = "x"
    for _ in range(30):
        bomb = [bomb] * 10  # ten to the power of thirty things, in a kilobyte
    path = written(tmp_path, pickle.dumps(bomb, protocol=2))
    assert path.stat().st_size < 2000
    with pytest.raises(InputError, match="too many"):
        read_pickle(path)
    # A text of 128 bytes, named ten thousand times; and encoded as often.
    text = b"U\x80" + b"x" * 128 + b"q\x00"
    for content in (
        b"\x80\x02](" + text + b"h\x00" * 10_000 + b"e.",
        b"\x80\x02](c_codecs\nencode\nq\x01X\x80\x00\x00\x00" + b"x" * 128 + b"q\x00"
        b"X\x06\x00\x00\x00latin1q\x02" + b"h\x01h\x00h\x02\x86R" * 10_000 + b"e.",
    ):
        with pytest.raises(InputError, match="grows to more than 4 times"):
            read_pickle(written(tmp_path, content))
    monkeypatch.setattr(pickles, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="more than the 100"):
        read_pickle(path)


@pytest.mark.parametrize(
    "end",
    [
        b"cnumpy\ndtype\nh\x00\x85R.",  # its text would be asked for
        b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R.",
        b"c_codecs\nencode\nX\x01\x00\x00\x00ah\x00\x86R.",
        b"cnumpy\ndtype\nU\x02f8\x85RK\x03U\x01<h\x00\x87b.",
        b"}h\x00Ns.",  # its hash would be asked for
        b"}(h\x00Nu.",
        b"(h\x00Nd.",
    ],
)
def test_pairs_of_pairs_are_never_walked_through(tmp_path: Path, end: bytes) -> None:
    # Two to the power of 45 things, in a few hundred bytes: printing or hashing takes for ever.
    bomb = b"N" + b"q\x000h\x00h\x00\x86" * 45 + b"q\x00" + b"0"
    with pytest.raises(InputError, match="damaged"):
        read_pickle(written(tmp_path, b"\x80\x02" + bomb + end))


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_pickle(tmp_path / "no.pkl")
