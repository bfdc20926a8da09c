"""Everything an evaluation can measure, on one report: a tiny model, its adapter, and a judge behind real HTTP."""

import json
from dataclasses import replace

import pytest
from openai_server import answering
from prefloop.collect import Message
from prefloop.evaluate import (
    EvaluateSettings,
    evaluate_adapter,
    open_subject,
    read_report,
    write_report_json,
)
from prefloop.evaluate.gates import GateSettings, judge_gate
from prefloop.evaluate.page import write_page
from prefloop.runs import read_json
from tiny_model import make_tiny_adapter

VERDICT = "Both try. [[yes]] [[7]] [[A]]"
"""What the judge says to everything: the first answer wins, so that the two orders never agree."""
PROMPTS = {
    "single-v1": ("single", "[[rating]]", "{question}|{answer}"),
    "single-v1-multi-turn": ("single", "[[rating]]", "{question_1}|{answer_1}|{question_2}|{answer_2}"),
}


@pytest.fixture(scope="module")
def judge():
    with answering(lambda body: VERDICT) as endpoint:
        yield endpoint


@pytest.fixture
def adapter(tiny_model, tmp_path):
    return make_tiny_adapter(tiny_model.path, tmp_path / "adapter")


@pytest.fixture
def settings(judge, tmp_path):
    files = {name: tmp_path / f"{name}.jsonl" for name in ("general", "questions", "prompts")}
    rows = [{"question": f"Is {n} even?", "choices": ["yes", "no"], "answer": n % 2} for n in range(12)]
    asked = [{"question_id": 81 + n, "category": "writing", "turns": [f"Write {n}.", "Again."]} for n in range(6)]
    forms = [
        {"name": name, "type": kind, "output_format": form, "system_prompt": "Judge.", "prompt_template": text}
        for name, (kind, form, text) in PROMPTS.items()
    ]
    for path, lines in zip(files.values(), (rows, asked, forms), strict=True):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    endpoint = {"base_url": judge.url, "model": "judge", "input_price": 1.0, "output_price": 2.0, "budget": 10.0}
    return EvaluateSettings.model_validate(
        {
            "max_new_tokens": 8,
            "bootstrap": 1000,
            "check": {"max_words": 20},
            "judge": endpoint,
            "rubric": {"rubric": "Helpful?", "criteria": ["Names a town."]},
            "general": {"data": files["general"]},
            "tasks": {"run": [str(files["general"])]},
            "formats": {"data": files["general"], "resamples": 200},
            "mt_bench": {
                "questions": files["questions"], "prompts": files["prompts"], "judge": endpoint,
                "max_new_tokens": 8, "judge_max_tokens": 32,
            },
        }
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_all_parts_are_on_one_report_and_nothing_is_measured_twice(
    adapter, settings, tiny_model, make_pairs, judge, tmp_path
):
    sealed, folder = make_pairs(24), tmp_path / "evaluate"
    held = replace(sealed[0], prompt=(Message("user", "Is 3 even?"),))

    def evaluated():
        subject = open_subject(tiny_model, adapter)
        return evaluate_adapter(subject, sealed, settings, folder=folder, training=[*sealed[:2], held])

    report = evaluated()
    wins = report.win_rate
    assert (wins.wins, wins.losses, wins.unscored, wins.rate.value) == (0, 0, 0, 0.5)
    assert wins.inconsistent == sum(example.base != example.tuned for example in report.examples) > 0
    assert [line.what for line in report.rubric.lines] == ["Helpful?", "Names a town."]
    assert report.tasks.rows[0].questions == 12
    assert len(report.formats.variants) > 5
    assert {row.score.value for row in report.mt_bench.scores} == {7.0}
    assert report.contamination.benchmarks[0].overlapping.keys() >= {pair.prompt_id for pair in sealed[:2]}
    names = [benchmark.name for benchmark in report.contamination.benchmarks]
    assert names == ["sealed", "general.jsonl", "MT-Bench", "general"]
    without = {row.name: row.without for row in report.contamination.recomputed}
    assert without["Preference accuracy"].base.n < 24
    assert report.contamination.benchmarks[-1].overlapping == {"general:3": "exact"}
    assert without["general"].base.n == 11
    path = write_report_json(tmp_path / "report.json", report)
    assert read_report(path) == report

    count = len(judge.asked)
    again = evaluated()
    assert len(judge.asked) == count
    assert (again.preference, again.win_rate, again.rubric) == (report.preference, report.win_rate, report.rubric)
    assert again.tasks.asked_now == 0

    rules = GateSettings(non_inferior={"general": 50}, no_contamination=True, judge_audited=True)
    gate = judge_gate(read_json(path), rules)
    assert [rule.measured for rule in gate.rules] == [True, False, True]
    assert not gate.passed
    page = write_page(tmp_path / "report.html", report, gate=gate).read_text()
    for heading in ("Style or substance?", "MT-Bench", "Names a town.", "the orders disagree", "wordings"):
        assert heading in page, heading
    assert "<script" not in page
