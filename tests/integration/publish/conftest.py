"""One turn of the loop in miniature: a random two-layer model, an adapter that changes what it says, and a report."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefloop.collect import Agreement, Item, Message, Origin, PreferencePair
from prefloop.collect.intervals import Figure
from prefloop.collect.sealing.contamination import Overlap
from prefloop.evaluate.attacks import AttackReport, AttackResult
from prefloop.evaluate.contamination import Benchmark, Contamination, Recomputed
from prefloop.evaluate.estimate import Comparison, Estimate, LeftOut, ModelIdentity, WinRate
from prefloop.evaluate.formats import Flips, Formats, Spread, Variant
from prefloop.evaluate.gates import GateResult, RuleResult
from prefloop.evaluate.humans import HumanRound
from prefloop.evaluate.judge_audit import BesidePeople, JudgeAudit, Lean, Position
from prefloop.evaluate.judges.measure import Rubric, RubricLine
from prefloop.evaluate.leaderboard import GroupScore, Score
from prefloop.evaluate.mt_bench import MeanScore, PairRow, ScoreRow
from prefloop.evaluate.mt_bench.result import ModelAnswers, MtBench, ScoreDifference
from prefloop.evaluate.parts import Check, Criterion, Example, General, HowMade, Lengths, Preference, SealedSet, Slice
from prefloop.evaluate.report import Report
from prefloop.evaluate.statistics import decide, paired_difference
from prefloop.evaluate.style.result import Explained, FeatureChange, StyleFindings
from prefloop.evaluate.tasks.result import TaskResults, TaskRow
from prefloop.models import ModelFolder, fingerprint
from prefloop.publish import Evidence, PublishSettings, write_release
from prefloop.train import Adapter, TrainSettings
from prefloop.train.adapter import adapter_sha256, write_record
from prefloop.train.rows import data_sha256


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", "bytes", initializer_range=0.02)


@pytest.fixture(scope="session")
def adapter_folder(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter on it, as train/ leaves one but for its record."""
    from tiny_model import make_tiny_adapter
    from transformers import AutoTokenizer

    folder = make_tiny_adapter(base_folder, tmp_path_factory.mktemp("run") / "train" / "adapter", spread=0.3)
    (folder / "README.md").unlink(missing_ok=True)
    AutoTokenizer.from_pretrained(base_folder).save_pretrained(folder)
    return folder


def pair(prompt: str, chosen: str, rejected: str) -> PreferencePair:
    row = item(prompt, chosen, rejected)
    return PreferencePair(row.prompt, chosen, rejected, 2 / 3, row.id, (f"vote-{row.id}-1", f"vote-{row.id}-2"))


def item(prompt: str, a: str, b: str) -> Item:
    dataset, model = (
        Origin("dataset", "tiny-set", row="3"),
        Origin("model", "tiny-model", sampling={"temperature": 1.0}),
    )
    return Item((Message("user", prompt),), a, b, dataset, model)


TRAINING = tuple(pair(f"question {n}", f"secret good answer {n}", f"secret bad answer {n}") for n in range(6))
SEALED = tuple(pair(f"sealed question {n}", f"secret better {n}", f"secret worse {n}") for n in range(4))


def estimate(value: float, low: float, high: float, n: int = 41) -> Estimate:
    return Estimate(value, low, high, n, f"bootstrap over {n} prompts")


def compare(base: float, tuned: float, verdict: Any, n: int = 41) -> Comparison:
    difference = estimate(tuned - base, tuned - base - 0.07, tuned - base + 0.07, n)
    ends = estimate(base, base - 0.1, base + 0.1, n), estimate(tuned, tuned - 0.1, tuned + 0.1, n)
    return Comparison(*ends, difference, 0.03, 0.123, verdict, 300)


@pytest.fixture
def report() -> Report:
    """A report in which one number got better, one worse, and the others can't tell."""
    unclear = "can't tell yet"
    preference = Preference(
        normalised=compare(0.512, 0.731, "better"),
        summed=compare(0.275, 0.281, unclear),
        reward=estimate(0.704, 0.651, 0.757),
        margins=(0.1, -0.2),
        longer=estimate(0.673, 0.61, 0.73),
        shorter=estimate(0.327, 0.27, 0.39),
        best_rule="longer",
        over_rule=estimate(0.058, -0.02, 0.13),
        matched=compare(0.52, 0.6, unclear, 23),
        matched_within=0.2,
        ceiling=estimate(0.81, 0.79, 0.83),
        slices=(Slice("form", compare(0.5, 0.777, "better", 20), estimate(0.6, 0.5, 0.7, 20)),),
        ties={"normalised": 0},
    )
    settings = {
        "confidence": 0.95,
        "max_new_tokens": 8,
        "general": {"data": "/data/somewhere/arc.jsonl", "limit": None},
    }
    return Report(
        verdict="better",
        summary="On 41 sealed prompts the tuned model prefers what people chose in 0.731 of cases.",
        caveats=("Only 41 prompts were sealed.",),
        base=ModelIdentity("tiny", "local", "0" * 64),
        tuned=ModelIdentity("adapter", "local", "1" * 64),
        sealed=SealedSet(len(SEALED), 4, "2" * 64, 1),
        preference=preference,
        lengths=Lengths((8, 9), (6, 7), estimate(-2.0, -3.0, -1.0), 1, 0),
        check=Check((Criterion("shape", compare(0.2, 0.9, "better")), Criterion("all", compare(0.1, 0.8, "better")))),
        win_rate=WinRate("check", estimate(0.66, 0.55, 0.77), 20, 14, 7, 0, 0),
        general=General("arc.jsonl", "3" * 64, compare(0.31, 0.22, "worse", 200)),
        examples=(Example("p", (Message("user", "question 0"),), "base says", "tuned says", ("form",)),),
        left_out=(LeftOut("too long", ("a", "b")),),
        how=HowMade({"prefloop": "0.1.0"}, settings, 0, {"pairs": 1.5}, "2026-01-02T03:04:05+00:00"),
    )


def record_adapter(folder: Path, base: ModelFolder) -> Adapter:
    metrics = {"loss": 0.61, "rewards/accuracies": 0.72, "rewards/margins": 0.4}
    adapter = Adapter(
        folder, base.name, base.revision, base.sha256, data_sha256(TRAINING), adapter_sha256(folder), TrainSettings(),
        pairs=len(TRAINING), steps=3, seconds=123.0, pairs_per_second=0.5, metrics=metrics, versions={"trl": "1.16.0"},
    )  # fmt: skip
    write_record(adapter)
    return adapter


@pytest.fixture
def evidence(base_folder: Path, adapter_folder: Path, report: Report) -> Evidence:
    """All of it together, with the base as a local folder and paths of this machine in the recipe."""
    base = ModelFolder(str(base_folder), base_folder, "folder", "local", fingerprint(base_folder))
    adapter = record_adapter(adapter_folder, base)
    recipe = {
        "name": "tiny-run",
        "task": "Answer a question in one word.\n",
        "collect": {"items": "/data/of/mine/items.jsonl", "votes": None, "sealed_seed": 7, "queue": "tiny"},
        "train": json.loads(TrainSettings(base_model=str(base_folder)).model_dump_json()),
        "evaluate": {},
        "publish": {},
    }
    collection = {
        "queue": "tiny", "protocol": "abc", "items": 12, "votes": 40, "statuses": {"submitted": 36, "discarded": 4},
        "unanswered": 1, "foreign": [], "outcomes": {"A": 6, "B": 4, "tie": 2}, "left_out": {"tie": ["x", "y"]},
        "edits": 0, "edits_left_out": [], "sealed_prompts": 4, "training_pairs": 6, "sealed_pairs": 4,
        "agreement": {
            "items": 11, "votes": 36, "annotators": 5, "alpha": 0.412, "alpha_interval": [0.3, 0.5], "pairwise": 0.678,
            "pairwise_interval": [0.6, 0.7], "choices": {"A": 20, "B": 12, "tie": 4}, "first_shown": 0.55,
        },
    }  # fmt: skip
    items = [item("question 0", "a", "b"), item("question 1", "c", "d")]
    tuned = replace(report.tuned, sha256=adapter.sha256)
    return Evidence(recipe, base, adapter, collection, items, TRAINING, SEALED, replace(report, tuned=tuned))


@pytest.fixture
def report_html(tmp_path: Path, base_folder: Path) -> Path:
    """A page that names folders of this machine, as a traceback or a setting in it might."""
    path = tmp_path / "run" / "report.html"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"<html><p>base {base_folder}, run {path.parent}/train/adapter</p></html>")
    return path


def all_parts(report: Report) -> Report:
    """Add every part that a report can have, each with numbers of its own."""
    unclear, people = "can't tell yet", Agreement(20, 60, 3, 0.44, (0.31, 0.57), 0.71, (0.62, 0.79), {"A": 60}, 0.5)
    won = WinRate("judge-7b", estimate(0.661, 0.552, 0.774), 20, 14, 7, 3, 5)
    change = paired_difference([1.0, 1.0, 1.0, 0.0] * 10, [0.0, 1.0, 0.0, 0.0] * 10)
    score = GroupScore(
        "arc", "arc (own sample)", Score(31.4, 4.1, 23.3, 39.5), Score(0.486, 0.031, 0.425, 0.547), "binomial",
        (), (), ("another sample",), (),
    )  # fmt: skip
    spread = Spread(0.61, 0.03, 0.66, 0.57, "letters", "words", estimate(0.09, 0.04, 0.14), 0.05, 0.02)
    wording = Variant("letters", "A or B?", estimate(0.58, 0.5, 0.66), estimate(0.64, 0.56, 0.72), decide(change))
    rating = ScoreRow("judge-7b", "tuned", None, None, MeanScore(6.43, 0.2, 6.03, 6.83, 160, 2, 80, 0), 0)
    duel = PairRow(
        "judge-7b", "tuned", ("base",), None, None, 31, 22, 18, 4, 12, 9, 3, 0, 0, None,
        Figure(0.592, 0.511, 0.673, 71), None,
    )  # fmt: skip
    by_judge = estimate(0.66, 0.55, 0.77)
    explained = Explained(estimate(0.62, 0.53, 0.71), estimate(0.04, -0.02, 0.1), None, (), estimate(0.57, 0.5, 0.64))
    longer = FeatureChange("tokens", 30.0, 36.5, estimate(6.5, 2.5, 10.5))
    leaning = Lean(estimate(0.68, 0.6, 0.76), estimate(0.53, 0.45, 0.61), estimate(0.15, 0.07, 0.23))
    return replace(
        report,
        win_rate=won,
        tasks=TaskResults(
            models=(report.base, report.tuned),
            rows=(
                TaskRow(
                    "arc", "your own", "arc (own sample)", "acc", score, score, decide(change), "questions", 40, (), 9.0
                ),
            ),
            averages=(), chat_template=True, limit=40, confidence=0.95, margin=None, settings={}, commands=(),
            asked_now=0, tasks=1, left_out=(), versions={}, seconds=9.0, created="2026-01-02T03:04:05+00:00",
        ),
        formats=Formats(
            "arc.jsonl", "4" * 64, 120, (report.base, report.tuned), (wording, replace(wording, name="words")), spread,
            spread, Flips(1, 0, 1, 1, 0), (), {}, 0.95, 3.0, "2026-01-02T03:04:05+00:00",
        ),
        mt_bench=MtBench(
            "judge-7b", ("rev-1",), "base", "tuned", 80, (ModelAnswers("tuned", 160, 11),), (rating,), (rating,),
            (ScoreDifference(None, 0.52, 0.14, 0.24, 0.8, 0.001, 158, 80),), (duel,), (), (), 640, 90_000, 12_000, 1.75,
            {}, {}, {},
        ),
        rubric=Rubric(
            "judge-7b", (RubricLine("criterion", "Names a town.", compare(0.33, 0.58, unclear), ("p1",)),), 82, 0.4
        ),
        style=StyleFindings(
            "substance", "judge-7b", 41, by_judge, estimate(0.63, 0.54, 0.72), estimate(0.62, 0.53, 0.71), explained,
            (longer,), None, None, None, (), (), (),
        ),
        contamination=Contamination(
            6, (Benchmark("sealed", 4, {"s1": "exact"}),),
            (Overlap("pair", "prompt", "exact", "sealed.json", "s1", 1.0),),
            (Recomputed("preference", compare(0.512, 0.731, "better"), compare(0.5, 0.7, unclear, 37), ("s1",)),),
        ),
        humans=HumanRound(
            "round", "base", "tuned", 41, 38, ("e1", "e2", "e3"), {}, ("u1",), (), 3,
            {"tuned": 62, "base": 31, "tie": 15}, {}, 22, 9, 7, 3, estimate(0.644, 0.561, 0.727), "better", people,
            "abc",
        ),
        judge_audit=JudgeAudit(
            judge="judge-7b", items=120, prompts=90, unscored=("i1",), not_asked=(), without_votes=(),
            no_majority=("i2",), agreement=estimate(0.742, 0.668, 0.816, 118), decided=None, with_ties=None, kappa=None,
            beside=BesidePeople(estimate(0.73, 0.65, 0.81), estimate(0.79, 0.71, 0.87), estimate(-0.06, -0.12, 0.0), 3),
            beside_with_ties=None, longer=estimate(0.6, 0.5, 0.7), over_longer=estimate(0.14, 0.05, 0.23),
            position=Position(estimate(0.78, 0.7, 0.86), estimate(0.63, 0.55, 0.71), 14, 3), length=leaning, own=None,
            tags=(), flags={}, margin=0.05, may_gate=False,
            reasons=("it is not shown to be within 5 points of people",),
        ),
        attacks=AttackReport(
            "judge-7b", 24,
            (
                AttackResult(
                    "empty praise", "praise and no answer", estimate(0.29, 0.15, 0.48, 24),
                    estimate(0.46, 0.28, 0.65, 24), 7, 4, 13, (), (), 6,
                ),
            ),
        ),
    )  # fmt: skip


@pytest.fixture
def whole(evidence: Evidence) -> Evidence:
    """Evidence whose report has every part, with a gate and a training's curves."""
    gate = GateResult(False, (RuleResult("general: not worse by more than 3 points", False, "up to 16 points lost"),))
    curves = [{"step": step, "loss": 0.7 - step / 50, "rewards/accuracies": 0.5 + step / 20} for step in (1, 2, 3)]
    return replace(evidence, report=all_parts(evidence.report), gate=gate, metrics=curves)


@pytest.fixture
def released(whole: Evidence, report_html: Path, tmp_path: Path) -> Path:
    """A release folder of it, licensed so that nothing is to be mended."""
    settings = PublishSettings(license="mit", base_license="apache-2.0", languages=("en",), repo="me/mine")
    recipe = whole.recipe | {"publish": settings.model_dump(mode="json")}
    report_html.write_text("<html><p>a report</p></html>")
    folder = tmp_path / "run" / "release"
    write_release(folder, replace(whole, recipe=recipe), settings, report_html=report_html)
    return folder
