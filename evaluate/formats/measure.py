"""The same questions asked in every wording, of one model or of base and tuned; each wording's answers are kept."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ...collect.item import content_hash
from ...runs import Progress, read_json, silent, write_json
from ..estimate import LeftOut
from ..statistics import Plan, decide_all, estimate_share, paired_difference
from ..subject import Subject, Who
from ..tasks.harness import silenced, wrap_model
from ..tasks.measure import PACKAGES
from .questions import read_questions
from .result import Flips, Formats, Spread, Variant
from .settings import FormatsSettings
from .spread import spread
from .wordings import Prompt, Wording, word, wordings_for

Scores = dict[Who, dict[str, list[float]]]
"""By model and wording: 1 or 0 a question."""


def audit_formats(settings: FormatsSettings, models: Subject, folder: Path, *, progress: Progress = silent) -> Formats:
    """Ask the same multiple-choice questions in several wordings, and say how far the score depends on them.

    An answer by letter is the likeliest letter; an answer by text is the likeliest text by character (lm-eval's
    `acc_norm`), as the texts differ in length.

    Args:
        settings: Which questions.
        models: Of `open_subject`.
        folder: Keeps what was measured, by wording and model; called again it goes on.
        progress: Called with wordings' sequences scored, and how many there are.

    Raises:
        UserError: the questions can't be read.
    """
    start = time.monotonic()
    asked = read_questions(settings, folder / "data")
    wordings = wordings_for(asked.questions, chat=models.chat_template is not None)
    tokenizer: Any = models.tokenizer
    prompts = {one.name: [_prompt(question, one, tokenizer) for question in asked.questions] for one in wordings}
    kept, cut = _readable(prompts, tokenizer, models.context)
    asked_now = {name: [rows[number] for number in kept] for name, rows in prompts.items()}
    questions = [asked.questions[number] for number in kept]
    scores = _measure(settings, models, folder, asked_now, [question.answer for question in questions], progress)
    clusters = [asked.clusters[number] for number in kept]
    names = [one.name for one in wordings]
    spreads = {who: _spread(table, names, clusters, settings) for who, table in scores.items()}
    return Formats(
        data=asked.name,
        data_sha256=asked.sha256,
        questions=len(kept),
        models=tuple(models.identity(who) for who in models.sides),
        variants=_variants(scores, asked_now, clusters, settings),
        base=spreads["base"],
        tuned=spreads.get("tuned"),
        flips=_flips(scores, clusters, settings) if "tuned" in scores else None,
        left_out=(*asked.left_out, *_left_out(cut, models.context)),
        settings=settings.model_dump(mode="json"),
        confidence=settings.confidence,
        seconds=round(time.monotonic() - start, 1),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _prompt(question: Any, wording: Wording, tokenizer: Any) -> Prompt:
    found = word(question, wording)
    if not wording.chat:
        return found
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": found.context}], tokenize=False, add_generation_prompt=True
    )
    # After the template's own line break nothing stands between it and the answer.
    return Prompt(str(said), tuple(text.lstrip() for text in found.continuations), found.order)


def _readable(prompts: dict[str, list[Prompt]], tokenizer: Any, context: int) -> tuple[list[int], list[int]]:
    """Return the questions that the model can read in every wording, and the others."""
    count = len(next(iter(prompts.values())))
    cut = [
        number
        for number in range(count)
        if any(_too_long(rows[number], tokenizer, context) for rows in prompts.values())
    ]
    return [number for number in range(count) if number not in cut], cut


def _too_long(prompt: Prompt, tokenizer: Any, context: int) -> bool:
    longest = prompt.context + max(prompt.continuations, key=len)
    return len(longest.encode()) > context and len(tokenizer(longest)["input_ids"]) > context


def _left_out(cut: list[int], context: int) -> list[LeftOut]:
    reason = f"questions longer in some wording than the context of {context} tokens"
    return [LeftOut(reason, tuple(map(str, cut)))] if cut else []


def _measure(
    settings: FormatsSettings,
    models: Subject,
    folder: Path,
    prompts: dict[str, list[Prompt]],
    answers: list[int],
    progress: Progress,
) -> Scores:
    paths = {
        (who, name): _path(folder, models, settings, who, rows)
        for name, rows in prompts.items()
        for who in models.sides
    }
    found = {place: read_json(path)["scores"] for place, path in paths.items() if path.exists()}
    owed = [place for place in paths if place not in found]
    if owed:
        total = sum(len(row.continuations) for _, name in owed for row in prompts[name])
        done = 0
        for who, name in owed:
            with models.as_(who) as model:
                found[who, name] = _ask(model, models.tokenizer, prompts[name], answers, settings.batch_size)
            write_json(paths[who, name], {"wording": name, "who": who, "scores": found[who, name]})
            done += sum(len(row.continuations) for row in prompts[name])
            progress(done, total)
    return {who: {name: found[who, name] for name in prompts} for who in models.sides}


def _path(folder: Path, models: Subject, settings: FormatsSettings, who: Who, rows: list[Prompt]) -> Path:
    texts = [[row.context, row.continuations, row.order] for row in rows]
    key = content_hash([models.key(who), settings.batch_size, [version(name) for name in PACKAGES], texts])
    return folder / "wordings" / f"{key}.json"


def _ask(model: Any, tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[int], batch_size: int) -> list[float]:
    """Return 1 for each question whose right choice is the likeliest, else 0."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance("loglikelihood", {}, (prompt.context, text), index)
        for prompt in prompts
        for index, text in enumerate(prompt.continuations)
    ]
    wrapped = wrap_model(model, tokenizer, batch_size, lambda done: None)
    with silenced():
        said = iter(wrapped.loglikelihood(requests))
    return [
        _right(prompt, [next(said)[0] for _ in prompt.continuations], answer)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]


def _right(prompt: Prompt, likelihoods: Sequence[float], answer: int) -> float:
    """Score by character, as lm-eval's `acc_norm` does: letters are all of one length."""
    texts = prompt.continuations
    scaled = [value / max(1, len(text.strip())) for value, text in zip(likelihoods, texts, strict=True)]
    return float(prompt.order[scaled.index(max(scaled))] == answer)


def _spread(
    table: dict[str, list[float]], names: Sequence[str], clusters: Sequence[str], settings: FormatsSettings
) -> Spread:
    return spread(
        [table[name] for name in names],
        names,
        clusters,
        resamples=settings.resamples,
        confidence=settings.confidence,
        seed=settings.seed,
    )


def _decisions(scores: Scores, clusters: Sequence[str], settings: FormatsSettings) -> dict[str, Any]:
    if "tuned" not in scores:
        return {}
    grouped = clusters if 1 < len(set(clusters)) < len(clusters) else None
    differences = {
        name: paired_difference(scores["tuned"][name], scores["base"][name], grouped, confidence=settings.confidence)
        for name in scores["base"]
    }
    return decide_all(differences)


def _variants(
    scores: Scores, prompts: dict[str, list[Prompt]], clusters: Sequence[str], settings: FormatsSettings
) -> tuple[Variant, ...]:
    plan = Plan(settings.resamples, settings.confidence, settings.seed, "questions")
    decisions = _decisions(scores, clusters, settings)
    tuned = scores.get("tuned")
    return tuple(
        Variant(
            name,
            prompts[name][0].context + prompts[name][0].continuations[0],
            estimate_share(values, clusters, plan),
            estimate_share(tuned[name], clusters, plan) if tuned else None,
            decisions.get(name),
        )
        for name, values in scores["base"].items()
    )


def _flips(scores: Scores, clusters: Sequence[str], settings: FormatsSettings) -> Flips:
    found = [decision for decision in _decisions(scores, clusters, settings).values()]
    values = [decision.difference.value for decision in found]
    return Flips(
        tuned_ahead=sum(value > 0 for value in values),
        base_ahead=sum(value < 0 for value in values),
        even=sum(value == 0 for value in values),
        shown_better=sum(decision.verdict == "better" for decision in found),
        shown_worse=sum(decision.verdict == "worse" for decision in found),
    )
