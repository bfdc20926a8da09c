"""From the names that users write to lm-eval's task files, and to the folders of a local mirror."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ..leaderboard.tasks import V1, V2, Benchmark

Board = Literal["Open LLM Leaderboard v2", "Open LLM Leaderboard v1", "your own"]
BOARDS: dict[str, tuple[Board, tuple[Benchmark, ...]]] = {
    "leaderboard_v2": ("Open LLM Leaderboard v2", V2),
    "leaderboard_v1": ("Open LLM Leaderboard v1", V1),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where lm-eval keeps a benchmark's task files, and where a mirror keeps its data."""

    name: str
    """What users write; also the mirror's folder."""
    benchmark: str
    """The leaderboard's column."""
    prefix: str
    """Of lm-eval's names for its parts; what follows it is the part's name."""
    suffix: str
    yaml: str
    """The task file below lm-eval's `tasks` folder, with `{part}` for the part's name."""
    split: str
    """The split that holds the questions, with `{part}` where each part has its own."""
    questions: tuple[str, ...]
    """What a mirror's files with the questions begin with; `{part}` where each part has its own file."""
    pool_split: str | None = None
    """The split that worked examples are drawn from; None where lm-eval brings its own, or none are given."""
    pool: str | None = None
    """What the mirror's file of worked examples begins with."""
    by_subject: bool = False
    """Whether a mirror holds all parts in one file, each row naming its part."""


SOURCES = (
    Source("ifeval", "IFEval", "leaderboard_ifeval", "", "leaderboard/ifeval/ifeval.yaml", "train",
           ("ifeval", "input_data", "train")),
    Source("bbh", "BBH", "leaderboard_bbh_", "", "leaderboard/bbh_mc/{part}.yaml", "test", ("{part}",)),
    Source("math", "MATH lvl 5", "leaderboard_math_", "_hard", "leaderboard/math/math_{part}.yaml", "test",
           ("{part}",)),
    Source("gpqa", "GPQA", "leaderboard_gpqa_", "", "leaderboard/gpqa/gpqa_{part}_zeroshot.yaml", "train",
           ("gpqa_{part}",)),
    Source("musr", "MuSR", "leaderboard_musr_", "", "leaderboard/musr/musr_{part}.yaml", "{part}", ("{part}",)),
    Source("mmlu_pro", "MMLU-Pro", "leaderboard_mmlu_pro", "", "leaderboard/mmlu_pro/mmlu_pro.yaml", "test",
           ("mmlu_pro", "test"), "validation", "validation"),
    Source("arc", "ARC", "arc_challenge", "", "arc/arc_challenge.yaml", "test", ("arc_challenge", "test"), "train",
           "train"),
    Source("hellaswag", "HellaSwag", "hellaswag", "", "hellaswag/hellaswag.yaml", "validation",
           ("hellaswag", "validation"), "train", "train"),
    Source("mmlu", "MMLU", "mmlu_", "", "mmlu/default/mmlu_{part}.yaml", "test", ("mmlu", "test"), "dev", "dev", True),
    Source("truthfulqa", "TruthfulQA", "truthfulqa_mc2", "", "truthfulqa/truthfulqa_mc2.yaml", "validation",
           ("truthfulqa", "validation", "TruthfulQA")),
    Source("winogrande", "Winogrande", "winogrande", "", "winogrande/default.yaml", "validation",
           ("winogrande", "validation"), "train", "train"),
    Source("gsm8k", "GSM8K", "gsm8k", "", "gsm8k/gsm8k.yaml", "test", ("gsm8k", "test"), "train", "train"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """A benchmark, or some parts of one, that is to be run."""

    source: Source
    board: Board
    benchmark: Benchmark
    """With the parts chosen only."""

    @property
    def whole(self) -> Benchmark:
        """The benchmark with all its parts."""
        return next(each for each in (*V2, *V1) if each.name == self.benchmark.name)


def part_of(source: Source, task: str) -> str:
    """Return the part's name within lm-eval's name of a task; empty where the benchmark has no parts."""
    return task.removeprefix(source.prefix).removesuffix(source.suffix)


def known_names() -> list[str]:
    """Return the names of groups and benchmarks."""
    return [*BOARDS, *(source.name for source in SOURCES)]


def resolve_name(name: str) -> tuple[Chosen, ...]:
    """Return what a name stands for: a leaderboard, a benchmark, or one of lm-eval's tasks; empty if none."""
    if name in BOARDS:
        board, benchmarks = BOARDS[name]
        return tuple(Chosen(_source(each.name), board, each) for each in benchmarks)
    every = [one for group in BOARDS for one in resolve_name(group)]
    for one in every:
        if one.source.name == name:
            return (one,)
        if parts := tuple(each for each in one.benchmark.subtasks if each.task == name):
            return (replace(one, benchmark=replace(one.benchmark, subtasks=parts)),)
    return ()


def choose(names: Iterable[str]) -> tuple[Chosen, ...]:
    """Return the benchmarks that several names stand for, each once, parts of one benchmark together."""
    found: dict[str, Chosen] = {}
    for name in names:
        for one in resolve_name(name):
            held = found.get(one.source.name)
            asked = {each.task for each in one.benchmark.subtasks} | {
                each.task for each in (held.benchmark.subtasks if held else ())
            }
            kept = tuple(each for each in one.whole.subtasks if each.task in asked)
            found[one.source.name] = replace(one, benchmark=replace(one.benchmark, subtasks=kept))
    return tuple(found.values())


def _source(benchmark: str) -> Source:
    return next(source for source in SOURCES if source.benchmark == benchmark)
