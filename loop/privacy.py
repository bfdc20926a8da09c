"""Personal data in what annotators are shown and in what they wrote."""

import logging
from collections.abc import Sequence
from dataclasses import asdict

from ..collect.sealing.contamination import Text
from ..collect.sealing.personal import Personal, find_personal
from ..errors import Problems
from ..recipe import Recipe
from ..runs import Run, read_json, write_json
from .folder import collected_file

log = logging.getLogger(__name__)

SHOWN = 10


def look_for_personal(run: Run, recipe: Recipe, what: str, texts: Sequence[Text]) -> list[Personal]:
    """Look as `collect.pii` says, and list what was found (kinds and places only) in `personal.json`.

    Raises:
        UserError: the packages for it are not installed.
        Problems: something was found, and the setting is to block.
    """
    if recipe.collect.pii == "off":
        return []
    found, path = find_personal(texts), collected_file(run, "personal.json")
    write_json(path, (read_json(path) if path.exists() else {}) | {what: [asdict(row) for row in found]})
    if not found:
        return []
    kinds = ", ".join(sorted({row.kind for row in found}))
    named = len({row.id for row in found})
    if recipe.collect.pii == "block":
        shown = [f"{row.id} {row.part}: {row.kind}" for row in found[:SHOWN]]
        rest = [f"and {len(found) - SHOWN} more: all are in {path}"] if len(found) > SHOWN else []
        raise Problems(
            f"{named} {what} hold personal data or secrets ({kinds}); take them out, or set collect.pii to flag",
            shown + rest,
        )
    log.warning("%d %s hold personal data or secrets (%s): see %s", named, what, kinds, path)
    return found
