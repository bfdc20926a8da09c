"""Whether a release says more than it can show: its card, and the sentences that people wrote into the recipe.

Three looks, all explained in docs/card.md:

1. What follows from the JSON files alone (results, votes, times) is made again: a line that is the same is its own
   evidence, and one that differs in its numbers was changed.
2. Every number in any other line must stand in the release's JSON files, an interval with its value in one estimate.
3. Sentences that claim something (`wording`) must be held by the report, and a win rate must stand with all it needs.

It reads English, and it is no proof: what it does not find may still be wrong.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...evaluate import Report, read_report
from ...evaluate.gates import GateResult, read_gate
from ...runs import read_json
from ..card.metadata import DIGITS, results, results_block
from ..card.write import cell, fenced, render_collection, render_results, setting_rows, time_lines
from ..engines.serving import TESTS, VLLM
from .numbers import INTERVAL, NUMBER, Pool, pool_of
from .problem import Problem
from .prose import Line, card_lines, shown
from .wording import unproven

CARD = "README.md"
SOURCES = ("report.json", "data.json", "recipe.json", "prefloop.json", "release.json", "gate.json")
MARK = "release.json"
WIN = re.compile(
    r"\bwin[- ]?rate\b[^.]*\d|\bw(?:ins?|on)\b[^.]{0,60}\d|"
    r"\d\s?(?:%|per ?cent)[^.]{0,40}\b(?:w(?:ins?|on)|comparisons)\b",
    re.IGNORECASE,
)
NEEDS = {
    "its interval": re.compile(r"\d%? to [+\-\N{MINUS SIGN}]?\d|\u00b1"),
    "how the order of the answers was handled": re.compile(r"\border\b|both ways|swapped", re.IGNORECASE),
    "whether length was controlled for": re.compile(r"\blength|equally long|longer|shorter", re.IGNORECASE),
    "how many were left out or unscored": re.compile(r"unscored|left out", re.IGNORECASE),
}
SIMILAR = 0.8
"""From here on a line is taken for a changed one of the report's."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a release folder holds against which its card is read."""

    report: Report
    recipe: Mapping[str, Any]
    base_name: str
    pool: Pool
    """Of all files."""
    measured: Pool
    """Of the report alone: what people write is no evidence for what people write."""
    written: Mapping[str, Sequence[str]]
    """Lines that the evidence writes by itself, as a reader sees them, by what they are without their numbers."""
    sentences: tuple[str, ...]
    """What stands within lines: the verdict, caveats, and the recipe's own sentences, which are looked at apart."""
    words: frozenset[str]
    """Names, versions and dates: words with digits that stand in the files as they are."""


def check_claims(folder: Path) -> list[Problem]:
    """Look for claims without evidence in a release folder; an empty list where there are none.

    It reads README.md as it lies there, changed by hand or not, and nothing is pushed or written.
    """
    try:
        evidence = _read(folder)
    except UserError as error:
        return [Problem("error", folder.name, str(error))]
    text = (folder / CARD).read_text(encoding="utf-8")
    return [
        *_changed(folder),
        *check_words(evidence.recipe, evidence.report, evidence.base_name),
        *_metadata(text, evidence),
        *_lines(text, evidence),
        *_win_rates(text, evidence),
    ]


def check_words(recipe: Mapping[str, Any], report: Report, base_name: str) -> list[Problem]:
    """Look for claims in what people wrote into the recipe: its task, and the card's limits and tags.

    Args:
        recipe: The resolved recipe, as JSON.
        report: What was measured.
        base_name: What the base model is called.
    """
    pool, publish = pool_of({"report.json": _plain(report)}), recipe.get("publish") or {}
    texts = [("task", str(recipe["task"]))]
    texts += [(f"publish.limits[{place}]", limit) for place, limit in enumerate(publish.get("limits") or ())]
    texts += [("publish.tags", tag.replace("-", " ")) for tag in publish.get("tags") or ()]
    return [
        Problem("error", f"recipe: {where}", f"“{claim.words}”: {claim.why}")
        for where, text in texts
        for claim in unproven(text, report, pool, base_name)
    ]


def _read(folder: Path) -> _Evidence:
    missing = [name for name in (CARD, *SOURCES[:5]) if not (folder / name).exists()]
    if missing:
        raise UserError(f"{folder} is no whole release: {', '.join(missing)} missing")
    report = read_report(folder / "report.json")
    trees = {name: read_json(folder / name) for name in SOURCES if (folder / name).exists()}
    gate = read_gate(folder / "gate.json") if "gate.json" in trees else None
    publish = trees["recipe.json"].get("publish") or {}
    said = [
        TESTS,
        VLLM,
        report.summary,
        *report.caveats,
        str(trees["recipe.json"]["task"]),
        *(publish.get("limits") or ()),
    ]
    sentences = [shown(" ".join(sentence.split())).rstrip(".") for sentence in said]
    return _Evidence(
        report,
        trees["recipe.json"],
        str(trees[MARK]["base"]["name"]),
        pool_of(trees | {"counts": _counts(trees["data.json"])}),
        pool_of({"report.json": trees["report.json"]}),
        _by_frame(_written(report, gate, trees)),
        tuple(sorted(filter(None, sentences), key=len, reverse=True)),
        frozenset(_words(trees)),
    )


def _written(report: Report, gate: GateResult | None, trees: Mapping[str, Any]) -> Iterator[str]:
    yield from render_results(report, gate).splitlines()
    yield from render_collection(trees["data.json"]["collection"]).splitlines()
    yield from time_lines(trees["prefloop.json"])
    train = trees["recipe.json"]["train"]
    yield from (f"| {name} | {cell(value)} |" for name, value in setting_rows(train, whole=not train["use_peft"]))
    yield from report.caveats
    yield f"**Against its base model: {report.verdict}.** {report.summary}"


def _by_frame(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in filter(None, map(shown, lines)):
        found.setdefault(_frame(line), []).append(line)
    return found


def _frame(line: str) -> str:
    """Return a line with its numbers taken out: an edited one keeps it."""
    return re.sub(r"\d+(?:[.,]\d+)*", "#", line)


def _plain(report: Report) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(Report).dump_python(report, mode="json")


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    """Count what the card counts: pairs by kind, and candidates by who wrote them."""
    counted: dict[str, int] = {}
    for row in data.get("training", ()):
        counted[f"training {row['kind']}"] = counted.get(f"training {row['kind']}", 0) + 1
    counted["training pairs without ties"] = sum(row["kind"] != "tie" for row in data.get("training", ()))
    for item in data.get("items", ()):
        for origin in item["origins"]:
            name = f"candidates by {origin['kind']} {origin['name']}"
            counted[name] = counted.get(name, 0) + 1
    return counted


def _words(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield from (word.strip(".,;:()") for word in tree.split() if any(letter.isdigit() for letter in word))
    elif isinstance(tree, Mapping):
        for name, inner in tree.items():
            yield str(name)
            yield from _words(inner)
    elif isinstance(tree, list):
        for inner in tree:
            yield from _words(inner)


def _changed(folder: Path) -> Iterator[Problem]:
    """Evidence that was edited after the release was written is none."""
    files = read_json(folder / MARK)["files"]
    for name in SOURCES:
        path = folder / name
        if name in files and (not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != files[name]):
            yield Problem("error", name, "is not as the release was written, so it proves nothing: publish again")


def _metadata(text: str, evidence: _Evidence) -> Iterator[Problem]:
    import yaml
    from huggingface_hub import ModelCard

    try:
        data: Any = ModelCard(text).data
    except (ValueError, yaml.YAMLError) as error:
        yield Problem("error", CARD, f"its metadata block can't be read: {error}")
        return
    block, expected = data.to_dict().get("prefloop") or {}, results_block(evidence.report)
    for name, value in expected.items():
        if block.get(name) != value:
            told = f"prefloop.{name} is {json.dumps(block.get(name))}, in the report it is {json.dumps(value)}"
            yield Problem("error", f"{CARD} metadata", told)
    known = {result.name: round(result.of.value, DIGITS) for result in results(evidence.report)}
    for row in data.eval_results or ():
        name = str(row.metric_name).rpartition(", ")[0]
        if known.get(name) != row.metric_value:
            says = f"the report says {known[name]}" if name in known else "the report has no such number"
            yield Problem("error", f"{CARD} metadata", f"model-index gives {row.metric_value} for “{name}”: {says}")


def _lines(text: str, evidence: _Evidence) -> Iterator[Problem]:
    for line in card_lines(text):
        where = f"{CARD} line {line.number}"
        if line.kind == "example":
            yield from _example(line, where, evidence)
            continue
        known = evidence.written.get(_frame(line.text), ())
        if known and line.text not in known:
            yield Problem("error", where, f"“{line.text}” was changed; the evidence says: “{known[0]}”")
            continue
        rest = _without_written(line.text, evidence)
        if not rest.strip():
            continue
        yield from _numbers(rest, line, where, evidence)
        for claim in unproven(rest, evidence.report, evidence.measured, evidence.base_name):
            yield Problem("error", where, f"“{claim.words}”: {claim.why}")


def _without_written(text: str, evidence: _Evidence) -> str:
    """Take away what the report, or the recipe's own sentences (looked at apart), put there."""
    if text in evidence.written.get(_frame(text), ()):
        return ""
    for sentence in evidence.sentences:
        text = text.replace(sentence, "")
    return text


def _numbers(text: str, line: Line, where: str, evidence: _Evidence) -> Iterator[Problem]:
    rest = " ".join(word for word in text.split() if word.strip(".,;:()") not in evidence.words or _is_number(word))
    for found in INTERVAL.finditer(rest):
        if not evidence.pool.holds_interval(found["value"], found["low"], found["high"]):
            yield Problem("error", where, f"“{found[0]}” is no estimate of the report's{_instead(line, evidence)}")
    for found in NUMBER.finditer(INTERVAL.sub(" ", rest)):
        if not evidence.pool.holds(found["digits"]):
            nearest = _instead(line, evidence) or f"; {evidence.pool.nearest(found['digits'])}"
            yield Problem("error", where, f"{found[0]} stands nowhere in the release's evidence{nearest}")


def _is_number(word: str) -> bool:
    return NUMBER.fullmatch(word.strip(",;:()").removesuffix(".")) is not None


def _instead(line: Line, evidence: _Evidence) -> str:
    close = difflib.get_close_matches(
        line.text, [line for lines in evidence.written.values() for line in lines], 1, SIMILAR
    )
    return f"; prefloop wrote: “{close[0]}”" if close else ""


def _example(line: Line, where: str, evidence: _Evidence) -> Iterator[Problem]:
    held = {text for example in evidence.report.examples for text in (example.base, example.tuned)}
    held |= {message.content for example in evidence.report.examples for message in example.prompt}
    if line.text.strip() not in {fenced(text).strip() for text in held}:
        yield Problem("error", where, "the report has no such example: leave it out, or publish again")


def _win_rates(text: str, evidence: _Evidence) -> Iterator[Problem]:
    """A win rate says something only beside its interval, its judge, the order, the length, and what was left out."""
    for block in _blocks(list(card_lines(text))):
        whole = " ".join(line.text for line in block)
        own = [line for line in block if _without_written(line.text, evidence).strip() and WIN.search(line.text)]
        if not own or own[0].kind == "example":
            continue
        won = evidence.report.win_rate
        judges = [won.judge] if won else []
        missing = [what for what, pattern in NEEDS.items() if not pattern.search(whole)]
        if not re.search(r"\bcheck\b|annotator|\bpeople\b", whole) and not any(judge in whole for judge in judges):
            missing.insert(0, "who judged")
        if missing:
            told = f"a win rate stands here without {', '.join(missing)}: add that, or leave it to “Who wins”"
            yield Problem("error", f"{CARD} line {own[0].number}", told)


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in lines:
        if block and line.block != block[-1].block:
            yield block
            block = []
        block.append(line)
    if block:
        yield block
