"""Open European Data Format files, by the library edfio."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import edfio

from realtime.errors import InputError

log = logging.getLogger(__name__)


def open_edf(path: Path) -> edfio.Edf:
    """Open an EDF or EDF+ file; of one that was cut off, the whole records.

    Raises
    ------
    InputError
        If it is absent, interrupted (EDF+D), or not EDF.
    """
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            file = edfio.read_edf(path)
        for warning in told:
            log.warning("%s: %s", path, warning.message)
        # Headers are read on demand: what is damaged shall be told here.
        for signal in file.signals:
            _ = signal.label, signal.physical_dimension, signal.sampling_frequency
            if len(set(signal.digital_range)) != 2 or len(set(signal.physical_range)) != 2:
                raise ValueError(f"signal {signal.label!r} has no range")
        if file.reserved.startswith("EDF+D"):
            raise ValueError("its recording is interrupted, EDF+D")
        _ = file.annotations
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error}; restore it") from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise InputError(
            f"{str(path)!r} is no EDF file, or damaged ({error}): restore it"
        ) from error
    return file
