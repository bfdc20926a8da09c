"""Round again with the new model: the second is held to the first, compared with it, and leads back to it."""

import shutil
from pathlib import Path

import prefloop
import pytest
import torch
from peft import PeftModel
from prefloop.collect import read_items, read_pairs, read_votes, write_rows
from prefloop.errors import UserError
from prefloop.evaluate import open_trained
from prefloop.loop import adopt_votes, evaluate_run, release_run, train_adapter
from prefloop.loop.lineage import EarlierRounds, earlier_rounds, run_lineage
from prefloop.models import load_model
from prefloop.publish.trace import trace_release
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, read_json
from prefloop.train import merge_adapter, read_adapter

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit"),
]

DEMO = Path(prefloop.__path__[0]) / "recipes/demo/recipe.yaml"
QUICK = (
    "train.loss_type=[sigmoid]", "train.loss_weights=null", "train.epochs=1", "train.batch_size=16",
    "train.lora_rank=4", "train.held_out.share=0", "evaluate.max_new_tokens=4", "evaluate.bootstrap=1000",
    "evaluate.general=null", "evaluate.check=null", "publish.license=mit", "publish.examples=false",
)  # fmt: skip


def one_round(folder, *changes):
    recipe = load_recipe(DEMO, [*QUICK, *changes])
    run = open_run(folder, resolved(recipe))
    adopt_votes(run, recipe)
    train_adapter(run, recipe)
    evaluate_run(run, recipe)
    release_run(run, recipe)
    return run


@pytest.fixture(scope="module")
def rounds(tiny_model, tmp_path_factory):
    """Two rounds; what the first was trained on is partly what the second is measured on."""
    folder = tmp_path_factory.mktemp("rounds")
    items = read_items(DEMO.parent / "items.jsonl")[:60]
    write_rows(folder / "items.jsonl", items)
    asked = {item.id for item in items}
    write_rows(
        folder / "votes.jsonl", [vote for vote in read_votes(DEMO.parent / "votes.jsonl") if vote.item_id in asked]
    )
    alike = (
        f"train.base_model={tiny_model.path}", f"collect.items={folder / 'items.jsonl'}",
        f"collect.votes={folder / 'votes.jsonl'}",
    )  # fmt: skip
    first = one_round(folder / "round-1", "name=round-1", *alike)
    before = f"train.base_adapter={first.folder / 'train' / 'adapter'}"
    return first, one_round(folder / "round-2", "name=round-2", before, "collect.sealed_seed=7", *alike)


def steps(step):
    yield step
    for inner in step.steps:
        yield from steps(inner)


def test_the_report_compares_with_the_model_of_the_round_before(rounds):
    first, second = rounds
    report, before = read_json(second.folder / "report.json"), read_adapter(first.folder / "train" / "adapter")
    assert report["base"]["sha256"] == before.sha256
    assert report["base"]["name"].endswith("+ round-1")
    assert "this round's gain" in report["caveats"][0]
    card = (second.folder / "release" / "README.md").read_text()
    assert "**Against the adapter it went on from:" in card
    assert "its base model: " not in card


def test_the_base_that_is_asked_is_what_training_went_on_from(rounds, tiny_model):
    first, second = (run.folder / "train" / "adapter" for run in rounds)
    subject, ids = open_trained(tiny_model, second), torch.tensor([[5, 6, 7, 8, 9, 10]])

    def alone(adapter):
        model = load_model(tiny_model.path)
        return PeftModel.from_pretrained(model, str(adapter), autocast_adapter_dtype=False).eval()(ids).logits

    def asked(who):
        with subject.as_(who) as model:
            return model(ids).logits

    with torch.no_grad():
        expected = {"base": alone(first), "tuned": alone(second)}
        for who in ("tuned", "base", "tuned"):
            assert torch.equal(asked(who), expected[who])
    assert not torch.equal(expected["base"], expected["tuned"])


def test_what_the_round_before_was_trained_on_counts_as_training_data(rounds):
    first, second = rounds
    known = {pair.prompt_id for pair in read_pairs(first.folder / "collect" / "pairs.jsonl")}
    sealed = read_pairs(second.folder / "collect" / "sealed_pairs.jsonl")
    again = {pair.prompt_id for pair in sealed} & known
    assert again
    [found] = [one for one in read_json(second.folder / "report.json")["contamination"]["benchmarks"] if one["items"]]
    assert again <= set(found["overlapping"])


def test_its_release_leads_back_to_the_first_one(rounds):
    _, second = rounds
    trace = trace_release(str(second.folder))
    assert trace.marks.get("wrong", 0) == 0
    titles = [step.title for step in steps(trace.root)]
    assert "adapter it went on from: release round-1" in titles
    [continued] = [step for step in steps(trace.root) if step.title == "adapter it went on from"]
    assert [check.mark for check in continued.checks] == ["verified", "verified"]


@pytest.fixture(scope="module")
def merged(rounds, tiny_model):
    run = rounds[0].folder
    pairs, adapter = read_pairs(run / "collect" / "pairs.jsonl")[:4], read_adapter(run / "train" / "adapter")
    return merge_adapter(adapter, tiny_model, run / "export" / "safetensors", pairs)


def test_a_merged_model_is_known_as_what_it_was_merged_from(rounds, merged):
    first, second = rounds
    adapter = read_adapter(first.folder / "train" / "adapter")
    recipe = load_recipe(DEMO, [*QUICK, f"train.base_model={merged.path}"])
    [ancestor] = run_lineage(second, recipe, merged).ancestors
    assert (ancestor.role, ancestor.name, ancestor.sha256) == ("base", "round-1", adapter.sha256)
    known = earlier_rounds(recipe)
    assert list(known.pairs) == read_pairs(first.folder / "collect" / "pairs.jsonl")
    assert known.unseen == ()


@pytest.mark.parametrize("kind", ["adapter", "whole model"])
def test_a_round_before_whose_pairs_are_elsewhere_is_told(rounds, tiny_model, merged, kind, tmp_path):
    first, _ = rounds
    made = {"adapter": first.folder / "train" / "adapter", "whole model": merged.path}
    away = tmp_path / "from-elsewhere"
    shutil.copytree(made[kind], away)
    named = "base_adapter" if kind == "adapter" else "base_model"
    recipe = load_recipe(DEMO, [*QUICK, f"train.base_model={tiny_model.path}", f"train.{named}={away}"])
    assert earlier_rounds(recipe) == EarlierRounds((), (away.name,))


def test_without_the_adapter_it_went_on_from_nothing_is_compared(rounds, tiny_model, tmp_path):
    first, second = rounds
    moved = (first.folder / "train" / "adapter").rename(tmp_path / "elsewhere")
    try:
        with pytest.raises(UserError, match="put it back"):
            open_trained(tiny_model, second.folder / "train" / "adapter")
    finally:
        moved.rename(first.folder / "train" / "adapter")
