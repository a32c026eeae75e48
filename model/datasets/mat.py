"""Read numeric variables of MATLAB files (up to version 7)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from realtime.errors import InputError

Shape = tuple[int | None, ...]
"""Length of each axis; None for any."""


def read_mat(
    path: Path, wanted: Mapping[str, Shape], kinds: str = "biuf"
) -> dict[str, NDArray[Any]]:
    """Read some variables of a file.

    Parameters
    ----------
    path : Path
    wanted : mapping of str to tuple
        Shape that each variable must have. A variable of one axis may be stored as a row or a
        column.
    kinds : str
        Kinds of numbers that they may be, as in numpy's `dtype.kind`; all but complex ones.

    Returns
    -------
    dict of str to ndarray of float64, or of complex128 where the file has complex numbers

    Raises
    ------
    InputError
        If the file is absent, damaged or of version 7.3, or a variable is missing, not numeric,
        or of another shape.
    """
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: restore it from its publisher")
    try:
        content = scipy.io.loadmat(path, variable_names=list(wanted))
    except NotImplementedError as error:
        raise InputError(f"{str(path)!r} is of version 7.3: save it as version 7") from error
    # A damaged file may go wrong in any way.
    except Exception as error:
        raise InputError(
            f"{str(path)!r} is no MATLAB file, or damaged ({error}): restore it"
        ) from error
    return {
        name: _checked(content.get(name), name, shape, kinds, path)
        for name, shape in wanted.items()
    }


def _checked(value: object, name: str, shape: Shape, kinds: str, path: Path) -> NDArray[Any]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in kinds:
        raise InputError(f"{str(path)!r} has no variable {name!r} of numbers: restore it")
    if len(shape) == 1 and value.ndim == 2 and 1 in value.shape:
        value = value.reshape(-1)
    fits = len(value.shape) == len(shape) and all(
        want in (None, have) for have, want in zip(value.shape, shape, strict=True)
    )
    if not fits:
        need = ", ".join("any" if one is None else str(one) for one in shape)
        raise InputError(
            f"{str(path)!r} has {name} of shape {value.shape}, needs ({need}): restore it"
        )
    return value.astype(np.complex128 if value.dtype.kind == "c" else np.float64)
