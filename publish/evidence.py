"""Everything that a release may claim anything from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..collect import Item, PreferencePair
from ..evaluate import Report
from ..evaluate.gates import GateResult
from ..models import ModelFolder
from ..train import Adapter
from .lineage import Lineage


@dataclass(frozen=True, slots=True)
class DataRelease:
    """The data set release that a model's votes were published as."""

    repo: str
    """Its Hub name, `user/data`."""
    revision: str
    """The full commit hash."""
    version: str
    """The tag of the release, `v1`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one turn of the loop left behind."""

    recipe: dict[str, Any]
    """The resolved recipe, as JSON."""
    base: ModelFolder
    adapter: Adapter
    collection: dict[str, Any]
    """The run's `collect/summary.json`: counts and agreement."""
    items: Sequence[Item]
    training: Sequence[PreferencePair]
    sealed: Sequence[PreferencePair]
    report: Report
    data: DataRelease | None = None
    """None where the data were not published, or not yet."""
    metrics: Sequence[Mapping[str, Any]] = ()
    """The rows of the training's `metrics.jsonl`, for the curves; none where they are gone."""
    gate: GateResult | None = None
    """What the recipe's gate decided about the report."""
    lineage: Lineage | None = None
    """The votes by pseudonym, for `data.json`; None leaves them out of it."""

    @property
    def base_name(self) -> str:
        """The base model as others know it: its Hub id, or a local folder's last part."""
        return Path(self.base.name).name if self.base.source == "folder" else self.base.name
