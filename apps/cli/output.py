"""What commands print: one result on standard output, all else on standard error."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import sys
from collections.abc import Mapping, Set
from datetime import date
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

OWN_PACKAGES = ("realtime", "model", "calibration", "apps")


@cache
def error_console() -> Console:
    """Return the console on standard error that logs and progress bars share."""
    from rich.console import Console

    return Console(stderr=True)


def configure_logging(verbose: bool = False) -> None:
    """Send logs to standard error: ours from INFO on (DEBUG when verbose), others' warnings."""
    handler: logging.Handler
    if error_console().is_terminal:
        from rich.logging import RichHandler

        handler = RichHandler(console=error_console(), show_path=verbose, log_time_format="%X")
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for package in OWN_PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.INFO)


def emit(result: Any, as_json: bool, *renderables: RenderableType) -> None:
    """Print a command's result on standard output.

    Parameters
    ----------
    result : object
        What ``--json`` prints as one object: mappings, sequences, dataclasses, numpy arrays and
        scalars, paths; NaN and infinities become null.
    as_json : bool
    *renderables : Rich renderables
        What a person reads instead; without any, `result` line by line.
    """
    if as_json:
        text = json.dumps(plain(result), allow_nan=False)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        return
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for renderable in renderables:
        console.print(renderable)
    if not renderables:
        value = plain(result)
        if isinstance(value, dict):
            for key, entry in value.items():
                console.print(Text(f"{key}: {entry}"))
        else:
            console.print(Text(str(value)))


def plain(value: Any) -> Any:
    """Turn a result into what JSON knows; NaN and infinities become None."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, Set):
        return [plain(entry) for entry in sorted(value)]
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    # numpy arrays and scalars, torch tensors, pandas series.
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")
