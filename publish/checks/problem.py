"""Something to mend before a release may be pushed, or to look at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of the linter or of the claim checker."""

    level: Literal["error", "warning"]
    """An error stops a push; a warning is shown."""
    where: str
    """The file, with its line where it has one, or the recipe's setting."""
    text: str
    """What is wrong, and what to do."""

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"
