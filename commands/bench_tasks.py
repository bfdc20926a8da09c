"""`prefloop bench tasks` and `prefloop bench formats`: benchmark tasks, and what their wording does to the score."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from ..console import progress_bar, result, result_json, say, table
from ..errors import Problems, UserError
from ..home import home
from .options import Json, open_models

if TYPE_CHECKING:
    from ..evaluate.formats import Formats
    from ..evaluate.tasks import TaskResults

app = typer.Typer()
Settings = TypeVar("Settings", bound=BaseModel)

ModelName = Annotated[str, typer.Argument(help="A model folder, or a name on the Hub.", show_default=False)]
AdapterFolder = Annotated[
    Path | None,
    typer.Option("--adapter", help="What was tuned from it, an adapter or a whole model: then both are asked."),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="A folder with the data; its layout: docs/leaderboard.md.", show_default="the Hub"),
]
Limit = Annotated[int | None, typer.Option("--limit", help="Ask only the first so many questions of each task.", min=1)]
BatchSize = Annotated[int, typer.Option(help="Sequences in one forward pass.", min=1)]
Keep = Annotated[
    Path | None,
    typer.Option("--keep", help="Where outcomes are kept.", show_default="bench in prefloop's own folder"),
]


@app.command("tasks")
def bench_tasks(
    model: ModelName,
    adapter: AdapterFolder = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="leaderboard_v2, leaderboard_v1, any benchmark of theirs, any of lm-eval's tasks in them, or paths of "
            "your own (.yaml, .jsonl); several with commas between them.",
            metavar="NAME,NAME",
        ),
    ] = "leaderboard_v2",
    data_dir: DataDir = None,
    limit: Limit = None,
    chat_template: Annotated[
        bool, typer.Option("--chat-template", help="Put prompts into the model's chat template.")
    ] = False,
    multiturn: Annotated[
        bool, typer.Option(help="With --chat-template: worked examples as turns of the conversation.")
    ] = True,
    shots: Annotated[
        int | None, typer.Option(help="Worked examples to each question.", min=0, show_default="the benchmark's own")
    ] = None,
    batch_size: BatchSize = 16,
    margin: Annotated[
        float, typer.Option(help="The loss in raw score that would not matter.", min=0.0001, max=0.99)
    ] = 0.02,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Ask a model, or a base and what was tuned from it, benchmark tasks, through lm-eval.

    Scores are normalised by the Open LLM Leaderboard's own rules, each with its interval; base and tuned are compared
    question by question, with a verdict corrected for how many tasks were looked at. A part of a benchmark is called a
    part. Missing data, packages and too long prompts are found before the model is loaded. Outcomes are kept: the same
    command goes on after a kill, and takes seconds the second time.

    prefloop bench tasks HuggingFaceTB/SmolLM2-135M-Instruct --tasks arc,hellaswag --limit 100

    prefloop bench tasks ./model --adapter runs/demo/train/adapter --tasks bbh,ifeval --data-dir ./mirror

    prefloop bench tasks ./model --tasks my_questions.jsonl
    """
    from pydantic import TypeAdapter

    from ..evaluate.tasks import TaskResults, TasksSettings, run_tasks

    settings = _settings(
        TasksSettings, run=tuple(name.strip() for name in tasks.split(",")), data_dir=data_dir, limit=limit,
        apply_chat_template=chat_template, fewshot_as_multiturn=multiturn, num_fewshot=shots, batch_size=batch_size,
        margin=margin,
    )  # fmt: skip
    models = open_models(model, adapter)
    with progress_bar("tasks") as progress:
        found = run_tasks(settings, models, _kept(keep), progress=progress)
    if as_json:
        result_json(TypeAdapter(TaskResults).dump_python(found, mode="json"))
    else:
        _show_tasks(found)


@app.command("formats")
def bench_formats(
    model: ModelName,
    adapter: AdapterFolder = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help='Your questions: JSON lines {"question", "choices": [...], "answer": index}.', show_default=False
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(help="With --data-dir: arc, bbh, hellaswag, mmlu or musr.", metavar="NAME", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    limit: Annotated[int, typer.Option(help="Ask the first so many questions (of each part).", min=1)] = 100,
    batch_size: BatchSize = 16,
    keep: Keep = None,
    as_json: Json = False,
) -> None:
    """Ask the same multiple-choice questions in ten wordings or more, and say how far the score depends on them.

    Q: and A:, capitals, line breaks, choices reversed, letters or texts as answers, yes/no or true/false, with and
    without the chat template: nothing of it changes what is asked, and it can move a score by ten points. With an
    adapter: in how many wordings each model is ahead.

    prefloop bench formats HuggingFaceTB/SmolLM2-135M-Instruct --data questions.jsonl

    prefloop bench formats ./model --adapter runs/demo/train/adapter --tasks arc --data-dir ./mirror --limit 200
    """
    from pydantic import TypeAdapter

    from ..evaluate.formats import Formats, FormatsSettings, audit_formats

    where = data or data_dir
    if where is None or (data is None) == (tasks is None):
        raise UserError("say which questions: --data FILE, or --tasks NAME with --data-dir FOLDER")
    settings = _settings(FormatsSettings, data=where, benchmark=tasks, limit=limit, batch_size=batch_size)
    models = open_models(model, adapter)
    with progress_bar("formats") as progress:
        found = audit_formats(settings, models, _kept(keep), progress=progress)
    if as_json:
        result_json(TypeAdapter(Formats).dump_python(found, mode="json"))
    else:
        _show_formats(found)


def _settings(kind: type[Settings], **values: object) -> Settings:
    """Return settings; what is wrong with them is told in a sentence each."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        said = [
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()
        ]
        raise Problems("these options can't be used", said) from error


def _kept(folder: Path | None) -> Path:
    return folder or home() / "bench"


def _show_tasks(found: "TaskResults") -> None:
    from ..evaluate.tasks.words import COLUMNS, caveats, row_cells, summarise

    two = len(found.models) > 1
    columns = COLUMNS if two else ("", found.models[0].name)
    rows = [row_cells(row) for row in found.rows]
    title = " against ".join(model.name for model in reversed(found.models))
    table(f"{title}: normalised scores (0 guessing, 100 perfect)", columns, rows)
    for average in found.averages:
        result(f"{average.board}, average: {average.base.value:.1f}")
    result(summarise(found))
    for caveat in caveats(found):
        say(f"- {caveat}")
    asked = f"{found.asked_now} of {found.tasks} tasks asked now, the others known; {found.seconds:.0f} s"
    say(f"- {asked}. The same with lm-eval's own command:")
    for command in found.commands:
        say(f"  {command}")


def _show_formats(found: "Formats") -> None:
    from ..evaluate.formats.words import COLUMNS, sentences, variant_cells

    columns = COLUMNS if found.tuned else ("wording", found.models[0].name)
    table(f"{found.questions} questions of {found.data}", columns, [variant_cells(one) for one in found.variants])
    for sentence in sentences(found):
        result(sentence)
