"""What a release says of itself, read without believing it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from ...collect import PairSettings, Verdict, Vote
from ...collect.item import LETTERS
from ...collect.queues.questions import compare
from ...collect.verdict import verdicts_on
from ...errors import UserError
from ...runs import read_json
from ..release import Release

Read = TypeVar("Read", bound=BaseModel)


class OriginRow(BaseModel, frozen=True):
    """Who or what wrote a candidate."""

    kind: str
    name: str
    revision: str | None = None
    row: str | None = None
    sampling: dict[str, Any] = {}
    shortened: bool = False
    """Whether the name was a folder of the machine that wrote it: the item's hash is over the whole name."""


class ItemRow(BaseModel, frozen=True):
    """An item as annotators were shown it."""

    id: str
    prompt_id: str
    side: str | None
    origins: tuple[OriginRow, ...]
    parts: dict[str, str] = {}
    """Of a ranking: the id of the item of each two candidates, by their letters."""

    @property
    def pairs(self) -> dict[str, str]:
        """The ids of the items that pairs can come of, by letters."""
        return self.parts or {"AB": self.id}


class VoteRow(BaseModel, frozen=True):
    """A vote without its words."""

    id: str
    item_id: str
    annotator: str
    choice: str | None
    ranking: tuple[int | None, ...] | None = None
    strength: int | None = None
    status: str
    edited: bool = False
    protocol: str = ""
    adjudication: bool = False


class PairRow(BaseModel, frozen=True):
    """A pair by its hashes."""

    id: str
    prompt_id: str
    item_id: str
    kind: str
    weight: float
    vote_ids: tuple[str, ...]
    chosen: str | None = None
    """The letter of the item's candidate, or `edit`; None in releases of format 1."""
    rejected: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the row from others."""
        return self.id, self.item_id, self.kind


class Manifest(BaseModel, frozen=True):
    """data.json."""

    collection: dict[str, Any]
    trained_on_sha256: str
    sealed_sha256: str
    training: tuple[PairRow, ...]
    sealed: tuple[PairRow, ...]
    guidelines_sha256: str | None = None
    items: tuple[ItemRow, ...] | None = None
    """None in releases of format 1, as `votes`."""
    votes: tuple[VoteRow, ...] | None = None


class Record(BaseModel, frozen=True):
    """prefloop.json, as far as it is walked."""

    base_name: str
    base_revision: str
    base_sha256: str
    data_sha256: str
    sha256: str
    pairs: int
    settings: dict[str, Any]
    base_adapter_sha256: str | None = None


class _Model(BaseModel, frozen=True):
    sha256: str


class _Sealed(BaseModel, frozen=True):
    sha256: str
    pairs: int


class ReportTold(BaseModel, frozen=True):
    """report.json, as far as it is walked."""

    base: _Model
    tuned: _Model
    sealed: _Sealed


class RecipeTold(BaseModel, frozen=True):
    """recipe.json, as far as it is walked."""

    name: str
    collect: dict[str, Any] = Field(default_factory=dict)
    train: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """All of it. What can't be read is None, and said in `unreadable`."""

    release: Release
    manifest: Manifest | None
    record: Record | None
    report: ReportTold | None
    recipe: RecipeTold | None
    unreadable: tuple[str, ...]


def read_told(release: Release) -> Told:
    """Read the release's own files; one that is missing or not of its form stops nothing."""
    problems: list[str] = []

    def read(name: str, form: type[Read]) -> Read | None:
        try:
            return form.model_validate(read_json(release.folder / name))
        except UserError:
            problems.append(f"{name} is missing or no JSON")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            problems.append(f"{name} is not of the form that prefloop writes ({where}: {first['msg']})")
        return None

    return Told(
        release,
        read("data.json", Manifest),
        read("prefloop.json", Record),
        read("report.json", ReportTold),
        read("recipe.json", RecipeTold),
        tuple(problems),
    )


def verdicts_told(manifest: Manifest) -> dict[str, Verdict]:
    """Add the manifest's votes up again, by the id of the item that a pair names.

    Raises:
        ImportError: the votes are weighed by a model whose package is not installed.
        ValidationError: the rules are none that this prefloop knows.
    """
    policy = PairSettings.model_validate(manifest.collection.get("policy") or {})
    votes, adjudications = list(_votes(manifest, adjudication=False)), list(_votes(manifest, adjudication=True))
    ids = [part for item in manifest.items or () for part in item.pairs.values()]
    found = verdicts_on(list(dict.fromkeys(ids)), votes, policy, adjudications=adjudications)
    return {one.item_id: one for one in found}


def _votes(manifest: Manifest, *, adjudication: bool) -> Iterator[Vote]:
    """Yield the votes, a ranking as one for every two candidates, as `pairwise` does where texts are known."""
    items = {item.id: item for item in manifest.items or ()}
    for row in manifest.votes or ():
        if row.adjudication != adjudication:
            continue
        vote = _vote(row)
        item = items.get(row.item_id)
        if item is None or not item.parts:
            yield vote
            continue
        for letters, part in item.parts.items():
            yield replace(vote, id=f"{vote.id}#{letters}", item_id=part, choice=_choice(row, letters), ranking=None)


def _vote(row: VoteRow) -> Vote:
    choice: Any = row.choice
    status: Any = row.status
    edit = "edited" if row.edited else None
    return Vote(row.item_id, row.annotator, choice, None, status, row.strength, edit=edit, id=row.id)


def _choice(row: VoteRow, letters: str) -> Any:
    if row.choice == "skip":
        return "skip"
    first, second = (LETTERS.index(letter) for letter in letters)
    return None if row.ranking is None else compare(row.ranking[first], row.ranking[second])
