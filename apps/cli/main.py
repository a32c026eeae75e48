"""The command ``affectstream``: finds the subcommand, and turns errors into exit statuses.

Only the module of the subcommand that was asked for is imported, so that help comes at once and
a light command loads neither torch nor Qt.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import io
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from apps.cli.output import configure_logging
from apps.processes import end_with_parent
from realtime.errors import InputError

NAME = "affectstream"
COMMANDS = {
    "demo": "A simulated person, real LSL streams, the shipped model, the dashboard.",
    "simulate": "A simulated person's LSL streams.",
    "camera": "A webcam's faces as LSL streams.",
    "streams": "What is on the network, or in a recording, and what it would be bound to.",
    "run": "Watch people live, without a screen.",
    "monitor": "The dashboard: start an engine, or attach to one.",
    "replay": "Play a recording as LSL streams.",
    "score": "Recordings through the engine, as fast as they go.",
    "calibrate": "Fit the model to one person, from rated trials.",
    "artefacts": "What takes blinks and muscles out of one person's EEG.",
    "profile": "What calibration learned of each person: list, show, export, import, forget.",
    "train": "Train a checkpoint.",
    "evaluate": "Run a protocol over models.",
    "ablate": "MPCL beside itself with a part changed, as in the paper's tables.",
    "sweep": "Search for MPCL's settings, without a look at what is tested.",
    "bench": "Is this computer fast enough: the cost of a second of data, beside NeuroKit2's.",
    "doctor": "Check libraries, Qt, LSL discovery, firewall, GPU.",
}
"""Subcommand to its line in the help; each is the function of its name in its own module."""

logger = logging.getLogger(__name__)


def installed_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return importlib.metadata.version(NAME)
    except importlib.metadata.PackageNotFoundError:
        return "unknown (run from a folder that was never installed)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status.

    0: done. 1: the work failed. 2: wrong usage or bad input. 130: interrupted. Every failure is
    one sentence on standard error; ``--verbose`` adds the traceback.
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        # A Windows console may lack µ or ×; that must not end a session.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Read here as well, since a command's module may fail before its options are known.
    configure_logging(verbose=not {"-v", "--verbose"}.isdisjoint(words))
    end_with_parent()
    try:
        result = _application(words)(args=words, prog_name=NAME, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except InputError as error:
        logger.debug("bad input", exc_info=True)
        return _fail(str(error), 2)
    except Exception as error:
        # Typer's errors of usage are the only ones that can format themselves.
        if hasattr(error, "format_message"):
            see = " ".join([NAME, *_command(words), "--help"])
            message = error.format_message().strip().rstrip(".") + _given(error, words)
            return _fail(f"{message}: see `{see}`", 2)
        logger.debug("failed", exc_info=True)
        return _fail(f"{type(error).__name__}: {error}", 1)
    return int(result) if isinstance(result, int) else 0


def _application(words: Sequence[str]) -> typer.Typer:
    """Build the Typer application, with only the named command's own parameters."""
    application = typer.Typer(
        name=NAME,
        help="Live distributions over emotions from wearable sensors, through LSL.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_options)
    asked = _command(words)
    for name, line in COMMANDS.items():
        if name in asked:
            module = importlib.import_module(f"apps.cli.{name}")
            application.command(name)(_with_verbose(getattr(module, name)))
        else:
            application.command(name, help=line)(_nothing)
    return application


def _command(words: Sequence[str]) -> list[str]:
    """Return the subcommand of a command line as a list of one, or none."""
    named = next((word for word in words if not word.startswith("-")), None)
    return [named] if named in COMMANDS else []


def _given(error: Exception, words: Sequence[str]) -> str:
    """Return the value that Typer's message of a bad option leaves out, if it does."""
    options = getattr(getattr(error, "param", None), "opts", ())
    for word, after in zip(words, [*words[1:], ""], strict=True):
        name, sign, value = word.partition("=")
        if name in options and name.startswith("-"):
            given = value if sign else after
            return f", not {given!r}" if given and given not in str(error) else ""
    return ""


Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log more; show where an error came from.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"{NAME} {installed_version()}\n")
        raise typer.Exit()


def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    pass


def _nothing() -> None:
    """Stand in for a command that the command line does not name."""


def _with_verbose(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take ``--verbose``, which `main` has acted on, after its own name too."""
    signature = inspect.signature(function, eval_str=True)
    extra = inspect.Parameter(
        "verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Verbose
    )
    parameters = [*signature.parameters.values(), extra]

    @functools.wraps(function)
    def command(verbose: bool = False, **values: Any) -> Any:
        return function(**values)

    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{NAME}: {' '.join(message.split())}\n")
    return status
