"""The Hub, as seen from a machine that may have no network: is it there, and what does its error mean?"""

from __future__ import annotations

import socket
import urllib.parse
import urllib.request
from collections.abc import Mapping


def hub_answers(seconds: float = 5.0) -> bool:
    """Knocks at the Hub's door, because its own client would go on trying for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    url = urllib.parse.urlsplit(constants.ENDPOINT)
    if urllib.request.getproxies().get(url.scheme):  # the way leads through a proxy: let the client find out
        return True
    try:
        with socket.create_connection((url.hostname, url.port or 443), timeout=seconds):
            return True
    except OSError:
        return False


def why(error: Exception, reasons: Mapping[type[Exception], str]) -> str:
    """Return the sentence for the first kind of error found in an error or in what has caused it.

    Args:
        error: what a library has raised.
        reasons: kind of error -> what to tell the user; the special ones first.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for kind, sentence in reasons.items():
        if any(isinstance(cause, kind) for cause in causes):
            return sentence
    return str(error)
