"""The verbs of other people's data: imports, recorded votes made into pairs, and the data set folder."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..console import facts, progress_bar, result_json, say, table
from ..errors import UserError
from .options import Json, Overrides, RecipePath, RunFolder, open_recipe

app = typer.Typer()
REASONS = 20
"""So many reasons are shown; source.json has them all."""

MAP_HELP = "Our column=the source's: --map prompt=question. Dots reach into fields: --map prompt=task.text."
LABEL_HELP = "Our choice=the source's label: --label A=1 --label B=2 --label tie=0."


@app.command("import")
def collect_import(
    kind: Annotated[str, typer.Argument(help="The kind of source, see above.", show_default=False)],
    place: Annotated[str, typer.Argument(help="A file, a data set's folder or Hub name, or workspace/dataset.")],
    out: Annotated[Path, typer.Option(help="A new folder for items, votes and source.", show_default=False)],
    columns: Annotated[list[str], typer.Option("--map", help=MAP_HELP, metavar="OURS=THEIRS")] = [],  # noqa: B006
    labels: Annotated[list[str], typer.Option("--label", help=LABEL_HELP, metavar="OURS=THEIRS")] = [],  # noqa: B006
    licence: Annotated[
        str | None, typer.Option("--license", help="The data's licence, where we don't know it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Names the data in origins and vote ids.")] = None,
    protocol: Annotated[str | None, typer.Option(help="Who judged what and how, in a sentence.")] = None,
    limit: Annotated[int | None, typer.Option(help="Read only so many rows.", min=1)] = None,
    split: Annotated[str | None, typer.Option(help="A data set's split.")] = None,
    config: Annotated[str | None, typer.Option(help="A data set's configuration.")] = None,
    revision: Annotated[str | None, typer.Option(help="A data set's revision on the Hub.")] = None,
    as_json: Json = False,
) -> None:
    """Turn preference data into items and votes, with protocol, licence and origin kept.

    \b
    table                     your own JSONL, JSON, CSV or Parquet, or any data set, with --map
    ultrafeedback             openbmb/UltraFeedback: pairs by the mean of the four aspects
    ultrafeedback-binarized   HuggingFaceH4/ultrafeedback_binarized
    hh-rlhf                   Anthropic/hh-rlhf transcripts
    pandalm                   PandaLM's test set, three votes each
    arena                     lmsys/chatbot_arena_conversations
    mt-bench                  lmsys/mt_bench_human_judgments (--split human)
    llmbar                    LLMBar's instances
    label-studio              a Label Studio JSON export, with --map
    argilla                   another Argilla server's workspace/dataset, with --map; the server
                              is the one that ARGILLA_API_URL and ARGILLA_API_KEY name

    A table has chosen and rejected, or response_a and response_b, with or without a label; without one, its items are
    there to be labelled. Rows that can't be taken are refused with a reason; source.json names every one.

    \b
    prefloop collect import table votes.csv --map prompt=question --map label=winner --license cc-by-4.0 --out data/mine
    prefloop collect import pandalm testset-v1.json --out data/pandalm
    """  # noqa: D301  # typer takes a backspace for "leave these lines as they are"
    from ..collect.sources import Options, counted, write_import
    from ..loop import import_data

    options = Options(
        columns=_mapping(columns, "--map"),
        labels={theirs: ours for ours, theirs in _entries(labels, "--label")},
        name=name,
        licence=licence,
        protocol=protocol,
        limit=limit,
        split=split,
        config=config,
        revision=revision,
    )
    with progress_bar("import") as progress:
        imported = import_data(kind, place, options, progress)
    write_import(out, imported)
    row = counted(imported)
    result_json(row) if as_json else _show_imported(row)
    say(f"In a recipe: collect.items: {out / 'items.jsonl'}, collect.votes: {out / 'votes.jsonl'}")
    say("Next: `prefloop collect adopt` makes pairs of the votes; `collect push` asks people about the items.")


@app.command("adopt")
def collect_adopt(recipe: RecipePath, run: RunFolder = None, overrides: Overrides = [], as_json: Json = False) -> None:  # noqa: B006
    """Make pairs of the recipe's recorded votes (collect.votes) directly, without any Argilla.

    Prompts are sealed first, as before labelling. Then train, evaluate and publish go on as after a pull.
    """
    from ..loop import adopt_votes
    from ..runs import read_json
    from .collect import show_collected

    settings, opened = open_recipe(recipe, run, overrides)
    with opened.locked():
        adopt_votes(opened, settings)
    summary = read_json(opened.folder / "collect" / "summary.json")
    result_json(summary) if as_json else show_collected(summary)
    if summary["foreign"]:
        say(f"votes on {len(summary['foreign'])} items that are not in collect.items were left out")


@app.command("export")
def collect_export(
    recipe: RecipePath,
    to: Annotated[Path, typer.Option("--to", help="A new folder for the data set.", show_default=False)],
    licence: Annotated[
        str,
        typer.Option("--license", help="The data set's licence as the Hub spells it: cc-by-4.0.", show_default=False),
    ],
    run: RunFolder = None,
    languages: Annotated[list[str], typer.Option("--language", help="A language code, again for more.")] = [],  # noqa: B006
    name: Annotated[str | None, typer.Option(help="The data set's name.", show_default="the recipe's name")] = None,
    votes: Annotated[bool, typer.Option(help="Also every vote, its annotator by pseudonym.")] = True,
    items: Annotated[bool, typer.Option(help="Also the items, with those that gave no pair.")] = False,
    consent: Annotated[
        str, typer.Option(help="Why the annotators' votes may be given away, in a sentence.", show_default="not said")
    ] = "",
    overrides: Overrides = [],  # noqa: B006
    as_json: Json = False,
) -> None:
    """Write the training pairs as a data set folder with a card, licence, lineage and per-row vote ids.

    `datasets.load_dataset(FOLDER)` reads it. The same votes always give the same bytes, and the version is their hash.
    Sealed prompts stay out of every part; annotators appear by pseudonym only. Nothing is uploaded: `prefloop
    publish --data-repo` pushes such a folder beside the model.
    """
    from dataclasses import asdict

    from ..collect.data_card import ExportSettings
    from ..loop import export_run

    settings, opened = open_recipe(recipe, run, overrides)
    export = ExportSettings(
        name or settings.name, settings.task, licence, tuple(languages), votes=votes, items=items, consent=consent
    )
    with opened.locked():
        exported = export_run(opened, settings, to, export)
    if as_json:
        result_json(asdict(exported) | {"folder": str(exported.folder)})
        return
    shown: dict[str, object] = {"version": exported.version, **exported.rows}
    shown |= {f"left out: {what}": count for what, count in exported.left_out.items()}
    facts(f"Data set {exported.folder}", shown)
    if exported.already_there:
        say("The folder held this very version already.")


def _show_imported(row: dict[str, Any]) -> None:
    counts = {what: row[what] for what in ("rows", "taken", "items", "votes", "annotators")}
    refused = sum(len(ids) for ids in row["refused"].values())
    facts(f"Imported from {row['name']}", counts | {"refused": refused, "licence": row["licence"]})
    for title, reasons in (("Refused", row["refused"]), ("Taken, but", row["notes"])):
        ranked = sorted(reasons.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        if ranked:
            rows = [(len(ids), reason, ", ".join(ids[:3])) for reason, ids in ranked[:REASONS]]
            table(title, ("rows", "reason", "first rows"), rows)
        if len(ranked) > REASONS:
            say(f"and {len(ranked) - REASONS} more reasons, in source.json")
    if row["licence_note"]:
        say(f"Licence: {row['licence']}; {row['licence_note']}")


def _mapping(entries: list[str], option: str) -> dict[str, str]:
    return dict(_entries(entries, option))


def _entries(entries: list[str], option: str) -> list[tuple[str, str]]:
    parted = [entry.partition("=") for entry in entries]
    wrong = [
        entry for entry, (ours, equals, theirs) in zip(entries, parted, strict=True) if not (ours and equals and theirs)
    ]
    if wrong:
        raise UserError(f"{option} {wrong[0]!r} is not of the form ours=theirs")
    return [(ours.strip(), theirs.strip()) for ours, _, theirs in parted]
