"""The training data against every evaluation item, by what `collect.sealing` calls an overlap."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...collect.pair import PreferencePair
from ...collect.sealing.contamination import MOST, RANK, Overlap, overlaps, pair_texts
from ...collect.sealing.evaluation_texts import EvaluationText, read_evaluation_texts
from ...runs import Progress, silent
from ..mt_bench import Question
from .result import Benchmark, Contamination

SEALED = "sealed"
MT_BENCH = "MT-Bench"


def items_of_pairs(pairs: Sequence[PreferencePair]) -> list[EvaluationText]:
    """Return the texts of the sealed pairs: what users say in their prompts, by prompt id, and both answers."""
    found = {
        (pair.prompt_id, text)
        for pair in pairs
        for text in (*(one.content for one in pair.prompt if one.role == "user"), pair.chosen, pair.rejected)
    }
    return [EvaluationText(SEALED, *row) for row in sorted(found)]


def items_of_questions(questions: Sequence[Question]) -> list[EvaluationText]:
    """Return the turns of MT-Bench's questions, by question id."""
    return [EvaluationText(MT_BENCH, str(question.id), turn) for question in questions for turn in question.turns]


def items_of_file(path: Path, limit: int | None = None) -> list[EvaluationText]:
    """Return the texts of a file's rows (JSON, JSON lines, CSV, text; gzipped or not), the first `limit` rows.

    Raises:
        UserError, Problems: the file can't be read.
    """
    texts = read_evaluation_texts(path)
    return [EvaluationText(path.name, text.row, text.text) for text in texts if limit is None or int(text.row) <= limit]


def find_contamination(
    training: Sequence[PreferencePair],
    benchmarks: Mapping[str, Sequence[EvaluationText]],
    progress: Progress = silent,
) -> Contamination:
    """Find the evaluation items that the training pairs hold: exactly, by n-grams, or as near-duplicates.

    Prompts of one task share phrases, so that of a sealed prompt four fifths must be there before common words count.

    Args:
        training: What was trained on.
        benchmarks: The items' texts by the benchmark's name, as the `items_of_` functions return them; each text's
            `row` is its item's id.
        progress: Called with training texts looked at.
    """
    texts = pair_texts(training)
    against = [EvaluationText(name, text.row, text.text) for name, rows in benchmarks.items() for text in rows]
    found = [one for one in overlaps(texts, against, progress) if _counts(one)] if texts and against else []
    return Contamination(
        pairs=len(training),
        benchmarks=tuple(
            Benchmark(name, len({text.row for text in rows}), _strongest([one for one in found if one.file == name]))
            for name, rows in benchmarks.items()
        ),
        overlaps=tuple(found),
    )


def _counts(one: Overlap) -> bool:
    return one.file != SEALED or one.kind != "n-gram" or one.share >= MOST


def _strongest(found: Sequence[Overlap]) -> dict[str, str]:
    ordered = sorted(found, key=lambda one: RANK.index(one.kind), reverse=True)
    kinds: dict[str, str] = {one.row: one.kind for one in ordered}
    return dict(sorted(kinds.items()))
