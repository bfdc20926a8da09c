"""Waiting for a Hub that is busy or out of order, for a bounded time.

The client waits by itself where it uploads, lists and downloads (six tries). It does not where it asks who one is,
makes a repository, commits or tags: those calls go through `patiently`.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from .failures import root

logger = logging.getLogger(__name__)
T = TypeVar("T")

TRIES = 5
LONGEST_WAIT = 300.0
"""Seconds; a Hub that asks for more has the user wait, not this process."""


def patiently(call: Callable[[], T]) -> T:
    """Call, and call again after 1, 2, 4 and 8 seconds, or what the Hub asks for, if that may help.

    The call must be one that may be repeated although it was heard the first time.
    """
    for tried in range(1, TRIES):
        try:
            return call()
        except Exception as error:
            wait = wanted_wait(error, 2.0 ** (tried - 1))
            if wait is None:
                raise
            logger.info("the Hub is busy or out of order; waiting %.0f s (try %d of %d)", wait, tried, TRIES)
            time.sleep(wait)
    return call()


def wanted_wait(error: BaseException, otherwise: float) -> float | None:
    """Return how long to wait before a call that failed is repeated (seconds); None where repeating can't help."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    found = root(error)
    if isinstance(found, httpx2.TransportError):
        return otherwise
    if not isinstance(found, HfHubHTTPError) or found.response.status_code not in (429, 500, 502, 503, 504):
        return None
    headers = found.response.headers
    limit = parse_ratelimit_headers(headers)
    asked = headers.get("Retry-After", "")
    wait = otherwise
    if asked.isdigit():
        wait = float(asked)
    elif limit is not None and limit.remaining == 0:
        wait = float(limit.reset_in_seconds)
    return wait if wait <= LONGEST_WAIT else None
