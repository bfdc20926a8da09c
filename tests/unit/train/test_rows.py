from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prefloop.collect import Message, PreferencePair
from prefloop.train.rows import data_sha256, in_training_order, manifest, tokenise

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
pairs = st.builds(
    lambda prompt, chosen, rejected: PreferencePair((Message("user", prompt),), chosen, rejected, 1.0, "i", ("v",)),
    texts,
    texts,
    texts,
)


@given(st.lists(pairs, max_size=6), st.randoms())
def test_the_order_of_the_pairs_changes_nothing(given_pairs, random):
    shuffled = random.sample(given_pairs, len(given_pairs))
    assert manifest(shuffled, []) == manifest(given_pairs, [])
    assert in_training_order(shuffled) == in_training_order(given_pairs)


@given(st.lists(pairs, min_size=1, max_size=4))
def test_another_text_or_another_side_is_other_data(given_pairs):
    first, *rest = given_pairs
    other = PreferencePair(first.prompt, first.chosen + "!", first.rejected, 1.0, "i", ("v",))
    assert data_sha256([other, *rest]) != data_sha256(given_pairs)
    if first.chosen != first.rejected:
        swapped = PreferencePair(first.prompt, first.rejected, first.chosen, 1.0, "i", ("v",))
        assert data_sha256([swapped, *rest]) != data_sha256([first, *rest])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pair=pairs)
def test_the_prompt_is_a_prefix_of_both_sides_and_nothing_is_lost(tokenizer, pair):
    tokens = tokenise(pair, tokenizer)
    for ids, text in ((tokens.chosen, pair.chosen), (tokens.rejected, pair.rejected)):
        conversation = [{"role": "user", "content": pair.prompt[0].content}, {"role": "assistant", "content": text}]
        whole = tokenizer.apply_chat_template(conversation, return_dict=True)["input_ids"]
        assert tokens.prompt + ids == whole
    asked = [{"role": "user", "content": pair.prompt[0].content}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
    assert tokens.prompt == prompt
    assert tokens.cut_from_prompt == 0


def test_the_manifest_counts_votes_prompts_kinds_and_tags(make_pair):
    made = [
        make_pair("same?", tags=("form",)),
        make_pair("same?", "edited", "good answer", kind="edit_over_chosen", tags=("form", "substance")),
        make_pair("other?"),
    ]
    found = manifest(made, ["x"])
    assert (found["pairs"], found["prompts"], found["votes"]) == (3, 2, 3)
    assert found["kinds"] == {"edit_over_chosen": 1, "vote": 2}
    assert found["tags"] == {"form": 2, "substance": 1}
    assert found["dropped"] == ["x"]
    assert sorted(found["ids"]) == sorted(pair.id for pair in made)
