"""Which of two answers is better: by the task check, or by a judge model that sees both orders."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from ..asking import EndpointSettings
from ..runs import Progress, silent
from .check import Marks
from .estimate import WinRate
from .judges.pairs import INSTRUCTIONS, Duel, Outcome, judge_pairs
from .statistics import Plan, estimate_share


class JudgeSettings(EndpointSettings):
    """A judge model behind any OpenAI-compatible endpoint."""

    instructions: str = INSTRUCTIONS
    """What makes an answer better for this task; part of the judge's prompt."""
    max_tokens: int = Field(default=512, gt=0)
    """The longest verdict, in tokens."""


def outcomes_by_check(base: Mapping[str, Marks], tuned: Mapping[str, Marks]) -> dict[str, Outcome]:
    """Let the answer that meets more criteria win."""

    def outcome(prompt: str) -> Outcome:
        ahead = sum(tuned[prompt].values()) - sum(base[prompt].values())
        return "win" if ahead > 0 else "loss" if ahead < 0 else "tie"

    return {prompt: outcome(prompt) for prompt in base}


def outcomes_by_model(
    duels: Sequence[Duel], settings: JudgeSettings, verdicts: Path, *, progress: Progress = silent
) -> dict[str, Outcome]:
    """Ask the judge about each duel in both orders (`judges.judge_pairs`), and keep every reply in `verdicts`.

    Raises:
        UserError: the key is missing, or the endpoint can't be reached or refuses.
    """
    return judge_pairs(
        duels,
        settings,
        verdicts,
        instructions=settings.instructions,
        max_tokens=settings.max_tokens,
        progress=progress,
    )


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
