import copy
import json
from dataclasses import replace

import pytest
from prefloop.collect import Message
from prefloop.errors import Problems
from prefloop.train import TrainSettings, preflight
from prefloop.train.checks.bounds import FINDINGS

# <s> <user> "Question 0?" newline <assistant> with one token a byte; an answer adds its bytes, </s> and a newline.
PROMPT = 15


@pytest.fixture
def check(tokenizer):
    def run(pairs, **changed):
        # Enough steps to be no oddity themselves.
        return preflight(pairs, TrainSettings(**{"batch_size": 1, "epochs": 5} | changed), tokenizer)

    return run


def found(checked):
    return {name: set(ids) for name, ids in checked.findings.items() if ids}


def test_clean_pairs_have_no_findings(check, make_pair):
    pairs = [make_pair(chosen="aaaa", rejected="bbb"), make_pair(chosen="aaa", rejected="bbbb")]
    checked = check(pairs).require()
    assert (checked.pairs, checked.kept, found(checked)) == (2, 2, {})
    assert checked.warnings == ()
    assert checked.chosen_longer == 0.5
    assert (checked.prompt.smallest, checked.prompt.median, checked.prompt.largest) == (PROMPT, PROMPT, PROMPT)
    assert (checked.chosen.smallest, checked.chosen.largest) == (3 + 2, 4 + 2)
    assert checked.longest == PROMPT + 4 + 2
    assert set(checked.findings) == set(FINDINGS)
    json.dumps(checked.as_json())


def test_the_example_shows_what_is_read_and_what_is_scored(check, make_pair):
    checked = check([make_pair("Hi?", "yes", "no")])
    assert checked.example_context == "<s><user>Hi?\n<assistant>"
    assert (checked.example_chosen, checked.example_rejected) == ("yes</s>\n", "no</s>\n")


def test_a_prompt_that_fills_max_length_is_counted_by_id(check, make_pair):
    long, short = make_pair("x" * 100), [make_pair(rejected="another") for _ in range(10)]
    checked = check([long, *short], max_length=50)
    assert found(checked)["dropped"] == {long.id}
    assert checked.kept == 10
    assert checked.problems == ()
    assert any(long.id in warning for warning in checked.warnings)


def test_too_many_dropped_stops_the_run(check, make_pair):
    pairs = [make_pair("x" * 100), make_pair()]
    checked = check(pairs, max_length=50)
    with pytest.raises(Problems, match="1 of 2 pairs, more than 10%: the prompt alone fills max_length"):
        checked.require()


def test_nothing_left_stops_the_run(check, make_pair):
    for pairs in ([], [make_pair("x" * 100)]):
        with pytest.raises(Problems, match="no pair is left"):
            check(pairs, max_length=50).require()


def test_a_prompt_of_exactly_max_length_is_dropped_and_one_token_less_is_kept(check, make_pair):
    pair = make_pair("Question 0?")
    assert check([pair], max_length=PROMPT + 1).kept == 1
    assert check([pair] * 11, max_length=16).kept == 11
    assert check([replace(pair, prompt=(Message("user", "Question 10?"),))], max_length=16).kept == 0


def test_cut_responses_are_told_from_lost_ends(check, make_pair):
    pair = make_pair("Question 0?", "a" * 10, "b" * 4)
    # The chosen side needs 10 + </s> + newline: without the newline only the tail is cut, without </s> the end is lost.
    assert found(check([pair], max_length=PROMPT + 12)) == {}
    assert set(found(check([pair], max_length=PROMPT + 11))) == {"truncated"}
    assert set(found(check([pair], max_length=PROMPT + 10))) == {"truncated", "eos_lost"}
    assert check([pair], max_length=PROMPT + 11).require().longest == PROMPT + 11


def test_sides_that_differ_only_beyond_the_cut_stop_the_run(check, make_pair):
    pair = make_pair("Question 0?", "same" * 5 + "A", "same" * 5 + "B")
    checked = check([pair], max_length=PROMPT + 20)
    assert found(checked)["identical_after_truncation"] == {pair.id}
    assert any("beyond max_length" in problem for problem in checked.problems)


def test_dirty_pairs_are_all_named_at_once(check, make_pair):
    same, empty, blank = make_pair(chosen="x", rejected="x"), make_pair(chosen=""), make_pair(rejected=" \n")
    no_user = replace(make_pair(), prompt=(Message("system", "be kind"),))
    no_prompt = replace(make_pair(), prompt=())
    checked = check([same, empty, blank, no_user, no_prompt, make_pair()])
    assert found(checked)["identical"] == {same.id}
    assert found(checked)["empty"] == {empty.id, blank.id}
    assert found(checked)["broken_prompt"] == {no_user.id, no_prompt.id}
    with pytest.raises(Problems) as caught:
        checked.require()
    assert len(caught.value.problems) == 3


def test_duplicates_and_contradictions_are_warnings(check, make_pair):
    pair = make_pair("same?", "one", "two")
    opposite = replace(pair, chosen="two", rejected="one")
    third = make_pair("same?", "three", "four")
    checked = check([pair, pair, opposite, third, make_pair()]).require()
    assert found(checked)["duplicate"] == {pair.id}
    assert found(checked)["contradictory"] == {pair.id, opposite.id}
    assert found(checked)["shared_prompt"] == {pair.id, opposite.id, third.id}
    assert len(checked.warnings) == 2


def test_text_that_was_rendered_already_stops_the_run(tokenizer, make_pair):
    doubled = copy.deepcopy(tokenizer)
    doubled.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    checked = preflight([make_pair()], TrainSettings(), doubled)
    assert any("beginning-of-text" in problem for problem in checked.problems)


def test_a_template_that_changes_the_prompt_or_never_ends_is_a_warning(tokenizer, make_pair):
    odd = copy.deepcopy(tokenizer)
    odd.chat_template = (
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>think: {% endif %}"
    )
    pair = make_pair()
    checked = preflight([pair], TrainSettings(), odd)
    assert found(checked)["prompt_not_a_prefix"] == {pair.id}
    assert found(checked)["eos_missing"] == {pair.id}
    assert checked.problems == ()


def test_a_tokenizer_without_a_chat_template_is_refused(tokenizer, make_pair):
    bare = copy.deepcopy(tokenizer)
    bare.chat_template = None
    with pytest.raises(Problems, match="no chat template"):
        preflight([make_pair()], TrainSettings(), bare)


def test_the_template_may_not_change_a_response(tokenizer, make_pair):
    trimming = copy.deepcopy(tokenizer)
    trimming.chat_template = tokenizer.chat_template.replace("m.content", "m.content.split('</think>')[-1].strip()")
    thinking, plain, padded = make_pair(chosen="<think>hm</think>yes"), make_pair(), make_pair(rejected=" no \n")
    checked = preflight([thinking, plain, padded], TrainSettings(), trimming)
    assert found(checked)["altered"] == {thinking.id}
    assert any("as it was written" in warning for warning in checked.warnings)


def test_special_tokens_in_somebodys_text_are_told(check, make_pair):
    tagged, ended = make_pair("What does <assistant> mean?"), make_pair(rejected="so</s>so")
    assert found(check([tagged, ended, make_pair()]))["special_token_in_text"] == {tagged.id, ended.id}


def test_the_bound_of_a_finding_can_be_set(check, make_pair):
    pairs = [make_pair(chosen="a" * 30), *(make_pair(rejected=f"no{i}") for i in range(4))]
    assert check(pairs, max_length=PROMPT + 20).problems == ()
    strict = check(pairs, max_length=PROMPT + 20, preflight={"fail_above": {"truncated": 0.1}})
    assert any("1 of 5 pairs, more than 10%: a response loses its end" in problem for problem in strict.problems)
    exactly = check(pairs, max_length=PROMPT + 20, preflight={"fail_above": {"truncated": 0.2}})
    assert exactly.problems == ()
    lenient = check([*pairs, make_pair(chosen="x", rejected="x")], preflight={"fail_above": {"identical": 1}})
    assert lenient.problems == ()
    assert any("are the same text" in warning for warning in lenient.warnings)


@pytest.mark.parametrize("bounds", [{"eos_gone": 0.1}, {"eos_lost": 1.5}])
def test_a_bound_that_can_mean_nothing_is_refused(bounds):
    with pytest.raises(ValueError, match=r"eos_gone is no finding|eos_lost 1.5: a share"):
        TrainSettings(preflight={"fail_above": bounds})


def test_pairs_that_most_often_lose_their_end_stop_the_run(check, make_pair):
    long, short = [make_pair(chosen="a" * 30) for _ in range(3)], [make_pair(rejected=f"no{i}") for i in range(2)]
    assert any("never stops" in problem for problem in check(long + short, max_length=PROMPT + 20).problems)


def test_what_was_left_out_before_is_in_the_same_table(tokenizer, make_pair):
    checked = preflight([make_pair()], TrainSettings(), tokenizer, left_out={"in evaluation data": ["b", "a"]})
    assert checked.left_out == {"in evaluation data": ("a", "b")}
    assert ("left out: in evaluation data", "2") in checked.as_rows()


def test_tokens_are_counted_as_two_sequences_a_pair(check, make_pair):
    assert check([make_pair("Question 0?", "aaaa", "bb")]).tokens == 2 * PROMPT + (4 + 2) + (2 + 2)


def test_a_length_bias_in_the_votes_is_a_warning(check, make_pair):
    pairs = [make_pair(chosen="long" * 9) for _ in range(4)]
    assert any("longer one in 100%" in warning for warning in check(pairs).warnings)


def test_an_unreachable_ipo_target_is_a_warning(check, make_pair):
    pairs = [make_pair(chosen="aaaa", rejected="bbb"), make_pair(chosen="aaa", rejected="bbbb")]
    assert any("towards 5," in warning for warning in check(pairs, loss_type=("ipo",), beta=0.1).warnings)
    assert check(pairs, loss_type=("ipo",), beta=5).warnings == ()
