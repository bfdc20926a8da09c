"""Whether a data set folder is one that the Hub and `datasets` read, and that holds nothing it must not."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ...runs import read_json, read_lines


def lint_data(folder: Path) -> list[str]:
    """Return what is wrong with a data set folder, a sentence each; empty where all is well.

    The card's metadata are read by huggingface_hub, and each part by `datasets` from the folder alone.
    """
    lineage = read_json(folder / "lineage.json")
    return [*_card(folder, lineage["license"]), *_parts(folder, lineage["rows"])]


def _card(folder: Path, licence: str) -> Iterator[str]:
    from huggingface_hub import DatasetCard

    try:
        told = DatasetCard.load(folder / "README.md").data.to_dict()
    except (ValueError, OSError) as error:
        yield f"README.md has no metadata that huggingface_hub reads: {' '.join(str(error).split())[:200]}"
        return
    if told.get("license") != licence:
        yield f"README.md gives the licence {told.get('license')!r}, lineage.json {licence!r}"
    named = {file["path"] for config in told.get("configs", []) for file in config["data_files"]}
    here = {path.name for path in folder.glob("*.jsonl")}
    yield from (f"README.md names {name}, which is not there" for name in sorted(named - here))
    yield from (f"{name} stands in no part of README.md" for name in sorted(here - named))


def _parts(folder: Path, rows: dict[str, int]) -> Iterator[str]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from datasets.utils.logging import disable_progress_bar

    disable_progress_bar()
    for part, count in rows.items():
        if (written := len(read_lines(folder / f"{part}.jsonl"))) != count:
            yield f"{part}.jsonl has {written} rows, lineage.json says {count}"
        if not count:
            continue  # `datasets` refuses an empty file
        with TemporaryDirectory() as cache:
            try:
                found = load_dataset(str(folder), part, split="train", cache_dir=cache).num_rows
            except (DatasetsError, ValueError, OSError) as error:
                yield f"`datasets` can't read the part {part}: {' '.join(str(error).split())[:200]}"
                continue
        if found != count:
            yield f"`datasets` reads {found} rows of the part {part}, lineage.json says {count}"
