"""A run of MT-Bench in sentences: never a number without its interval, judge, and count of what is missing."""

from ...collect.intervals import Figure
from .pairs import PairRow
from .result import MtBench, ScoreDifference
from .scores import MeanScore


def headline(found: MtBench) -> str:
    """Say in one sentence which model is better, or that it can't be told."""
    if found.tuned is None:
        score = score_words(_scores(found)[found.base])
        return f"{found.base}: {score} of 10 by {found.judge}, on {found.questions} questions."
    whole = next((one for one in found.differences if one.category is None), None)
    if whole is not None:
        which = _better(whole.low, whole.high, 0.0)
        return f"By {found.judge}'s ratings the tuned model is {which}: {change_words(whole)}."
    row = _whole_pair(found)
    if row is not None and row.adjusted is not None:
        which, rate = _better(row.adjusted.low, row.adjusted.high, 0.5), rate_words(row.adjusted)
        return f"By {found.judge}'s choice the tuned model is {which}: it wins {rate} of its comparisons, ties as half."
    return f"{found.judge} gave too few readable judgments to say which model is better."


def words(found: MtBench) -> tuple[str, ...]:
    """Return the headline and everything a reader must know beside it."""
    said = [headline(found)]
    said += [
        f"{model}: {score_words(score)} of 10, {score.scored} turns of {score.questions} questions rated, "
        f"{score.unscored} unscored."
        for model, score in _scores(found).items()
    ]
    if row := _whole_pair(found):
        said.append(_pair_words(row))
    said += [f"{len(entry.ids)} {entry.reason}: {_some(entry.ids)}." for entry in found.left_out]
    said += [
        f"{each.cut} of {each.answered} answers of {each.model} ran into the longest answer allowed."
        for each in found.models
        if each.cut
    ]
    if len(found.judge_revisions) > 1:
        said.append(f"The judge changed during the run: {', '.join(found.judge_revisions)}.")
    said += [f"{count} times in the judge's record: {what}." for what, count in found.suspicions]
    said.append(_cost_words(found))
    return tuple(said)


def score_words(score: MeanScore) -> str:
    """Write a mean rating with its interval."""
    if score.value is None:
        return "no rating"
    if score.low is None or score.high is None:
        return f"{score.value:.2f} (one question: no interval)"
    return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})"


def change_words(difference: ScoreDifference) -> str:
    """Write a difference of ratings with its interval."""
    return f"{difference.value:+.2f} points ({difference.low:+.2f} to {difference.high:+.2f})"


def rate_words(rate: Figure) -> str:
    """Write a share with its interval."""
    return f"{100 * rate.value:.0f}% ({100 * rate.low:.0f}% to {100 * rate.high:.0f}%)"


def _scores(found: MtBench) -> dict[str, MeanScore]:
    return {row.model: row.score for row in found.scores if row.turn is None and row.category is None}


def _whole_pair(found: MtBench) -> PairRow | None:
    return next((row for row in found.pairs if row.turn is None and row.category is None), None)


def _pair_words(row: PairRow) -> str:
    counts = f"{row.wins} wins, {row.ties} ties ({row.inconsistent} where the two orders disagree), {row.losses} losses"
    order = f"; of those {row.shown_first} for whatever came first" if row.inconsistent else ""
    rate = f"{rate_words(row.adjusted)} with ties as half" if row.adjusted else "no readable comparison"
    return f"Tuned against base, both orders: {rate}; {counts}{order}; {row.unscored} unscored."


def _better(low: float, high: float, middle: float) -> str:
    return "better" if low > middle else "worse" if high < middle else "neither better nor worse as far as one can tell"


def _some(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")


def _cost_words(found: MtBench) -> str:
    tokens = f", {found.input_tokens:,} tokens in and {found.output_tokens or 0:,} out" if found.input_tokens else ""
    price = f", at a price of {found.price:.2f}" if found.price is not None else ""
    return f"The judge was asked {found.asked} questions{tokens}{price}."
