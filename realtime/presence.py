"""Whether the outlet of a stream is on the network, asked afresh."""

from __future__ import annotations

from typing import Literal

import pylsl

Presence = Literal["there", "gone", "changed"]

_SECONDS = 0.6  # s that a search takes at most: two waves of queries


def find_outlet(handle: pylsl.StreamInfo) -> Presence:
    """Search the network for a stream's outlet; blocks for up to 1.2 s.

    Parameters
    ----------
    handle : pylsl.StreamInfo
        The stream as a resolver described it.

    Returns
    -------
    str
        ``"there"`` if an outlet of the stream's identity and shape answers, ``"changed"`` if only
        ones of another shape do (an inlet cannot recover to those), ``"gone"`` if none does.
    """
    identity = {
        "source_id": handle.source_id(),
        "name": handle.name(),
        "type": handle.type(),
    }
    unquotable = any("'" in value and '"' in value for value in identity.values())
    if unquotable or not identity["source_id"]:
        # Without an id only this very outlet counts.
        return "there" if pylsl.resolve_byprop("uid", handle.uid(), 1, _SECONDS) else "gone"
    query = " and ".join(
        f'{key}="{value}"' if "'" in value else f"{key}='{value}'"
        for key, value in identity.items()
    )
    # The answer to the first query may come from one of several outlets: ask for a second one
    # before a change is believed.
    for minimum in (1, 2):
        found = pylsl.resolve_bypred(query, minimum, _SECONDS)
        if not found:
            return "gone"
        if any(
            other.channel_count() == handle.channel_count()
            and other.channel_format() == handle.channel_format()
            for other in found
        ):
            return "there"
    return "changed"
