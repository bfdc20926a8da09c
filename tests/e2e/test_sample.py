"""From prompts to selected items with real weights: local writers, resumption, scores by an adapter."""

import json
import re

import pytest
import yaml
from prefloop.collect import read_items
from prefloop.collect.sampling.pool import read_prompts
from prefloop.collect.sampling.selection import SelectSettings
from prefloop.collect.sampling.writers import SampleSettings, WriterSettings, write_candidates
from prefloop.errors import UserError
from prefloop.loop import sample_items, score_pool, select_items
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run
from prefloop.train import TrainSettings, train_dpo


@pytest.fixture
def recipe(tmp_path, tiny_model):
    towns = ["Oslo", "Lima", "Porto"] * 3
    rows = [{"prompt": f"Is ticket {n} to {town} still to be had?"} for n, town in enumerate(towns)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "guidelines.md").write_text("Choose the kinder answer.")
    writer = {"count": 2, "max_new_tokens": 24, "batch_size": 4}
    tree = {
        "name": "sampled",
        "task": "Answers questions about tickets kindly.",
        "collect": {
            "items": "items.jsonl",
            "guidelines": "guidelines.md",
            "queue": "tickets",
            "sample": {"prompts": "prompts.jsonl", "writers": [writer]},
            "select": {"by": "margin", "count": 6, "control": 0.5},
        },
        "train": {"base_model": str(tiny_model.path)},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return load_recipe(tmp_path / "recipe.yaml")


@pytest.fixture
def run(recipe, tmp_path):
    return open_run(tmp_path / "run", resolved(recipe))


def with_collect(recipe, **changes):
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update=changes)})


def let_all_answers_end(run):
    """A random model never ends its answers; the stored ones are taken as ended, so that there is a pool."""
    path = run.folder / "collect" / "candidates.jsonl"
    path.write_text(path.read_text().replace('"length"', '"eos"'))


def test_a_killed_sampling_writes_what_an_uninterrupted_one_writes(recipe, tmp_path, tiny_model):
    settings = recipe.collect.sample
    prompts = {prompt.id: prompt.prompt for prompt in read_prompts(settings.prompts)}

    def write(path):
        return write_candidates(prompts, settings, base=str(tiny_model.path), path=path)

    whole = write(tmp_path / "whole.jsonl")
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == len(whole) == 18
    for kept in (3, 10):
        part = tmp_path / f"part{kept}.jsonl"
        part.write_text("".join(lines[:kept]) + lines[kept][:20])
        assert write(part) == whole
        assert len(part.read_text().splitlines()) == 18
    assert len({row.text for row in whole}) == 18  # two answers to a prompt differ
    assert re.fullmatch(r"[0-9a-f]{16}", whole[0].origin.revision)


def test_sampled_scored_and_selected(recipe, run, make_pairs, tiny_model, tmp_path):
    pool = sample_items(run, recipe)
    assert pool.left_out.keys() == {"cut off"}
    let_all_answers_end(run)
    pool = sample_items(run, recipe)
    assert (len(pool.items), pool.left_out, pool.prompts_without) == (9, {}, ())
    with pytest.raises(UserError, match="collect score"):
        select_items(run, recipe)
    with pytest.raises(UserError, match="nobody to score"):
        score_pool(run, recipe, None)

    settings = TrainSettings(base_model=str(tiny_model.path), max_length=128, batch_size=2, learning_rate=1e-2)
    adapter = train_dpo(make_pairs(8), settings, base=tiny_model, folder=tmp_path / "train")
    scored = score_pool(run, recipe, adapter.path)
    assert (scored.scorer, scored.items) == (f"adapter:{adapter.sha256[:16]}", 9)
    rows = [json.loads(line) for line in (run.folder / "collect" / "scores.jsonl").read_text().splitlines()]
    assert all(0 < row["p_a"] < 1 for row in rows)
    assert len({row["p_a"] for row in rows}) > 1

    selection = select_items(run, recipe)
    assert selection.arms == {"random": 3, "margin": 3}
    assert read_items(recipe.collect.items) == list(selection.items)
    assert select_items(run, recipe) == selection  # the same again is no harm
    sure = {row["item_id"]: abs(row["p_a"] - 0.5) for row in rows}
    taken = [sure[item.id] for item in selection.items if "arm:margin" in item.tags]
    assert min(taken) >= max(sure[item_id] for item_id in selection.not_selected)


def test_items_that_people_may_be_labelling_are_not_replaced(recipe, run):
    sample_items(run, recipe)
    let_all_answers_end(run)
    sample_items(run, recipe)
    random = with_collect(recipe, select=SelectSettings())
    recipe.collect.items.write_text((run.folder / "collect" / "pool.jsonl").read_text())
    with pytest.raises(UserError, match="people may be labelling"):
        select_items(run, random)


def test_an_adapter_that_is_none_and_a_recipe_without_a_section(recipe, run, tmp_path, tiny_model):
    (tmp_path / "empty").mkdir()
    prompt = read_prompts(recipe.collect.sample.prompts)[0].prompt
    settings = SampleSettings(prompts="p", writers=(WriterSettings(count=2, adapter=tmp_path / "empty"),))
    with pytest.raises(UserError, match="no adapter folder"):
        write_candidates({"p": prompt}, settings, base=str(tiny_model.path), path=tmp_path / "c")
    bare = with_collect(recipe, sample=None)
    with pytest.raises(UserError, match=r"collect\.sample"):
        sample_items(run, bare)
    with pytest.raises(UserError, match="collect sample"):
        select_items(run, recipe)
