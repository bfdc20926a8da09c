"""Which of two answers is better: by the task check, or by a judge model that sees both orders.

Two games with the sides swapped, and a tie when they disagree, as MT-Bench does (Zheng et al. 2023, arXiv 2306.05685,
section 3.4). A verdict that can't be read leaves the prompt unscored: never a loss, never left out silently.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..collect.item import Message, content_hash
from ..errors import UserError
from ..runs import Progress, append_line, read_lines, silent
from .check import Marks
from .report import WinRate
from .settings import JudgeSettings
from .statistics import Plan, estimate_share

if TYPE_CHECKING:
    from openai import OpenAI

Outcome = Literal["win", "tie", "loss", "inconsistent", "unscored"]
"""Tuned against base. `inconsistent` is a tie because the two orders disagreed."""
Verdict = Literal["A", "B", "C"]
Order = Literal["tuned first", "base first"]

SYSTEM = """\
You compare two answers, A and B, that two assistants gave to the same user. Judge as an impartial expert.
What counts: {instructions}
Neither the order of the answers, nor their length, nor the assistants' style of addressing you may count.
Compare them briefly. On the last line give your verdict: [[A]] if A is better, [[B]] if B is better, [[C]] for a tie.
"""

QUESTION = """\
[Conversation]
{conversation}

[Start of answer A]
{a}
[End of answer A]

[Start of answer B]
{b}
[End of answer B]"""

IN_FLIGHT = 4
"""Questions put to the endpoint at once."""


@dataclass(frozen=True, slots=True)
class Duel:
    """Both models' answers to one prompt."""

    prompt_id: str
    prompt: tuple[Message, ...]
    base: str
    tuned: str


@dataclass(frozen=True, slots=True)
class Game:
    """One question to the judge."""

    duel: Duel
    order: Order

    def messages(self, settings: JudgeSettings) -> list[dict[str, str]]:
        """Return the chat that asks it."""
        a, b = (self.duel.tuned, self.duel.base) if self.order == "tuned first" else (self.duel.base, self.duel.tuned)
        conversation = "\n\n".join(f"{message.role}: {message.content}" for message in self.duel.prompt)
        return [
            {"role": "system", "content": SYSTEM.format(instructions=settings.instructions)},
            {"role": "user", "content": QUESTION.format(conversation=conversation, a=a, b=b)},
        ]

    def key(self, settings: JudgeSettings) -> str:
        """Return the hash of everything the verdict depends on."""
        return content_hash([settings.base_url, settings.model, settings.max_tokens, self.messages(settings)])


def parse_verdict(text: str) -> Verdict | None:
    """Read the last `[[A]]`, `[[B]]` or `[[C]]`; None when there is none.

    The last, not the first as in FastChat: judges like to repeat the instructions before they follow them.
    """
    found = re.findall(r"\[\[([ABC])\]\]", text)
    return found[-1] if found else None


def settle(tuned_first: Verdict | None, base_first: Verdict | None) -> Outcome:
    """Turn the verdicts of both orders into an outcome."""
    if tuned_first is None or base_first is None:
        return "unscored"
    first: Outcome = {"A": "win", "B": "loss", "C": "tie"}[tuned_first]  # type: ignore[assignment]
    second: Outcome = {"A": "loss", "B": "win", "C": "tie"}[base_first]  # type: ignore[assignment]
    return first if first == second else "inconsistent"


def outcomes_by_check(base: Mapping[str, Marks], tuned: Mapping[str, Marks]) -> dict[str, Outcome]:
    """Let the answer that meets more criteria win."""

    def outcome(prompt: str) -> Outcome:
        ahead = sum(tuned[prompt].values()) - sum(base[prompt].values())
        return "win" if ahead > 0 else "loss" if ahead < 0 else "tie"

    return {prompt: outcome(prompt) for prompt in base}


def outcomes_by_model(
    duels: Sequence[Duel], settings: JudgeSettings, verdicts: Path, *, progress: Progress = silent
) -> dict[str, Outcome]:
    """Ask the judge about each duel in both orders, and keep every verdict in `verdicts` (JSON lines).

    A verdict that is already there is not asked for again, and equal answers are a tie without asking.

    Raises:
        UserError: the key is missing, or the endpoint can't be reached or refuses.
    """
    asked = [duel for duel in duels if duel.base != duel.tuned]
    games = {
        game.key(settings): game for duel in asked for game in (Game(duel, "tuned first"), Game(duel, "base first"))
    }
    texts = {row["key"]: row["text"] for row in read_lines(verdicts) if row["key"] in games}
    owed = {key: game for key, game in games.items() if key not in texts}
    progress(len(texts), len(games))
    for row in _ask_all(owed, settings) if owed else ():
        append_line(verdicts, row)
        texts[str(row["key"])] = str(row["text"])
        progress(len(texts), len(games))

    def verdict(duel: Duel, order: Order) -> Verdict | None:
        return parse_verdict(texts[Game(duel, order).key(settings)])

    same: dict[str, Outcome] = {duel.prompt_id: "tie" for duel in duels}
    return same | {duel.prompt_id: settle(verdict(duel, "tuned first"), verdict(duel, "base first")) for duel in asked}


def measure_wins(judge: str, outcomes: Mapping[str, Outcome], plan: Plan) -> WinRate | None:
    """Add up outcomes by prompt; None when not one prompt could be scored."""
    points = {"win": 1.0, "tie": 0.5, "inconsistent": 0.5, "loss": 0.0}
    scored = {prompt: points[outcome] for prompt, outcome in outcomes.items() if outcome != "unscored"}
    if not scored:
        return None
    counts = list(outcomes.values())
    return WinRate(
        judge=judge,
        rate=estimate_share(list(scored.values()), list(scored), plan),
        wins=counts.count("win"),
        ties=counts.count("tie") + counts.count("inconsistent"),
        losses=counts.count("loss"),
        unscored=counts.count("unscored"),
        inconsistent=counts.count("inconsistent"),
    )


def _ask_all(owed: Mapping[str, Game], settings: JudgeSettings) -> Iterator[dict[str, object]]:
    from openai import OpenAI

    with (
        OpenAI(base_url=settings.base_url, api_key=_api_key(settings), max_retries=4, timeout=120) as client,
        ThreadPoolExecutor(IN_FLIGHT) as pool,
    ):
        asked = [pool.submit(_ask, client, settings, key, game) for key, game in owed.items()]
        try:
            for answered in as_completed(asked):
                yield answered.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _api_key(settings: JudgeSettings) -> str:
    if settings.api_key_env is None:
        return "none"  # local servers want no key, the client insists on one
    key = os.environ.get(settings.api_key_env)
    if not key:
        raise UserError(f"the judge needs a key: set the environment variable {settings.api_key_env} and run again")
    return key


def _ask(client: "OpenAI", settings: JudgeSettings, key: str, game: Game) -> dict[str, object]:
    from openai import APIConnectionError, APIStatusError

    try:
        reply = client.chat.completions.create(
            model=settings.model,
            messages=game.messages(settings),  # type: ignore[arg-type]
            temperature=0,
            max_tokens=settings.max_tokens,
        )
    except APIConnectionError as error:
        raise UserError(
            f"the judge at {settings.base_url} can't be reached ({type(error).__name__}); start it or mend base_url, "
            "then run again: no verdict so far is lost"
        ) from error
    except APIStatusError as error:
        raise UserError(
            f"the judge at {settings.base_url} refused (HTTP {error.status_code}, model {settings.model!r}): "
            f"{error.message[:300]}"
        ) from error
    return {
        "key": key,
        "prompt_id": game.duel.prompt_id,
        "order": game.order,
        "judge": settings.model,
        "text": reply.choices[0].message.content or "",
        "tokens": reply.usage.total_tokens if reply.usage else None,
    }
