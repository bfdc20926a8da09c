"""The real small model, an adapter with random weights on it, and the whole evaluation."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from prefloop.collect.item import Message
from prefloop.collect.pair import PreferencePair
from prefloop.collect.sampling.generate import Answer, GenerateSettings, generate, prompt_ids
from prefloop.errors import UserError
from prefloop.evaluate import CheckSettings, EvaluateSettings, GeneralSettings, Report, evaluate_adapter, open_subject
from prefloop.evaluate.general import answer_questions, read_general
from prefloop.evaluate.likelihood import PairScore, score_pairs
from prefloop.evaluate.measured import Measuring, measure_likelihoods
from prefloop.models import SMALL_MODEL, ModelFolder, load_model, load_tokenizer, resolve_model
from prefloop.train.rows import conversation_row, tokenise
from transformers import PreTrainedModel, PreTrainedTokenizerBase

QUESTIONS = ["Name a fruit.", "What is the capital of France?", "Say hello to Ada, who is new here.", "Is fire cold?"]
GOOD = ["An apple.", "The capital of France is Paris.", "Hello Ada, welcome!", "No, fire is hot."]
BAD = ["Bricks are a fruit, and so are many other things that people eat.", "Berlin.", "Go away.", "Yes yes yes yes."]


def pair(index: int, *, prompt: str | None = None, kept: str | None = None) -> PreferencePair:
    asked = (Message("user", prompt or QUESTIONS[index]),)
    return PreferencePair(asked, kept or GOOD[index], BAD[index], 1.0, f"item{index}", ("vote",), tags=("form",))


PAIRS = [pair(index) for index in range(4)] + [pair(0, kept="A pear, for example.")]


@pytest.fixture(scope="module")
def base() -> ModelFolder:
    return resolve_model(SMALL_MODEL)


@pytest.fixture(scope="module")
def tokenizer(base: ModelFolder) -> PreTrainedTokenizerBase:
    return load_tokenizer(base.path)


@pytest.fixture(scope="module")
def exact(base: ModelFolder) -> PreTrainedModel:
    """The model in float32, in which a batch changes nothing that could be seen."""
    return load_model(base.path, dtype=torch.float32)


@pytest.fixture(scope="module")
def adapter(base: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = LoraConfig(r=8, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    model = get_peft_model(load_model(base.path), config)
    path = tmp_path_factory.mktemp("train") / "adapter"
    model.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def measuring(adapter: Path, base: ModelFolder, tmp_path_factory: pytest.TempPathFactory) -> Measuring:
    return Measuring(open_subject(base, adapter), 8, tmp_path_factory.mktemp("evaluate"))


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two questions, each asked once for every choice that could be the right one."""
    choices = {"The sky on a clear day is": ["blue", "wooden", "seven"], "Two plus two is": ["four", "a horse", "late"]}
    rows = [
        {"question": question, "choices": row, "answer": answer}
        for question, row in choices.items()
        for answer in range(3)
    ]
    path = tmp_path_factory.mktemp("general") / "general.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def scored(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[PreferencePair]
) -> list[PairScore]:
    found: dict[int, PairScore] = {}
    for batch in score_pairs(model, tokenizer, [tokenise(pair, tokenizer) for pair in pairs], batch_size=8):
        found |= batch
    return [found[index] for index in range(len(pairs))]


def naive(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pair: PreferencePair, answer: str) -> float:
    """One sequence at a time, every position through the whole vocabulary."""
    asked = [{"role": message.role, "content": message.content} for message in pair.prompt]
    told = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": answer}], tokenize=False)
    start = len(
        tokenizer(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))["input_ids"]
    )
    ids = torch.tensor([tokenizer(told)["input_ids"]])
    with torch.inference_mode():
        logps = model(ids).logits.log_softmax(-1)[0]
    return sum(float(logps[place - 1, ids[0, place]]) for place in range(start, ids.shape[1]))


def test_likelihoods_are_those_of_one_sequence_at_a_time(
    exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> None:
    for row, score in zip(PAIRS, scored(exact, tokenizer, PAIRS), strict=True):
        assert score.chosen.logp == pytest.approx(naive(exact, tokenizer, row, row.chosen), abs=2e-3)
        assert score.rejected.logp == pytest.approx(naive(exact, tokenizer, row, row.rejected), abs=2e-3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_likelihoods_are_trls_own(exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    arguments = DPOConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False, max_length=None)
    rows = Dataset.from_list([conversation_row(pair) for pair in PAIRS])
    lora = LoraConfig(r=2, target_modules=["q_proj"])
    copy = type(exact)(exact.config).float().eval()
    copy.load_state_dict(exact.state_dict())
    trainer = DPOTrainer(copy, args=arguments, train_dataset=rows, processing_class=tokenizer, peft_config=lora)
    batch = trainer.data_collator([trainer.train_dataset[index] for index in range(len(PAIRS))])
    chosen, rejected = trainer.compute_ref_log_probs(trainer.model.eval(), batch)
    ours = scored(exact, tokenizer, PAIRS)
    assert [score.chosen.logp for score in ours] == pytest.approx(chosen.tolist(), abs=2e-3)
    assert [score.rejected.logp for score in ours] == pytest.approx(rejected.tolist(), abs=2e-3)


def test_bfloat16_stays_near_float32(
    exact: PreTrainedModel, measuring: Measuring, tokenizer: PreTrainedTokenizerBase
) -> None:
    tokens = {row.id: tokenise(row, tokenizer) for row in PAIRS}
    rounded = measure_likelihoods(measuring, "base", list(tokens), lambda: tokens, lambda count: None)
    for one, other in zip(rounded, scored(exact, tokenizer, PAIRS), strict=True):
        assert one.chosen.mean == pytest.approx(other.chosen.mean, abs=0.1)
        assert one.chosen.tokens == other.chosen.tokens


def test_the_base_is_the_model_without_the_adapter(
    base: ModelFolder, measuring: Measuring, tokenizer: PreTrainedTokenizerBase
) -> None:
    alone = scored(load_model(base.path), tokenizer, PAIRS)
    tokens = {row.id: tokenise(row, tokenizer) for row in PAIRS}
    assert measure_likelihoods(measuring, "base", list(tokens), lambda: tokens, lambda count: None) == alone
    assert measure_likelihoods(measuring, "tuned", list(tokens), lambda: tokens, lambda count: None) != alone


def test_answers_do_not_depend_on_their_neighbours(exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    prompts = [(Message("user", text),) for text in QUESTIONS]
    settings = GenerateSettings(max_new_tokens=24)
    together = generate(exact, tokenizer, prompts, settings)
    assert together == [generate(exact, tokenizer, [prompt], settings)[0] for prompt in prompts]
    assert "Paris" in together[1].text
    assert (together[1].finish, together[1].tokens < 24) == ("eos", True)


def test_cut_off_answers_say_so(exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    prompt = (Message("user", "Tell me a long story."),)
    answer = generate(exact, tokenizer, [prompt], GenerateSettings(max_new_tokens=3))[0]
    assert (answer.tokens, answer.finish) == (3, "length")


def test_sampling_goes_by_the_seed(exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    def sample(seed: int) -> Answer:
        settings = GenerateSettings(max_new_tokens=12, temperature=1.0, seed=seed)
        return generate(exact, tokenizer, [(Message("user", "Tell me anything."),)], settings)[0]

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_a_prompt_without_room_is_refused(exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match="no room"):
        generate(exact, tokenizer, [(Message("user", "word " * 9000),)], GenerateSettings(max_new_tokens=8))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_general_questions_are_answered_by_likelihood(
    exact: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, questions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = read_general(GeneralSettings(data=questions))
    correct = answer_questions(exact, tokenizer, data, batch_size=8)
    assert correct == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert "%|" not in capfd.readouterr().err, "a library draws no progress bar"


class Killed(Exception):
    pass


def evaluation(
    adapter: Path, base: ModelFolder, questions: Path, folder: Path, *, stop_after: int | None = None
) -> Report:
    settings = EvaluateSettings(
        max_new_tokens=16,
        batch_size=4,
        bootstrap=1000,
        check=CheckSettings(max_words=10),
        general=GeneralSettings(data=questions),
    )
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        if stop_after is not None and done > stop_after:
            raise Killed

    sealed = [*PAIRS, PAIRS[0], pair(1, prompt="word " * 9000)]
    report = evaluate_adapter(
        open_subject(base, adapter), sealed, settings, folder=folder, openings=2, progress=progress
    )
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    return report


def without_times(report: Report) -> Report:
    return replace(report, how=replace(report.how, seconds={}, created=""))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_a_killed_evaluation_ends_like_an_uninterrupted_one(
    adapter: Path, base: ModelFolder, questions: Path, tmp_path: Path
) -> None:
    whole = evaluation(adapter, base, questions, tmp_path / "whole")
    for stop_after in (4, 20):
        with pytest.raises(Killed):
            evaluation(adapter, base, questions, tmp_path / "killed", stop_after=stop_after)
    with (tmp_path / "killed" / "generations.jsonl").open("a") as file:
        file.write('{"key": "torn')
    before = (tmp_path / "killed" / "likelihoods.jsonl").read_text()
    resumed = evaluation(adapter, base, questions, tmp_path / "killed")
    assert without_times(resumed) == without_times(whole)
    assert (tmp_path / "killed" / "likelihoods.jsonl").read_text() == before, "what was known is not computed again"

    assert (whole.sealed.pairs, whole.sealed.prompts, whole.sealed.openings) == (5, 4, 2)
    assert [entry.count for entry in whole.left_out] == [1, 1]
    assert "twice" in whole.left_out[0].reason
    assert "context" in whole.left_out[1].reason
    assert all(math.isfinite(margin) and margin != 0 for margin in whole.preference.margins)
    assert whole.general is not None
    assert whole.check is not None
    assert whole.win_rate is not None
    assert (whole.general.accuracy.base.n, whole.win_rate.judge, len(whole.examples)) == (6, "check", 4)


def test_no_usable_pair_is_the_users_to_mend(adapter: Path, base: ModelFolder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="seal and label more"):
        evaluate_adapter(open_subject(base, adapter), [], EvaluateSettings(), folder=tmp_path)
    with pytest.raises(UserError, match="not a whole adapter"):
        evaluate_adapter(open_subject(base, tmp_path), PAIRS, EvaluateSettings(), folder=tmp_path)


def test_prompts_are_read_under_the_chat_template(tokenizer: PreTrainedTokenizerBase) -> None:
    text = tokenizer.decode(prompt_ids(tokenizer, (Message("user", "Hi"),)))
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
