"""What a try-out says, in words that need no statistics."""

from collections.abc import Iterator
from math import ceil

from ...evaluate.estimate import Estimate
from ...evaluate.statistics import Decision
from ...evaluate.words import percent, points
from .ranking import Ranked, Ranking, What
from .result import Tried, TryOut

FEW = 20
"""Below so many examples a try-out shows only large differences."""
WHAT: dict[What, str] = {
    "right": "answers right",
    "judged": "points against the others",
    "preferred": "finds the good answer likelier",
}
NOTHING = (
    "Nothing was scored: the examples name no right answers, no checks and no good and bad answers, and no judge was "
    "asked. The answers stand side by side for your own eyes."
)


def headline(found: TryOut) -> str:
    """Name the model for the job, or say that the examples don't tell."""
    ranking = found.ranking
    if ranking is None:
        return "Not scored" if len(found.examples) > 1 or not _scorable(found) else "One example can't rank"
    if len(ranking.rows) == 1:
        return f"{ranking.rows[0].name}, alone"
    if level(ranking):
        return "All level"
    if not undecided(ranking):
        return f"{ranking.rows[0].name} is the best"
    return f"{ranking.rows[0].name} is ahead, not yet surely"


def summary(found: TryOut) -> str:
    """Say it in two or three sentences."""
    ranking = found.ranking
    if ranking is None:
        return "With one scored example nobody can be ranked." if _scorable(found) else NOTHING
    best = ranking.rows[0]
    every = ranking.examples == len(found.examples)
    on = (
        f"On your {ranking.examples} examples"
        if every
        else f"On {ranking.examples} of your {len(found.examples)} examples"
    )
    text = f"{on} {best.name} has {measured(ranking, best)}."
    if len(ranking.rows) == 1:
        return text
    open_rows = undecided(ranking)
    if level(ranking):
        return f"{on} all models have {measured(ranking, best)}. {_smallest(found, open_rows)}".strip()
    if not open_rows:
        if ranking.comparisons == 1:
            return f"{text} The other model is worse."
        return f"{text} Every other model is worse, after correction for {ranking.comparisons} comparisons."
    names = _listed([row.name for row in open_rows])
    told = [f"Whether it is better than {names} can't be told yet.", _more(open_rows), _smallest(found, open_rows)]
    return " ".join([text, *(sentence for sentence in told if sentence)])


def measured(ranking: Ranking, row: Ranked) -> str:
    """Write a candidate's share with its interval and what it is of."""
    return f"{share(row.share)} {WHAT[ranking.what]}"


def share(estimate: Estimate) -> str:
    """Write a share with its interval in whole per cent."""
    return f"{percent(estimate.value)} ({percent(estimate.low)} to {percent(estimate.high)})"


def ranks(row: Ranked) -> str:
    """Write the ranks that are open."""
    return f"{row.rank_low}" if row.rank_low == row.rank_high else f"{row.rank_low} to {row.rank_high}"


def against_best(row: Ranked) -> str:
    """Say how a candidate stands to the leader."""
    if row.to_best is None:
        return ""
    decision = row.to_best
    found = decision.difference
    value = (
        f"{points(found.value)} ({points(found.low)} to {points(found.high)})"
        if abs(found.low) < 9
        else points(found.value)
    )
    return f"{value}: {decision.verdict}{_needs(decision)}"


def level(ranking: Ranking) -> bool:
    """Whether no candidate is ahead of any other."""
    return all(row.rank == 1 for row in ranking.rows)


def undecided(ranking: Ranking) -> list[Ranked]:
    """Return the candidates that are not shown to be worse than the leader."""
    return [row for row in ranking.rows[1:] if row.to_best is None or row.to_best.verdict != "worse"]


def caveats(found: TryOut) -> tuple[str, ...]:
    """List what a reader must know before choosing."""
    return tuple([*_about_data(found), *_about_size(found), *_about_measures(found), *_about_answers(found)])


def size_words(tried: Tried) -> str:
    """Write parameters and bytes."""
    if tried.parameters is None or tried.size is None:
        return "not known"
    megabytes = f"{tried.size / 1e6:,.0f}" if tried.size >= 1e7 else f"{tried.size / 1e6:.2g}"
    return f"{count_words(tried.parameters)} parameters, {megabytes} MB"


def count_words(count: int) -> str:
    """Write a large count with three digits: 135M, 7.24B."""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return str(count)


def seconds_words(seconds: float) -> str:
    """Write a time with two digits."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _needs(decision: Decision) -> str:
    if decision.verdict != "can't tell yet" or decision.more_items is None:
        return ""
    return f"; about {_rounded(decision.more_items):,} more examples would"


def _more(rows: list[Ranked]) -> str:
    needed = [row.to_best.more_items for row in rows if row.to_best is not None and row.to_best.more_items is not None]
    level = [row.name for row in rows if row.to_best is not None and not row.to_best.difference.value]
    told = []
    if needed:
        least, most = _rounded(min(needed)), _rounded(max(needed))
        much = f"about {least:,}" if least == most else f"between about {least:,} and {most:,}"
        told.append(f"If what was seen is the true difference, {much} more examples would tell.")
    if level:
        told.append(f"No difference to {_listed(level)} was seen at all, and no number of examples shows one of 0.")
    return " ".join(told)


def _smallest(found: TryOut, rows: list[Ranked]) -> str:
    best = found.ranking.rows[0].name if found.ranking else ""
    weights = {one.name: one.parameters for one in found.candidates if one.parameters is not None}
    level = [name for name in [best, *(row.name for row in rows)] if name in weights]
    if len(level) < 2:
        return ""
    least = min(level, key=lambda name: weights[name])
    if weights[least] >= max(weights[name] for name in level):
        return ""
    return f"Of the models that may be the best, {least} is the smallest ({count_words(weights[least])} parameters)."


def _about_data(found: TryOut) -> Iterator[str]:
    unknown = [one.name for one in found.candidates if one.trained_on is None]
    for one in found.candidates:
        if one.trained_on:
            yield (
                f"{one.name} was trained on {_so_many(one.trained_on)} of these examples "
                f"({_listed(list(one.trained_on[:5]))}{', …' if len(one.trained_on) > 5 else ''}): they flatter it."
            )
        if one.measured_on:
            yield (
                f"{_so_many(one.measured_on).capitalize()} of these examples are in the sealed set of {one.name}: not "
                "trained on, but its published numbers rest on them."
            )
    if unknown:
        yield (
            f"Nobody says which prompts {_listed(unknown)} {'was' if len(unknown) == 1 else 'were'} trained on, so "
            "these examples may be among them."
        )
    if len(unknown) < len(found.candidates):
        yield "Training prompts are compared whole, system messages included; one in other words isn't found."


def _about_size(found: TryOut) -> Iterator[str]:
    if len(found.examples) < FEW:
        yield f"{len(found.examples)} examples show only large differences."
    for ranking in found.rankings:
        if ranking.left_out:
            yield (
                f"{len(ranking.left_out)} examples could not be scored for every model and are in no comparison of "
                f"“{WHAT[ranking.what]}”."
            )


def _about_measures(found: TryOut) -> Iterator[str]:
    if found.judged is not None:
        yield (
            f"{found.judged.judge} judged pairs of answers in both orders. A judge's opinion is not your users' "
            "opinion, and most judges like long answers."
        )
        yield from found.judged.caveats
    if any(ranking.what == "preferred" for ranking in found.rankings):
        yield (
            "Finding the good answer likelier than the bad one (per token) says what a model prefers, not what it "
            "writes."
        )
    bare = sum(not example.right for example in found.examples)
    if found.ranking is not None and found.ranking.what == "right" and bare:
        yield f"{bare} examples name no right answer and are not in the ranking."
    leaders = {ranking.what: {row.name for row in ranking.rows if row.rank == 1} for ranking in found.rankings}
    if leaders and not set.intersection(*leaders.values()):
        said = "; ".join(f"{WHAT[what]}: {_listed(sorted(names))}" for what, names in leaders.items())
        yield f"The measurements don't agree on who is ahead ({said})."


def _about_answers(found: TryOut) -> Iterator[str]:
    cut = [f"{one.cut} of {one.name}" for one in found.candidates if one.cut]
    if cut:
        yield (
            f"Answers were cut off at {found.settings.max_new_tokens} tokens: {_listed(cut)}; a larger "
            "--max-new-tokens lets them end."
        )
    if len({one.kind == "endpoint" for one in found.candidates}) > 1:
        yield (
            "Times of models on this machine and behind endpoints don't compare: here a batch is shared out, there it "
            "is the whole call, network included."
        )


def _scorable(found: TryOut) -> bool:
    return found.judged is not None or any(each.right or each.prefers_good for each in found.examples)


def _so_many(ids: tuple[str, ...]) -> str:
    return "one" if len(ids) == 1 else str(len(ids))


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _rounded(count: int) -> int:
    """Round up to two digits: nobody knows it better."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return ceil(count / step) * step
