"""Personal data and secrets in texts, by their form: what they are and where, never what they say.

Phone numbers are recognised by phonenumbers (Google's libphonenumber), keys and tokens by detect-secrets, the check
digits of cards and IBANs by python-stdnum. Nothing here asks a network or a model, so names, addresses, birthdays and
everything else that only a reader would recognise is NOT found. docs/sealing.md lists what is and is not.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal

from ...errors import UserError
from ..vote import Vote
from .contamination import Text

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

PersonalAction = Literal["off", "flag", "block"]
Kind = Literal["e-mail address", "phone number", "card number", "IBAN", "IP address", "key or token"]
NEEDED = ("phonenumbers", "stdnum", "detect_secrets")

_MAIL = re.compile(r"(?<![\w.+-])[\w.+%-]+@(?:[\w-]+\.)+[^\W\d_]{2,}(?!\w)")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){14,18}(?![\w-])")
_ISSUER = re.compile(r"4\d{15}(?:\d{3})?|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|(?:6011|65\d\d|35\d\d)\d{12}")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_IP = re.compile(r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?![\w:]|\.\d)")
# By form alone: those that go by entropy, or by the word before them, would flag ordinary text.
_SECRETS = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "private_key": "PrivateKeyDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}


@dataclass(frozen=True, slots=True)
class Personal:
    """So many of a kind in one text. The values themselves are kept nowhere."""

    id: str
    """The item, pair or vote."""
    part: str
    kind: Kind
    count: int


def find_personal(texts: Sequence[Text]) -> list[Personal]:
    """Find personal data and secrets.

    Phone numbers count when they are valid: with a country code anywhere, without one as in North America.

    Raises:
        UserError: the packages of the extra `pii` are not installed.
    """
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        raise UserError(f'looking for personal data needs {", ".join(missing)}: pip install "prefloop[pii]"')
    counts = Counter((row.owner, row.part, kind) for row in texts for kind in _kinds(row.text))
    return [Personal(owner, part, kind, count) for (owner, part, kind), count in sorted(counts.items())]


def vote_texts(votes: Sequence[Vote]) -> list[Text]:
    """Return what annotators wrote themselves."""
    return [
        Text(vote.id, part, text)
        for vote in votes
        for part, text in (("critique", vote.critique), ("edit", vote.edit))
        if text
    ]


def _kinds(text: str) -> Iterator[Kind]:
    """Yield the kind of each value found."""
    looks: dict[Kind, Callable[[str], int]] = {
        "e-mail address": lambda one: len(_MAIL.findall(one)),
        "phone number": _phones,
        "card number": _cards,
        "IBAN": _ibans,
        "IP address": _addresses,
        "key or token": _secrets,
    }
    for kind, count in looks.items():
        yield from [kind] * count(text)


def _phones(text: str) -> int:
    from phonenumbers import Leniency, PhoneNumberMatcher

    return sum(1 for _ in PhoneNumberMatcher(text, "US", Leniency.STRICT_GROUPING))


def _cards(text: str) -> int:
    from stdnum import luhn

    found = (re.sub("[ -]", "", match[0]) for match in _CARD.finditer(text))
    return sum(bool(_ISSUER.fullmatch(digits)) and luhn.is_valid(digits) for digits in found)


def _ibans(text: str) -> int:
    from stdnum import iban

    return sum(iban.is_valid(match[0]) for match in _IBAN.finditer(text))


def _addresses(text: str) -> int:
    return sum(_is_address(match[0]) for match in _IP.finditer(text))


def _is_address(text: str) -> bool:
    try:
        return not (address := ip_address(text)).is_unspecified and not address.is_loopback
    except ValueError:
        return False


def _secrets(text: str) -> int:
    return len({value for line in text.split("\n") for plugin in _plugins() for value in plugin.analyze_string(line)})


@cache
def _plugins() -> "tuple[BasePlugin, ...]":
    from importlib import import_module

    # `analyze_string` only looks; it is detect-secrets' `verify` that would try a key out.
    return tuple(vars(import_module(f"detect_secrets.plugins.{module}"))[name]() for module, name in _SECRETS.items())
