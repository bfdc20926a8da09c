"""The Hub's client, kept from speaking for itself, and the check that its token will do."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from ... import __version__
from ...errors import UserError
from .patience import patiently

if TYPE_CHECKING:
    from huggingface_hub import HfApi

SPEAKS_OF_ADDRESSES = ("huggingface_hub.utils._http", "huggingface_hub.file_download")
SIGNED = re.compile(r"(https?://\S+?)\?\S+")
"""An address of the Hub's storage carries a signature that lets anyone write there for an hour."""


@contextmanager
def hub_client() -> Iterator["HfApi"]:
    """Return the client; while it is held it draws no bars, and what it logs has no signed address in it."""
    from huggingface_hub import HfApi
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    with ExitStack() as held:
        held.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", "Cannot disable progress bars")
        held.enter_context(disable_progress_bars())
        for name in SPEAKS_OF_ADDRESSES:
            logger = logging.getLogger(name)
            logger.addFilter(_without_signatures)
            held.callback(logger.removeFilter, _without_signatures)
        yield HfApi(library_name="prefloop", library_version=__version__)


def _without_signatures(record: logging.LogRecord) -> bool:
    record.msg, record.args = SIGNED.sub(r"\1", record.getMessage()), ()
    return True


def check_token(api: "HfApi", repo: str) -> None:
    """Ask the Hub who this is, before anything is uploaded. Tokens whose rights are finely cut show them only in use.

    Raises:
        UserError: there is no token, or one that may not write under this name.
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise UserError(
            "no token for the Hub was found; run `hf auth login`, or set HF_TOKEN to one of "
            "https://huggingface.co/settings/tokens that may write"
        )
    told = patiently(api.whoami)
    role = told.get("auth", {}).get("accessToken", {}).get("role")
    if role == "read":
        raise UserError(f"the token of {told['name']} may only read; to push {repo} make one that may write")
    names = [told["name"], *(org["name"] for org in told.get("orgs", []))]
    if role == "write" and repo.split("/")[0] not in names:
        raise UserError(f"{told['name']} has no right to write to {repo}; name it one of: {', '.join(names)} (…/model)")
