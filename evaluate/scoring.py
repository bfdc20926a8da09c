"""How sure somebody is, before people are asked, that an item's answer A is the better one.

Scores say which items are worth people's time (`collect/selection.py`) and, only if asked, what to suggest to them.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..collect import Item, PreferencePair
from ..models import ModelFolder
from ..runs import Progress, silent
from ..train.adapter import read_adapter
from ..train.rows import Tokens, tokenise
from .judge import JudgeSettings, outcomes_by_model
from .judges.pairs import Duel
from .measured import Measuring, measure_likelihoods
from .subject import open_trained

POINTS = {"win": 1.0, "tie": 0.5, "inconsistent": 0.5, "loss": 0.0}


def score_by_adapter(
    items: Sequence[Item],
    adapter: Path,
    base: ModelFolder,
    *,
    folder: Path,
    batch_size: int = 32,
    progress: Progress = silent,
) -> dict[str, float]:
    """Return by item id the probability, 0 to 1, that A is preferred, under the reward that the adapter implies.

    p(A) = sigmoid(beta (log-ratio of A - log-ratio of B)), where a response's log-ratio is its log-probability under
    the adapter minus that under what its training started from (Rafailov et al. 2023, arXiv 2305.18290, equations 5
    and 6), with the adapter's own beta.

    Args:
        items: What to score.
        adapter: A folder that prefloop trained.
        base: The model it was trained on.
        folder: Keeps what is measured, so that a killed scoring goes on.
        batch_size: Sequences in one forward pass.
        progress: Called with items scored, under base and adapter, and twice their number.

    Raises:
        UserError: the folder holds no whole adapter, or what it went on from is gone.
    """
    beta = read_adapter(adapter).settings.beta
    subject = open_trained(base, adapter)
    measuring, names = Measuring(subject, batch_size, folder), list({item.id: None for item in items})

    @cache
    def tokens() -> dict[str, Tokens]:
        return {item.id: tokenise(_as_pair(item), subject.tokenizer) for item in items}

    done = [0]

    def advance(count: int) -> None:
        done[0] += count
        progress(done[0], 2 * len(items))

    tuned = measure_likelihoods(measuring, "tuned", names, tokens, advance)
    plain = measure_likelihoods(measuring, "base", names, tokens, advance)
    margins = [
        (ours.chosen.logp - theirs.chosen.logp) - (ours.rejected.logp - theirs.rejected.logp)
        for ours, theirs in zip(tuned, plain, strict=True)
    ]
    return {item_id: _sigmoid(beta * margin) for item_id, margin in zip(names, margins, strict=True)}


def score_by_judge(
    items: Sequence[Item], judge: JudgeSettings, verdicts: Path, *, progress: Progress = silent
) -> dict[str, float]:
    """Return by item id 1 where the judge prefers A in both orders, 0 where B, 0.5 where it can't tell.

    Items whose verdict can't be read are missing from the result.

    Raises:
        UserError: the endpoint can't be reached or refuses; what was answered is kept in `verdicts`.
    """
    duels = [Duel(item.id, item.prompt, base=item.response_b, tuned=item.response_a) for item in items]
    outcomes = outcomes_by_model(duels, judge, verdicts, progress=progress)
    return {item_id: POINTS[outcome] for item_id, outcome in outcomes.items() if outcome != "unscored"}


def _as_pair(item: Item) -> PreferencePair:
    return PreferencePair(item.prompt, item.response_a, item.response_b, 1.0, item.id, ())


def _sigmoid(margin: float) -> float:
    # Written with tanh, which does not overflow for large margins as exp does.
    return 0.5 * (1 + math.tanh(margin / 2))
