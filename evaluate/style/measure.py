"""Both models' answers and the preferences between them in, what the win rate is made of out."""

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from statistics import fmean

from ..estimate import Comparison, Estimate, LeftOut
from ..statistics import Plan, compare, estimate_mean, estimate_share
from ..win_rate import Battle, bradley_terry, length_controlled_win_rate
from ..win_rate.length_control import FOLDS
from .compared import Compared, scaled, style_differences
from .decomposition import RESAMPLES, Decomposition, decompose
from .exact import is_right, measure_right, read_answers
from .refusals import measure_refusals, read_refusal_labels
from .result import Explained, FeatureChange, FeatureWeight, Kind, Matched, Point, StyleFindings
from .settings import StyleSettings

MATCHED = 20
"""Prompts that a rate at matched style needs."""
ALIKE = 1 / 3
"""The share of the prompts, those whose answers look most alike, on which style counts as matched."""
ONE_SIDED = 0.9
"""Where so many answers lie to one side in length, style and substance can hardly be told apart."""
RATED = 200
"""Resamples of the rate at equal style: `bradley_terry`'s own number."""
TUNED, BASE = "tuned", "base"


def measure_style(
    rows: Sequence[Compared],
    judge: str,
    settings: StyleSettings,
    plan: Plan,
    *,
    passed: tuple[Mapping[str, bool], Mapping[str, bool]] | None = None,
) -> StyleFindings | None:
    """Tell what a win rate is made of; None where not one prompt has a preference.

    Args:
        rows: One a prompt.
        judge: Who preferred: a judge model's name, `check`, or `people`.
        settings: Right answers and refusal labels, if there are any.
        plan: How intervals are made.
        passed: Whether the base's and the tuned model's answers pass the task check, by prompt id.

    Raises:
        UserError, Problems: a file of the settings can't be read.
        ValueError: a prompt comes twice.
    """
    _refuse_twins(rows)
    answers = read_answers(settings.answers) if settings.answers else {}
    labels = read_refusal_labels(settings.refusals.labels) if settings.refusals else {}
    scored = [row for row in rows if row.preference is not None]
    if not scored:
        return None
    ids, preferences = [row.prompt_id for row in scored], _preferences(scored)
    differences = style_differences(scored)
    found = decompose(preferences, differences, ids, plan)
    controlled, length_caveats = _length_controlled(scored, plan)
    raw = found.raw if found else estimate_share(preferences, ids, plan)
    return StyleFindings(
        kind=_kind(raw, found),
        judge=judge,
        prompts=len(scored),
        win_rate=raw,
        length_controlled=controlled,
        style_controlled=_style_controlled(scored, differences, plan),
        explained=_explained(found),
        features=tuple(_features(rows, plan)),
        matched=_matched(scored, differences, answers, passed, plan),
        right=measure_right(rows, answers, plan),
        refusals=measure_refusals(rows, labels, settings.refusals.pattern if settings.refusals else None, plan),
        points=tuple(_points(scored)),
        caveats=(*length_caveats, *_caveats(differences, found)),
        left_out=tuple(_left_out(rows, ids)),
    )


def _kind(raw: Estimate, found: Decomposition | None) -> Kind:
    if raw.low <= 0.5:
        return "no win"
    if found is None:
        return "can't tell yet"
    substance, style = found.balanced.low > 0.5, found.explained.low > 0
    if substance:
        return "both" if style else "substance"
    return "style" if style else "can't tell yet"


def _refuse_twins(rows: Sequence[Compared]) -> None:
    ids = [row.prompt_id for row in rows]
    twins = sorted({name for name in ids if ids.count(name) > 1}) if len(set(ids)) < len(ids) else []
    if twins:
        raise ValueError(f"prompts come twice: {', '.join(twins[:5])}; give one row for each")


def _preferences(rows: Sequence[Compared]) -> list[float]:
    return [row.preference for row in rows if row.preference is not None]


def _length_controlled(rows: Sequence[Compared], plan: Plan) -> tuple[Estimate | None, tuple[str, ...]]:
    lengths = [float(tuned.tokens - base.tokens) for base, tuned in (row.styles() for row in rows)]
    # All equal and not 0: the tuned model's answers are all longer by the same; nothing to control with.
    if len(rows) < FOLDS or (lengths[0] and len(set(lengths)) == 1):
        return None, ()
    resamples = min(plan.samples, RESAMPLES)
    found = length_controlled_win_rate(_preferences(rows), lengths, resamples=resamples, seed=plan.seed)
    caveats = tuple(_sentence(caveat) for caveat in found.caveats)
    return Estimate(found.value, found.low, found.high, len(rows), f"{found.method}, 95%"), caveats


def _sentence(caveat: str) -> str:
    return f"{caveat[0].upper()}{caveat[1:]}."


def _style_controlled(rows: Sequence[Compared], differences: Sequence[Sequence[float]], plan: Plan) -> Estimate | None:
    preferences = _preferences(rows)
    if len(rows) < FOLDS or min(preferences) == max(preferences):
        return None
    battles = [Battle(TUNED, BASE, row.preference, row.prompt_id) for row in rows]
    found = bradley_terry(battles, differences, reference=BASE, resamples=min(plan.samples, RATED), seed=plan.seed)
    rate = found.chance(TUNED, BASE)
    return Estimate(rate.value, rate.low, rate.high, len(rows), f"{found.method}, 95%")


def _explained(found: Decomposition | None) -> Explained | None:
    if found is None:
        return None
    weights = tuple(FeatureWeight(name, logits) for name, logits in found.weights)
    return Explained(found.balanced, found.explained, found.share, weights, found.guessed)


def _features(rows: Sequence[Compared], plan: Plan) -> Iterator[FeatureChange]:
    ids = [row.prompt_id for row in rows]
    styles = [row.styles() for row in rows]

    def change(name: str, base: Sequence[int], tuned: Sequence[int]) -> FeatureChange:
        changes = [float(after - before) for before, after in zip(base, tuned, strict=True)]
        return FeatureChange(name, fmean(base), fmean(tuned), estimate_mean(changes, ids, plan))

    yield change("tokens", *zip(*((base.tokens, tuned.tokens) for base, tuned in styles), strict=True))
    yield change("characters", [len(row.base) for row in rows], [len(row.tuned) for row in rows])
    yield change("headers", *zip(*((base.headers, tuned.headers) for base, tuned in styles), strict=True))
    yield change("lists", *zip(*((base.lists, tuned.lists) for base, tuned in styles), strict=True))
    yield change("bold", *zip(*((base.bold, tuned.bold) for base, tuned in styles), strict=True))


def _matched(
    rows: Sequence[Compared],
    differences: Sequence[Sequence[float]],
    answers: Mapping[str, Sequence[str]],
    passed: tuple[Mapping[str, bool], Mapping[str, bool]] | None,
    plan: Plan,
) -> Matched | None:
    """Take the prompts whose answers lie nearest to each other in style, all features in their usual size."""
    distance = [sqrt(sum(float(one) ** 2 for one in row)) for row in scaled(differences)]
    nearest = sorted(range(len(rows)), key=lambda at: (distance[at], rows[at].prompt_id))
    kept = nearest[: max(MATCHED, round(ALIKE * len(rows)))]
    if len(rows) < MATCHED / ALIKE:
        return None
    chosen = [rows[at] for at in kept]
    ids, lengths = [row.prompt_id for row in chosen], [differences[at][0] for at in kept]
    asked = [row for row in chosen if row.prompt_id in answers]
    base_right = [float(is_right(row.base, answers[row.prompt_id])) for row in asked]
    tuned_right = [float(is_right(row.tuned, answers[row.prompt_id])) for row in asked]
    return Matched(
        prompts=tuple(ids),
        length=max(abs(length) for length in lengths),
        lean=fmean(lengths),
        win_rate=estimate_share(_preferences(chosen), ids, plan),
        passed=_passed(passed, ids, plan) if passed else None,
        right=compare(base_right, tuned_right, [row.prompt_id for row in asked], plan)
        if len(asked) >= MATCHED
        else None,
    )


def _passed(passed: tuple[Mapping[str, bool], Mapping[str, bool]], ids: Sequence[str], plan: Plan) -> Comparison:
    base, tuned = passed
    return compare([float(base[name]) for name in ids], [float(tuned[name]) for name in ids], ids, plan)


def _points(rows: Sequence[Compared]) -> Iterator[Point]:
    for row, preference in zip(rows, _preferences(rows), strict=True):
        base, tuned = row.styles()
        yield Point(row.prompt_id, float(tuned.tokens - base.tokens), preference)


def _caveats(differences: Sequence[Sequence[float]], found: Decomposition | None) -> Iterator[str]:
    if found is None:
        yield "Every preference is the same, or there are too few: what style brought can't be told."
        return
    longer = fmean((row[0] > 0) + (row[0] == 0) / 2 for row in differences)
    if max(longer, 1 - longer) >= ONE_SIDED:
        word = "longer" if longer > 0.5 else "shorter"
        yield (
            f"The tuned model's answer is the {word} one in {max(longer, 1 - longer):.0%} of the prompts: style and "
            "substance nearly always point the same way, so that their parts can hardly be told apart."
        )


def _left_out(rows: Sequence[Compared], scored: Sequence[str]) -> Iterator[LeftOut]:
    missing = tuple(sorted({row.prompt_id for row in rows} - set(scored)))
    if missing:
        yield LeftOut("prompts without a preference", missing)
