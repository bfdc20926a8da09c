"""Every way from votes to training rows, tried with sealed pairs: none of them leads through."""

import json
import shutil
from dataclasses import replace
from importlib.resources import as_file, files

import pytest
from prefloop.collect import (
    Message,
    find_sealed,
    make_pairs,
    open_seal,
    pairwise,
    read_items,
    read_pairs,
    read_sealed,
    read_votes,
    refuse_sealed,
    seal,
    split_pairs,
    write_rows,
)
from prefloop.collect.data_card import ExportSettings
from prefloop.collect.item import Candidate, Item, Origin
from prefloop.collect.vote import Vote
from prefloop.errors import Problems, UserError
from prefloop.loop import adopt_votes, check_training, export_run, seal_status
from prefloop.loop.collecting import set_apart
from prefloop.loop.decontaminating import training_pairs
from prefloop.recipe import load_recipe, resolved
from prefloop.runs import open_run, write_json
from prefloop.train import TrainSettings, train_dpo

AUTHOR = Origin("person", "author")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """The demonstration's recipe, with edits among its votes."""
    with as_file(files("prefloop.recipes") / "demo" / "recipe.yaml") as path:
        recipe = load_recipe(path)
    votes = [
        replace(vote, edit=f"Team: product\nReply: A better one, {place}.") if place % 5 == 0 else vote
        for place, vote in enumerate(read_votes(recipe.collect.votes))
    ]
    path = tmp_path_factory.mktemp("votes") / "votes.jsonl"
    write_rows(path, votes)
    return recipe.model_copy(update={"collect": recipe.collect.model_copy(update={"votes": path})})


@pytest.fixture(scope="module")
def adopted(tmp_path_factory, recipe):
    run = open_run(tmp_path_factory.mktemp("run") / "run", resolved(recipe))
    adopt_votes(run, recipe)
    return run


@pytest.fixture
def run(adopted, tmp_path, recipe):
    shutil.copytree(adopted.folder, tmp_path / "run")
    return open_run(tmp_path / "run", resolved(recipe))


@pytest.fixture
def collected(run):
    return run.folder / "collect"


@pytest.fixture
def sealed_pair(collected):
    return read_pairs(collected / "sealed_pairs.jsonl")[0]


def said(pair, text):
    return replace(pair, prompt=(*pair.prompt[:-1], Message("user", text)), sealed=False)


FORGERIES = {
    "as it lies in sealed_pairs.jsonl": lambda pair: pair,
    "its mark taken off": lambda pair: replace(pair, sealed=False),
    "as an edit": lambda pair: replace(
        pair, sealed=False, kind="edit_over_chosen", chosen="Team: product\nReply: Mine."
    ),
    "the better answer changed": lambda pair: replace(pair, sealed=False, chosen="Team: billing\nReply: Other."),
    "turned round": lambda pair: replace(pair, sealed=False, chosen=pair.rejected, rejected=pair.chosen),
    "without its system message": lambda pair: replace(pair, sealed=False, prompt=pair.prompt[1:]),
    "its prompt in capitals": lambda pair: said(pair, pair.prompt[-1].content.upper() + "!!"),
    "a word more in its prompt": lambda pair: said(pair, pair.prompt[-1].content + " thanks"),
    "a turn more after its prompt": lambda pair: replace(
        pair, sealed=False, prompt=(*pair.prompt, Message("assistant", "Yes?"), Message("user", "And?"))
    ),
    "its prompt quoted in another": lambda pair: said(
        pair, f"Before I ask about mugs, my sister wrote this: {pair.prompt[-1].content} " + "and more, " * 30
    ),
}
"""What a hand can do to a sealed pair before it puts it into pairs.jsonl."""

GATES = {
    "prefloop train": lambda run, recipe: check_training(run, recipe),
    "prefloop collect export": lambda run, recipe: export_run(
        run, recipe, run.folder / "data", ExportSettings("x", "Drafts replies.", "cc-by-4.0", ("en",))
    ),
    "the loop's training rows": lambda run, recipe: training_pairs(run, recipe),
    "train_dpo": lambda run, recipe: train_dpo(
        read_pairs(run.folder / "collect/pairs.jsonl"), TrainSettings(), base=None, folder=run.folder / "train"
    ),
}
"""Where pairs go on to training."""


# train_dpo knows prompts, not texts inside others: the loop's check comes before it.
TRIED = [(forgery, gate) for forgery in FORGERIES for gate in GATES if "quoted" not in forgery or gate != "train_dpo"]


@pytest.mark.parametrize(("forgery", "gate"), TRIED)
def test_no_hand_edited_file_leads_sealed_pairs_through_a_gate(run, recipe, collected, sealed_pair, forgery, gate):
    leak = FORGERIES[forgery](sealed_pair)
    write_rows(collected / "pairs.jsonl", [*read_pairs(collected / "pairs.jsonl"), leak])
    with pytest.raises(Problems, match=leak.id):
        GATES[gate](run, recipe)
    assert not (run.folder / "train").exists()
    assert not (run.folder / "data").exists()


def test_a_pull_leaves_no_pair_of_a_sealed_prompt_among_the_training_pairs(collected):
    sealed, training = read_sealed(collected / "sealed.json"), read_pairs(collected / "pairs.jsonl")
    made = make_pairs(read_items(collected / "items.jsonl"), read_votes(collected / "votes.jsonl")).pairs
    edits = [pair for pair in made if pair.kind != "vote" and sealed.holds(pair)]
    assert len(edits) >= 2
    assert {pair.prompt_id for pair in training}.isdisjoint(sealed.prompt_ids)
    summary = json.loads((collected / "summary.json").read_text())
    assert {pair.id for pair in edits} <= set(summary["pairs_not_used"])
    assert len(training) + summary["sealed_pairs"] + len(summary["pairs_not_used"]) == len({pair.id for pair in made})


def test_rankings_of_a_sealed_prompt_expand_into_sealed_pairs(tmp_path):
    def ranked(n):
        more = (Candidate(f"third answer {n}", AUTHOR),)
        prompt = (Message("user", f"question{n} number{n} about{n} mugs{n}"),)
        return Item(prompt, f"first answer {n}", f"second answer {n}", AUTHOR, AUTHOR, (), more)

    items = [ranked(n) for n in range(4)]
    votes = [Vote(item.id, "ann", None, left="A", ranking=(1, 2, 3), id=f"v-{item.id}") for item in items]
    compared, said_of = pairwise(items, votes)
    sealed = seal(items, 0.5, 0, tmp_path / "sealed.json")
    training, held_out = split_pairs(make_pairs(compared, said_of).pairs, sealed)
    assert len(training) == len(held_out) == 6
    refuse_sealed(training, sealed)
    with pytest.raises(Problems, match="6 pairs"):
        refuse_sealed([*training, *(replace(pair, sealed=False) for pair in held_out)], sealed)


def test_train_dpo_in_python_knows_the_run_its_folder_lies_in(run, collected):
    """Unsplit pairs, straight from `make_pairs`."""
    pairs = make_pairs(read_items(collected / "items.jsonl"), read_votes(collected / "votes.jsonl")).pairs
    with pytest.raises(Problems, match="must not be trained on"):
        train_dpo(pairs, TrainSettings(), base=None, folder=run.folder / "elsewhere" / "deeper")
    assert find_sealed(run.folder / "train") == read_sealed(collected / "sealed.json")


def test_train_dpo_outside_the_run_refuses_by_the_mark_and_by_the_sealed_set(tmp_path, collected, sealed_pair):
    outside = tmp_path / "outside"
    assert find_sealed(outside) is None
    with pytest.raises(Problems, match=sealed_pair.id):
        train_dpo([sealed_pair], TrainSettings(), base=None, folder=outside)
    bare, sealed = replace(sealed_pair, sealed=False), read_sealed(collected / "sealed.json")
    with pytest.raises(Problems, match=sealed_pair.id):
        train_dpo([bare], TrainSettings(), base=None, folder=outside, sealed=sealed)


@pytest.mark.parametrize("gate", GATES)
def test_without_the_record_of_what_is_sealed_nothing_goes_to_training(run, recipe, collected, gate):
    path = collected / "sealed.json"
    row = json.loads(path.read_text())
    row["prompts"] = {name: placed | {"side": "training"} for name, placed in row["prompts"].items()}
    path.write_text(json.dumps(row))
    with pytest.raises(UserError, match="is not as prefloop wrote it"):
        GATES[gate](run, recipe)


def test_the_status_says_how_often_the_seal_was_opened_and_why(run, collected):
    assert seal_status(run) == {"prompts": 48, "openings": 0}
    open_seal(collected / "sealed.json", "adapter 1")
    open_seal(collected / "sealed.json", "adapter 2")
    status = seal_status(run)
    assert (status["prompts"], status["openings"]) == (48, 2)
    assert str(status["last opened"]).endswith("for adapter 2")


def test_prompts_that_were_shown_are_not_drawn_again(run, recipe, collected):
    write_json(collected / "push.json", {})
    (collected / "sealed.json").unlink()
    with pytest.raises(UserError, match="a new draw would seal prompts that were labelled already"):
        set_apart(run, recipe)
    assert not (collected / "sealed.json").exists()
