"""The error that a user can mend."""

from __future__ import annotations


class InputError(ValueError):
    """Input that a user gave and can correct.

    The message is one sentence that quotes the offending value and says what to do. The command
    line prints it to standard error and exits with status 2.
    """
