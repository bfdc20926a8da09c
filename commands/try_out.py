"""Which model for this job? `prefloop try-out` on the user's own examples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import progress_bar, result, result_json, say, table
from ..errors import UserError
from .options import Json

if TYPE_CHECKING:
    from ..asking import CostEstimate
    from ..publish.try_out import JudgeSettings, TryOut

Examples = Annotated[
    Path, typer.Argument(help='JSON lines, each at least {"prompt": "..."}: docs/try-out.md.', show_default=False)
]
Models = Annotated[
    list[str],
    typer.Argument(
        metavar="MODEL...",
        help="Runs, releases or model folders; names on the Hub; endpoints as URL#MODEL or a .yaml file.",
        show_default=False,
    ),
]
Bases = Annotated[
    list[str] | None,
    typer.Option("--base", help="Where an adapter's base lies, if it can't be found.", show_default="none"),
]
System = Annotated[
    str | None, typer.Option(help="A system message before prompts that are text alone.", show_default="none")
]
JudgeName = Annotated[
    str | None,
    typer.Option(help="Who compares answers: a model folder or name, URL#MODEL, or a .yaml file.", metavar="MODEL"),
]
Instructions = Annotated[
    str | None, typer.Option(help="What makes an answer better, for the judge.", show_default="general quality")
]
KeyVariable = Annotated[
    str | None, typer.Option(help="The environment variable with the judge's key.", show_default="none")
]


def try_out(
    examples: Examples,
    models: Models,
    out: Annotated[Path, typer.Option(help="The folder for answers, report and page.")] = Path("try-out"),
    base: Bases = None,
    system: System = None,
    max_new_tokens: Annotated[int, typer.Option(help="The longest answer.", min=1)] = 256,
    batch_size: Annotated[int, typer.Option(help="Examples answered at once on this machine.", min=1)] = 8,
    judge: JudgeName = None,
    instructions: Instructions = None,
    judge_max_tokens: Annotated[int, typer.Option(help="The longest verdict.", min=1)] = 512,
    api_key_env: KeyVariable = None,
    input_price: Annotated[float | None, typer.Option(help="Of a million tokens asked of the judge.")] = None,
    output_price: Annotated[float | None, typer.Option(help="Of a million tokens answered by it.")] = None,
    budget: Annotated[float | None, typer.Option(help="The most that the judge may cost.")] = None,
    as_json: Json = False,
) -> None:
    """Run models on your own examples, and say which one is the best for them, how surely, and at what cost.

    Right answers, a pattern, good and bad answers, a judge: whatever the examples give is measured, every two models
    are compared on the same examples, and what can't be told yet is said to be open, with how many more examples would
    tell. Interrupt it whenever you like: the same command goes on, and nothing is answered twice.

    prefloop try-out my-20.jsonl runs/demo HuggingFaceTB/SmolLM2-135M-Instruct

    prefloop try-out my-20.jsonl org/small-model http://127.0.0.1:8000/v1#large-model --judge judge.yaml
    """
    from ..publish.try_out import PAGE, REPORT, TryOutSettings, write_page, write_result
    from ..publish.try_out import try_out as run

    settings = TryOutSettings(max_new_tokens=max_new_tokens, batch_size=batch_size, system=system)
    prices = {"api_key_env": api_key_env, "input_price": input_price, "output_price": output_price, "budget": budget}
    by = _judge(
        judge, {name: value for name, value in prices.items() if value is not None}, instructions, judge_max_tokens
    )
    with progress_bar("answers") as progress:
        found = run(examples, models, settings, out, bases=base or (), by=by, announce=_announce, progress=progress)
    report = write_result(out / REPORT, found)
    page = write_page(out / PAGE, found)
    _show(found, as_json=as_json)
    say(f"report: {report}   page: {page}")


def _judge(
    text: str | None, prices: dict[str, object], instructions: str | None, max_tokens: int
) -> "JudgeSettings | None":
    from ..publish.try_out.judging import JudgeSettings, find_judge

    if text is None:
        if prices or instructions:
            raise UserError("prices, budget, key and instructions are the judge's: name one with --judge")
        return None
    judge = find_judge(text, prices)
    given = {} if instructions is None else {"instructions": instructions}
    return JudgeSettings(judge, max_tokens=max_tokens, **given)


def _announce(estimate: "CostEstimate") -> None:
    from ..asking import describe_cost

    say(f"judge: {describe_cost(estimate)}")


def _show(found: "TryOut", *, as_json: bool) -> None:
    from ..publish.try_out.result import as_row
    from ..publish.try_out.words import WHAT, against_best, caveats, ranks, seconds_words, share, size_words, summary

    if as_json:
        result_json(as_row(found))
        return
    tried = {one.name: one for one in found.candidates}
    for ranking in found.rankings:
        rows = [
            (row.name, share(row.share), ranks(row), against_best(row), seconds_words(tried[row.name].seconds),
             size_words(tried[row.name]))
            for row in ranking.rows
        ]  # fmt: skip
        columns = ("model", f"{WHAT[ranking.what]} (95%)", "may be rank", "minus the one ahead", "an answer", "size")
        table(f"{ranking.examples} examples", columns, rows)
    if not found.rankings:
        rows_of = [(one.name, one.kind, seconds_words(one.seconds), size_words(one)) for one in found.candidates]
        table(f"{len(found.examples)} examples, not scored", ("model", "", "an answer", "size"), rows_of)
        for example in found.examples:
            result(f"{example.id}: {example.prompt[-1].content}")
            for name, answer in example.answers.items():
                result(f"  {name}: {answer}")
    result(summary(found))
    for caveat in caveats(found):
        say(f"- {caveat}")
