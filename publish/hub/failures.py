"""What can go wrong between here and the Hub, each in one sentence that says what to do."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import UserError

TOKEN = re.compile(r"\bhf_[A-Za-z0-9_]{8,}|(?<=Bearer )\S+")
"""A Hub token, or what stands in its place in a header."""
AGAIN = "nothing is half-published; the same command goes on"


@contextmanager
def translated(repo: str) -> Iterator[None]:
    """Turn what the client raises about a repository into UserErrors. What is neither the Hub's nor the net's escapes.

    Raises:
        UserError: one sentence, in which no token stands.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        said = sentence(error, repo)
        if said is None:
            raise
        raise UserError(without_tokens(said)) from root(error)


def root(error: BaseException) -> BaseException:
    """Return what the client wrapped: a refused upload, or what stopped a download."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    wrapped = isinstance(error, LocalEntryNotFoundError) or str(error).startswith("Error while uploading")
    return root(error.__cause__) if wrapped and error.__cause__ is not None else error


def sentence(error: BaseException, repo: str) -> str | None:
    """Say what an exception of the client means for a repository; None for what is no failure of Hub, net or disk."""
    import httpx2
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    found = root(error)
    if isinstance(found, OfflineModeIsEnabled | LocalEntryNotFoundError):
        return f"{repo} is not on this machine, and the Hub may not be asked (HF_HUB_OFFLINE is set): unset it"
    if isinstance(found, HfHubHTTPError):
        return _refused(found, repo)
    if isinstance(found, httpx2.TimeoutException):
        return f"the Hub ({constants.ENDPOINT}) did not answer in time about {repo}; {AGAIN}"
    if isinstance(found, httpx2.ConnectError):
        return f"the Hub ({constants.ENDPOINT}) can't be reached: {found}; with the net back, the same command goes on"
    if isinstance(found, httpx2.TransportError):
        return f"the connection to the Hub broke off while speaking of {repo} ({found}), again and again; {AGAIN}"
    if isinstance(found, OSError) and found.errno == errno.ENOSPC:
        return f"no space is left on this machine for {repo} ({found.filename or constants.HF_HUB_CACHE}); make room"
    if isinstance(found, ValueError) and str(found).startswith(("Invalid metadata", "LFS batch API")):
        return f"the Hub refused {repo}: {_one_line(str(found))}"
    return None


def _refused(error: BaseException, repo: str) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    assert isinstance(error, HfHubHTTPError)
    if isinstance(error, GatedRepoError):
        return f"{repo} is gated: ask for access on its page first"
    if isinstance(error, RepositoryNotFoundError):
        return f"{repo} is not on the Hub, or it is private and the token may not see it; check name and token"
    if isinstance(error, RevisionNotFoundError):
        return f"{repo} has no such revision; name a tag of its own (v1, v2 …), a branch or a commit"
    if isinstance(error, EntryNotFoundError):
        return f"{repo} has not the file that was asked for: {_one_line(error.server_message or str(error))}"
    return _by_status(error.response.status_code, _one_line(error.server_message or ""), repo)


def _by_status(status: int, message: str, repo: str) -> str:
    """Say what a status means; the Hub's own words come along where they tell more."""
    says = f" (the Hub says: {message})" if message else ""
    if status == 401:
        return (
            f"the Hub takes the token no longer: it is wrong or has expired{says}; make a new one, then `hf auth login`"
        )
    if status in (402, 413, 507) or (status == 403 and re.search("storage|quota|limit|billing", message, re.I)):
        return f"no space for {repo} on the Hub{says}; free some or get more, then the same command goes on"
    if status == 403:
        return f"this token may not write to {repo}{says}; take a name of your own, or a token that may"
    if status == 409:
        return f"{repo} is taken on the Hub{says}; choose another name"
    if status == 412:
        return f"somebody else pushed to {repo} in the meantime; nothing was overwritten, the same command looks anew"
    if status == 429:
        return f"the Hub asks for fewer requests{says}; wait some minutes; {AGAIN}"
    if status >= 500:
        return f"the Hub has a failure of its own (status {status}){says}; {AGAIN}"
    return f"the Hub refused {repo} (status {status}){says}"


def without_tokens(text: str) -> str:
    """Return the text with every token crossed out: this machine's own, and all that look like one."""
    from huggingface_hub import get_token

    own = get_token()
    return TOKEN.sub("hf_…", text.replace(own, "hf_…") if own else text)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300].rstrip(".")
