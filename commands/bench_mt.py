"""MT-Bench from the command line."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..console import progress_bar, result, result_json, say, table
from ..errors import UserError
from .options import Json, open_models

if TYPE_CHECKING:
    from ..asking import CostEstimate
    from ..evaluate.mt_bench.result import MtBench
    from ..evaluate.mt_bench.settings import MtBenchSettings


class Mode(StrEnum):
    """What the judge is asked."""

    single = "single"
    pair = "pair"
    both = "both"


def mt_bench(
    model: Annotated[str, typer.Argument(help="The base model: a folder or a Hub name.", show_default=False)],
    questions: Annotated[Path, typer.Option(help="FastChat's question.jsonl, or one's own.")],
    prompts: Annotated[Path, typer.Option(help="FastChat's judge_prompts.jsonl, or one's own.")],
    adapter: Annotated[Path | None, typer.Option(help="An adapter on it, or a whole tuned model.")] = None,
    references: Annotated[Path | None, typer.Option(help="Reference answers, for math, reasoning and coding.")] = None,
    mode: Annotated[Mode, typer.Option(help="Rate answers, compare them in both orders, or both.")] = Mode.single,
    judge_url: Annotated[str | None, typer.Option(help="The judge's OpenAI-compatible endpoint.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="The judge's name there; a local model without URL.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="The environment variable with the judge's key.")] = None,
    in_flight: Annotated[int, typer.Option(help="Questions to the judge at once.", min=1)] = 8,
    requests_per_minute: Annotated[float | None, typer.Option(help="The endpoint's limit.")] = None,
    tokens_per_minute: Annotated[float | None, typer.Option(help="The endpoint's limit.")] = None,
    input_price: Annotated[float | None, typer.Option(help="Of a million tokens asked.")] = None,
    output_price: Annotated[float | None, typer.Option(help="Of a million tokens answered.")] = None,
    budget: Annotated[float | None, typer.Option(help="The most that the judge may cost.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many questions.", min=1)] = None,
    max_new_tokens: Annotated[int, typer.Option(help="The longest answer.", min=1)] = 1024,
    judge_max_tokens: Annotated[int, typer.Option(help="The longest judgment.", min=1)] = 2048,
    batch_size: Annotated[int, typer.Option(help="Questions answered at once.", min=1)] = 8,
    estimate: Annotated[bool, typer.Option("--estimate", help="Answer, say what judging would cost, stop.")] = False,
    out: Annotated[Path, typer.Option(help="The folder for answers, judgments and page.")] = Path("mt-bench"),
    as_json: Json = False,
) -> None:
    """Let a model answer MT-Bench, and its base too if it is an adapter, and have a judge rate or compare the answers.

    Interrupt it whenever you like: the same command goes on, and no question is asked twice. The folder also gets the
    judgments in FastChat's format.

    prefloop bench mt-bench SmolLM2-135M-Instruct --adapter runs/demo/train/adapter --questions question.jsonl
    --prompts judge_prompts.jsonl --references gpt-4.jsonl --judge-url http://127.0.0.1:8000/v1 --judge-model my-judge
    """
    from ..evaluate.mt_bench.page import write_mt_bench_page
    from ..evaluate.mt_bench.result import write_result
    from ..evaluate.mt_bench.running import run_mt_bench

    endpoint = {
        "base_url": judge_url, "model": judge_model, "api_key_env": api_key_env, "in_flight": in_flight,
        "requests_per_minute": requests_per_minute, "tokens_per_minute": tokens_per_minute,
        "input_price": input_price, "output_price": output_price, "budget": budget,
    }  # fmt: skip
    settings = _settings(
        {
            "questions": questions, "prompts": prompts, "references": references, "mode": mode.value,
            "judge": endpoint if judge_url else None, "local_judge": None if judge_url else judge_model,
            "limit": limit, "max_new_tokens": max_new_tokens, "judge_max_tokens": judge_max_tokens,
            "batch_size": batch_size,
        }
    )  # fmt: skip
    models, announce = open_models(model, adapter), _announce(stop=estimate)
    with progress_bar("mt-bench") as progress:
        found = run_mt_bench(models, settings, folder=out, announce=announce, progress=progress)
    write_result(out / "mt_bench.json", found)
    page = write_mt_bench_page(out / "mt_bench.html", found)
    _show(found, as_json=as_json)
    say(f"page: {page}")


def _settings(given: dict[str, object]) -> "MtBenchSettings":
    from pydantic import ValidationError

    from ..evaluate.mt_bench.settings import MtBenchSettings

    try:
        return MtBenchSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}") from error


def _announce(*, stop: bool) -> "Callable[[CostEstimate], None]":
    from ..asking import describe_cost

    def announce(estimate: "CostEstimate") -> None:
        if stop:
            result(describe_cost(estimate))
            raise typer.Exit
        say(describe_cost(estimate))

    return announce


def _show(found: "MtBench", *, as_json: bool) -> None:
    from dataclasses import asdict

    from ..evaluate.mt_bench.words import rate_words, score_words, words

    if as_json:
        result_json(asdict(found))
        return
    rows = [(row.model, _line(row.category, row.turn), score_words(row.score), row.score.unscored, row.missing)
            for row in found.scores if row.turn is None or row.category is None]  # fmt: skip
    if rows:
        table(f"MT-Bench, rated by {found.judge}", ("model", "", "mean (95%)", "unscored", "not judged"), rows)
    pairs = [
        (_line(row.category, row.turn), rate_words(row.adjusted) if row.adjusted else "", row.wins, row.ties,
         row.losses, row.inconsistent, row.unscored)
        for row in found.pairs if row.turn is None or row.category is None
    ]  # fmt: skip
    if pairs:
        columns = ("", "wins, ties half (95%)", "wins", "ties", "losses", "orders disagree", "unscored")
        table(f"{found.tuned} against {found.base}, by {found.judge}", columns, pairs)
    first, *others = words(found)
    result(first)
    for sentence in others:
        say(f"- {sentence}")


def _line(category: str | None, turn: int | None) -> str:
    return category or (f"turn {turn}" if turn else "all")
