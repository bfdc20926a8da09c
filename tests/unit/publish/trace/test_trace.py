"""Each link of the chain, broken once: found, and named. Nothing is called verified that was not computed."""

import hashlib
import json
import shutil
from typing import Any

import pytest
from prefloop.cli import app
from prefloop.collect import read_pairs
from prefloop.collect.item import content_hash
from prefloop.errors import UserError
from prefloop.publish.release import _hashes
from prefloop.publish.trace import Step, Trace, find_pairs, pair_step, trace_release
from prefloop.runs import read_json, write_json
from prefloop.train.adapter import adapter_sha256
from typer.testing import CliRunner


def marks(step: Step, mark: str) -> list[str]:
    """Every sentence with this mark."""
    return [check.what for check in step.checks if check.mark == mark] + [
        what for inner in step.steps for what in marks(inner, mark)
    ]


def traced(case: Any) -> Trace:
    return trace_release(str(case.release), data=case.data)


def wrong(case: Any) -> str:
    return "\n".join(marks(traced(case).root, "wrong"))


def step(trace: Trace, title: str) -> Step:
    return next(one for one in trace.root.steps if one.title.startswith(title))


def test_an_honest_release_is_verified_down_to_the_annotators(case: Any) -> None:
    found = traced(case)
    assert marks(found.root, "wrong") == []
    assert found.marks["verified"] >= 25
    assert marks(found.root, "unchecked") == [
        "a local folder: nothing outside it vouches for release.json itself",
        "its weights are not on this machine; nothing was downloaded to look",
    ]
    [people] = step(found, "votes").steps
    assert len(people.facts) == 3
    assert all(name.startswith("annotator-") for name in people.facts)


def test_a_run_is_traced_with_its_own_files_and_the_sealed_pairs_too(case: Any) -> None:
    found = trace_release(str(case.run))
    assert marks(found.root, "wrong") == []
    assert any(
        "sealed pairs have ids that are the hash of the run's texts" in one for one in marks(found.root, "verified")
    )


def test_without_a_data_set_no_text_is_claimed_to_be_looked_at(case: Any) -> None:
    found = trace_release(str(case.release))
    assert "no data set was published with it" in "\n".join(marks(found.root, "unchecked"))
    assert not any("hash of prompt" in one for one in marks(found.root, "verified"))


def test_edited_weights(case: Any) -> None:
    (case.release / "adapter_model.safetensors").write_bytes(b"other weights")
    assert "adapter_model.safetensors" in wrong(case)
    case.rehash()
    told = wrong(case)
    assert "files are missing" not in told
    assert "config and weights have the fingerprint" in told
    assert "but trained as" in told


def test_an_edited_recipe(case: Any) -> None:
    row = read_json(case.release / "recipe.json")
    write_json(case.release / "recipe.json", row | {"train": row["train"] | {"beta": 0.7}})
    assert "recipe.json" in wrong(case)
    case.rehash()
    assert "training settings are not those that the training recorded: beta" in wrong(case)


def test_other_rules_for_pairs(case: Any) -> None:
    case.edit("recipe.json", lambda row: row["collect"]["pairs"].update(min_margin=3))
    assert "the rules for making pairs" in wrong(case)


def test_a_removed_vote(case: Any) -> None:
    def change(row: Any) -> None:
        self_named = row["training"][0]["vote_ids"][0]
        row["votes"] = [vote for vote in row["votes"] if vote["id"] != self_named]
        removed.append(self_named)

    removed: list[str] = []
    case.edit("data.json", change)
    told = wrong(case)
    assert "names votes that are not listed" in told
    assert removed[0] in told
    assert "votes by status" in told


def test_a_vote_removed_from_the_data_set(case: Any) -> None:
    first, *rest = case.rows("votes")
    case.write("votes", rest)
    told = wrong(case)
    assert "votes.jsonl" in told
    assert f"votes are missing ({first['id']})" in told


def test_a_vote_turned_round(case: Any) -> None:
    def change(row: Any) -> None:
        pair = next(pair for pair in row["training"] if pair["kind"] == "vote" and pair["weight"] == 1)
        for vote in row["votes"]:
            if vote["id"] in pair["vote_ids"]:
                vote["choice"] = {"A": "B", "B": "A"}[vote["choice"]]
        turned.append(pair["id"])

    turned: list[str] = []
    case.edit("data.json", change)
    told = wrong(case)
    assert f"{turned[0]} has" in told
    assert "but its votes say" in told
    assert "say something else than in data.json" in told


@pytest.mark.parametrize("forged_id", [False, True])
def test_chosen_and_rejected_swapped_in_the_data_set(case: Any, forged_id: bool) -> None:
    rows = case.rows("pairs")
    row = next(row for row in rows if row["kind"] == "vote")
    row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
    was = row["id"]
    if forged_id:
        row["id"] = content_hash([row["prompt"], row["chosen"][0]["content"], row["rejected"][0]["content"]])
    case.write("pairs", rows)
    told = wrong(case)
    assert was in told
    assert ("are not there" if forged_id else "with chosen and rejected swapped") in told
    assert "pairs.jsonl" in told


def test_chosen_and_rejected_swapped_in_the_release(case: Any) -> None:
    def change(row: Any) -> None:
        pair = next(pair for pair in row["training"] if pair["kind"] == "vote")
        pair["chosen"], pair["rejected"] = pair["rejected"], pair["chosen"]

    case.edit("data.json", change)
    assert "but its votes say" in wrong(case)


def test_another_data_set(case: Any) -> None:
    """As where release.json names another revision: its files are whole, but they are other data."""
    lineage = read_json(case.data / "lineage.json")
    rows = case.rows("pairs")
    rows[0]["chosen"][0]["content"] += " And more."
    case.write("pairs", rows)
    lineage["sha256"]["pairs.jsonl"] = hashlib.sha256((case.data / "pairs.jsonl").read_bytes()).hexdigest()
    write_json(case.data / "lineage.json", lineage)
    told = wrong(case)
    assert "is not the hash of its lineage and card" in told
    assert "the training recorded" in told


def test_a_writer_made_up(case: Any) -> None:
    rows = case.rows("items")
    rows[0]["candidates"][0]["origin"]["name"] = "somebody-else"
    case.write("items", rows)
    told = wrong(case)
    assert f"or writers than their ids say: {rows[0]['id']}" in told
    assert "name other writers there" in told


def test_a_sealed_row_in_the_data_set(case: Any) -> None:
    [sealed, *_] = read_pairs(case.run / "collect" / "sealed_pairs.jsonl")
    rows = case.rows("pairs")
    prompt = [{"role": one.role, "content": one.content} for one in sealed.prompt]
    rows[0] |= {"prompt": prompt, "id": "f" * 16}
    case.write("pairs", rows)
    assert "prompts that were set apart: ffffffffffffffff" in wrong(case)


def test_another_base(case: Any) -> None:
    case.edit("report.json", lambda row: row["base"].update(sha256="c" * 64))
    assert "report.json name another base" in wrong(case)


def test_a_file_that_nobody_named(case: Any) -> None:
    (case.release / "extra.bin").write_bytes(b"?")
    assert "release.json does not name: extra.bin" in wrong(case)


def test_a_file_of_another_form_is_wrong_and_stops_nothing(case: Any) -> None:
    (case.release / "data.json").write_text('{"training": 3}')
    told = wrong(case)
    assert "data.json is not of the form" in told
    assert step(traced(case), "weights").checks[0].mark == "verified"


def test_an_older_release_is_read_and_says_what_it_can_not_show(case: Any) -> None:
    def older(row: Any) -> None:
        for name in ("items", "votes", "guidelines_sha256"):
            del row[name]
        for pair in (*row["training"], *row["sealed"]):
            pair.pop("chosen", None)
            pair.pop("rejected", None)

    case.edit("data.json", older)
    mark = read_json(case.release / "release.json")
    write_json(
        case.release / "release.json",
        {key: value for key, value in mark.items() if key not in ("data", "ancestors")} | {"format": 1},
    )
    found = traced(case)
    assert marks(found.root, "wrong") == []
    assert "format 1" in "\n".join(marks(found.root, "unchecked"))
    assert not any("added up again" in one for one in marks(found.root, "verified"))


def test_a_newer_release_says_what_to_do(case: Any) -> None:
    mark = read_json(case.release / "release.json")
    write_json(case.release / "release.json", mark | {"format": 99})
    with pytest.raises(UserError, match="update prefloop"):
        trace_release(str(case.release))


def test_a_second_round_goes_on_into_the_first_and_no_loop_runs_for_ever(case: Any) -> None:
    mark = read_json(case.release / "release.json")
    first = case.run.parent / "first"
    shutil.copytree(case.release, first / "release")
    (first / "release" / "adapter_model.safetensors").write_bytes(b"first round")
    sha256 = adapter_sha256(first / "release")
    here = {"role": "base_adapter", "name": "x/second", "revision": None, "sha256": mark["trained_sha256"]}
    write_json(
        first / "release" / "release.json",
        mark | {"trained_sha256": sha256, "ancestors": [here], "files": _hashes(first / "release")},
    )
    older = {"role": "base_adapter", "name": str(first / "release"), "revision": None, "sha256": sha256}
    case.edit("prefloop.json", lambda row: row.update(base_adapter_sha256=sha256))
    mark = read_json(case.release / "release.json")
    write_json(case.release / "release.json", mark | {"ancestors": [older]})
    found = traced(case)
    [one] = [inner for inner in found.root.steps if inner.title.startswith("adapter it went on from: release")]
    assert one.checks[0].mark == "verified"
    assert one.steps[0].title.startswith("model first-replies")
    [loop] = [inner for inner in one.steps[0].steps if inner.title.endswith("release x/second")]
    assert [check.what for check in loop.checks] == ["it is the model walked above"]
    assert "the training recorded the release named above" in "\n".join(marks(found.root, "verified"))


def test_one_pair_to_its_votes(case: Any) -> None:
    found = traced(case)
    walk = next(pair for pair in found.pairs if pair.part == "training" and pair.kind == "vote")
    tree = pair_step(find_pairs(found.pairs, walk.id[:10])[0], found.texts)
    assert [check.mark for check in tree.checks] == ["verified", "verified"]
    assert "user says" in tree.facts
    candidates, votes = tree.steps
    assert {name.partition(" ")[2] for name in candidates.facts} == {"(chosen)", "(rejected)"}
    assert list(votes.facts) == list(walk.named)
    assert all("annotator-" in str(said) for said in votes.facts.values())
    with pytest.raises(UserError, match="no pair"):
        find_pairs(found.pairs, "nothing")
    with pytest.raises(UserError, match="write more"):
        find_pairs(found.pairs, walk.id[:1])


def test_an_edits_author_is_named_by_pseudonym(case: Any) -> None:
    found = traced(case)
    walk = next(pair for pair in found.pairs if pair.kind == "edit_over_rejected")
    tree = pair_step(walk, found.texts)
    assert [check.mark for check in tree.checks] == ["verified", "verified"]
    assert str(tree.steps[0].facts["edit (chosen)"]).startswith("written by annotator-")


def test_the_command(case: Any) -> None:
    run = CliRunner()
    good = run.invoke(app, ["trace", str(case.release), "--data", str(case.data)])
    assert good.exit_code == 0, good.output
    assert "0 wrong" in good.output
    assert "✓" in good.output
    row = json.loads(run.invoke(app, ["trace", str(case.run), "--json"]).output)
    assert row["marks"]["wrong"] == 0
    assert {pair["part"] for pair in row["pairs"]} == {"training", "sealed"}
    assert all(pair["votes"] for pair in row["pairs"])
    names = {vote["annotator"] for pair in row["pairs"] for vote in pair["votes"]}
    assert all(name.startswith("annotator-") for name in names)
    (case.release / "adapter_model.safetensors").write_bytes(b"other")
    bad = run.invoke(app, ["trace", str(case.release)])
    assert bad.exit_code == 1
    assert "WRONG" in bad.output


def test_bad_input(case: Any, tmp_path: Any) -> None:
    for source in ("no such thing", str(tmp_path / "data"), "org/name@"):
        with pytest.raises(UserError):
            trace_release(source)
    with pytest.raises(UserError, match="no data set of prefloop's"):
        trace_release(str(case.release), data=tmp_path)
