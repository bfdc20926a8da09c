"""Shorter ways through a step: taken where they say the same, left where they don't."""

import json

import pytest
from prefloop.models import load_tokenizer, resolve_model
from prefloop.train import TrainSettings, train_dpo
from prefloop.train.speed import shortcuts
from prefloop.train.speed.shortcuts import PAYS_FROM, compile_layers, compiling_pays
from prefloop.train.trainer import build_trainer

pytestmark = [
    # peft 0.21 and trl 1.16 still ask transformers 5.23 for names that it will drop in version 6.
    pytest.mark.filterwarnings("ignore:.*will be removed in v6:FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    # The compiler looks at all that a tensor has.
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]

QUICK = TrainSettings(learning_rate=1e-3, batch_size=4, max_length=256, lora_rank=4, lora_alpha=8)


@pytest.fixture
def trainer(tiny_model, make_pairs, tmp_path):
    def build(base=tiny_model, settings=QUICK):
        return build_trainer(
            make_pairs(9),
            settings,
            base=base,
            tokenizer=load_tokenizer(tiny_model.path),
            checkpoints=tmp_path / "checkpoints",
            longest=100,
        )

    return build


def test_a_model_with_a_window_keeps_to_two_rows(tiny_model, trainer, tmp_path, caplog):
    """Its layers see no further back than the window, and a mask of ours would let them."""
    import torch
    from transformers import AutoConfig, MistralConfig, MistralForCausalLM

    taken = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    )
    of = AutoConfig.from_pretrained(tiny_model.path).to_dict()
    torch.manual_seed(0)
    config = MistralConfig(**{name: of[name] for name in taken}, sliding_window=8, initializer_range=0.2)
    folder = tmp_path / "windowed"
    MistralForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    load_tokenizer(tiny_model.path).save_pretrained(folder)
    trainer(resolve_model(str(folder)))
    assert "encodes each prompt twice: its layers do not all see" in caplog.text
    caplog.clear()
    trainer()
    assert "encodes each prompt twice" not in caplog.text


def test_short_trainings_are_not_compiled(trainer):
    assert not compile_layers(trainer(), QUICK)


def test_compiling_pays_for_many_trainings_that_are_alike():
    many, layers = [QUICK.model_copy(update={"beta": beta}) for beta in (0.1, 0.2, 0.5)], 30
    enough = PAYS_FROM // (3 * layers) + 1
    assert compiling_pays(many, layers, enough)
    assert not compiling_pays(many, layers, enough - 2)
    assert not compiling_pays(many[:1], layers, enough)
    assert not compiling_pays([*many[:2], QUICK.model_copy(update={"lora_rank": 8})], layers, enough)
    assert not compiling_pays([many[0].model_copy(update={"quantization": "nf4"})], layers, 10 * enough)


def test_code_is_kept_for_the_same_adapter_on_the_same_model_only(trainer):
    builds = [shortcuts._build(trainer(settings=QUICK.model_copy(update={"lora_rank": rank}))) for rank in (4, 4, 8)]
    assert builds[0] == builds[1] != builds[2]


def test_where_compiling_fails_the_layers_stay_plain(trainer, tmp_path, monkeypatch, caplog):
    (tmp_path / "no folder").write_text("the compiler's code goes nowhere")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "no folder"))
    shortcuts._compiled.clear()  # another test's code would do
    made = trainer()
    layers = [module for module in made.model.modules() if "DecoderLayer" in type(module).__name__]
    before = [layer.forward for layer in layers]
    assert not compile_layers(made, QUICK.model_copy(update={"torch_compile": True}))
    assert [layer.forward for layer in layers] == before
    assert "can't be compiled, so training takes about a third longer" in caplog.text


def test_compiled_layers_train_as_plain_ones_do_and_the_same_each_time(tiny_model, make_pairs, tmp_path, monkeypatch):
    from torch._dynamo.utils import counters

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    asked = QUICK.model_copy(update={"torch_compile": True, "epochs": 2})
    compiled, made = {}, {}
    for name in ("one", "two"):
        counters.clear()
        compiled[name] = train_dpo(make_pairs(8), asked, base=tiny_model, folder=tmp_path / name).sha256
        made[name] = counters["stats"]["unique_graphs"]
    assert compiled["one"] == compiled["two"]
    assert made["one"] > 0
    assert made["two"] == 0  # the code of the first was kept
    train_dpo(make_pairs(8), asked.model_copy(update={"torch_compile": False}), base=tiny_model, folder=tmp_path / "no")

    def losses(name):
        return [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]

    assert losses("one") == losses("two")
    checks = json.loads((tmp_path / "one" / "checks.json").read_text())
    assert checks["first_step"]["log_ratio"] < 1e-3  # its reference was computed by the same code
    # The random model's logits are wild, and bfloat16 rounds them by a few hundredths.
    assert losses("one") == pytest.approx(losses("no"), abs=0.1)
    assert losses("no")[-1] < 0.6
