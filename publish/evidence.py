"""Everything that a release may claim anything from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..collect import Item, PreferencePair
from ..evaluate import Report
from ..models import ModelFolder
from ..train import Adapter


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

    @property
    def base_name(self) -> str:
        """The base model as others know it: its Hub id, or a local folder's last part."""
        return Path(self.base.name).name if self.base.source == "folder" else self.base.name
