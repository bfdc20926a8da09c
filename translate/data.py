"""The data sets that a recipe names, as the commands that import them."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .notes import Fate, Work, shown

KINDS = {
    "HuggingFaceH4/ultrafeedback_binarized": "ultrafeedback-binarized",
    "openbmb/UltraFeedback": "ultrafeedback",
    "Anthropic/hh-rlhf": "hh-rlhf",
    "lmsys/chatbot_arena_conversations": "arena",
    "lmsys/mt_bench_human_judgments": "mt-bench",
}
"""Data sets of the Hub that `prefloop collect import` knows by themselves; all others are tables."""
KEYS = (
    "dataset_mixture",
    "datasets",
    "dataset_mixer_list",
    "dataset_mixer",
    "dataset_splits",
    "dataset_configs",
    "dataset_name",
    "dataset_config",
    "dataset_train_split",
    "dataset_test_split",
    "test_split_size",
)
LEAK = (
    "the file mixes the split {split} into what it trains on and holds out anew, so that most of the official test "
    "split is trained on; only the training split is imported here, and prefloop seals prompts of its own"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One data set of the mixture."""

    id: str
    config: str | None = None
    split: str | None = None
    weight: float = 1.0
    """The share of its rows that is taken."""

    @property
    def tests(self) -> bool:
        """Whether it is a split to measure on."""
        return bool(self.split and re.search(r"test|valid|eval", self.split))

    @property
    def named(self) -> str:
        """What it is, in words."""
        return f"{self.id} ({self.split})" if self.split else self.id

    @property
    def folder(self) -> str:
        """Where its import goes, relative to the recipe."""
        split = None if (self.split or "train").startswith("train") else self.split
        parts = [self.id.rsplit("/", 1)[-1], self.config if self.config != "default" else None, split]
        return f"data/{slug('-'.join(part for part in parts if part))}"

    @property
    def command(self) -> str:
        """How it is imported."""
        kind = KINDS.get(self.id, "table")
        words = ["prefloop", "collect", "import", kind, self.id]
        words += ["--config", self.config] if self.config and self.config != "default" else []
        words += ["--split", self.split] if self.split else []
        words += ["--license", "as-its-page-says"] if kind == "table" else []
        return shlex.join([*words, "--out", self.folder])


def slug(text: str) -> str:
    """Return a text as a name of a file, a queue and a recipe at once."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "recipe"


def take_data(work: Work) -> tuple[Source, ...]:
    """Take all data keys out, each with a note; return what is to be imported, in the file's order."""
    given = {key: work.left.pop(key) for key in KEYS if key in work.left}
    found = _sources(given)
    if any(source.tests for source in found) and ("dataset_mixture" in given or "datasets" in given):
        work.warnings.append(LEAK.format(split=next(source.split for source in found if source.tests)))
    kept = tuple(source for source in found if not source.tests)
    for source in kept:
        if source.weight < 1:
            work.warnings.append(
                f"{source.named} goes in with {source.weight:g} of its rows: add --limit with that many to its import"
            )
    if "chat_template_kwargs" in str(given):
        work.warnings.append(
            "the rows' own chat_template_kwargs are not read: all are rendered as the template does by default"
        )
    for key, value in given.items():
        work.note(key, value, *_said(key, value, kept))
    return kept


def _said(key: str, value: Any, kept: Sequence[Source]) -> tuple[Fate, str, str]:
    if key in {"dataset_mixture", "datasets", "dataset_mixer", "dataset_mixer_list", "dataset_name"}:
        return (
            Fate.renamed,
            "collect.items, collect.votes",
            f"imported first: {', '.join(source.named for source in kept) or 'nothing'}",
        )
    if key in {"dataset_test_split", "test_split_size"}:
        return Fate.ours, "", "`collect.sealed_fraction` of the prompts is held out instead"
    splits = value if isinstance(value, list) else [value]
    left = [split for split in splits if Source("", split=str(split)).tests]
    why = f"{', '.join(left)} is left out: prefloop seals its own prompts" if left else "a part of the import command"
    return Fate.renamed, f"--{'config' if 'config' in key else 'split'} of the import", why


def _sources(given: dict[str, Any]) -> list[Source]:
    """Read the five forms in which recipes name data, newest first."""
    mixture = given.get("dataset_mixture") or {}
    if listed := mixture.get("datasets") or given.get("datasets"):
        return [_entry(entry) for entry in listed]
    if flat := given.get("dataset_mixer_list"):
        flat = flat.split() if isinstance(flat, str) else flat
        return [Source(str(name), weight=_share(weight)) for name, weight in zip(flat[::2], flat[1::2], strict=False)]
    if mixer := given.get("dataset_mixer"):
        configs = given.get("dataset_configs") or [None] * len(mixer)
        splits: list[str | None] = [str(split) for split in given.get("dataset_splits") or []]
        trained = [split for split in splits or [None] if not Source("", split=split).tests]
        return [
            Source(name, config, split, _share(weight))
            for (name, weight), config in zip(mixer.items(), configs, strict=False)
            for split in trained
        ]
    if name := given.get("dataset_name"):
        return [Source(name, given.get("dataset_config"), given.get("dataset_train_split"))]
    return []


def _entry(entry: dict[str, Any]) -> Source:
    weight = entry.get("weight", entry.get("fraction"))
    return Source(
        str(entry.get("id") or entry.get("path")),
        entry.get("config") or entry.get("name"),
        entry.get("split"),
        _share(1.0 if weight is None else weight),
    )


def _share(weight: Any) -> float:
    """Return a share of rows; open-instruct also writes a number of rows, which is left to the reader."""
    return min(float(weight), 1.0)


def data_words(sources: Sequence[Source]) -> str:
    """Name the data in a sentence."""
    return ", ".join(dict.fromkeys(source.id for source in sources)) or shown("the data you import")
