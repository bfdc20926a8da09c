import itertools
import signal

import pytest
from prefloop.collect import Message, PreferencePair
from prefloop.models import SMALL_MODEL, ModelFolder, load_tokenizer, resolve_model


@pytest.fixture(scope="session")
def small_model() -> ModelFolder:
    """The real SmolLM2-135M-Instruct."""
    return resolve_model(SMALL_MODEL)


@pytest.fixture(scope="session")
def tiny_model(small_model, tmp_path_factory) -> ModelFolder:
    """A random two-layer Llama under the real tokenizer: for everything but whether training helps."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = load_tokenizer(small_model.path)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
        # Far from uniform, so that losses and metrics have something to say.
        initializer_range=0.2,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return resolve_model(str(folder))


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """Children started under a shell's background job would ignore Ctrl-C, as this process does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


TOWNS = ("Oslo", "Lima", "Bergen", "Quito", "Turin", "Perth", "Delft", "Kyoto", "Porto", "Tunis", "Malmö", "Izmir")


@pytest.fixture
def make_pairs():
    """Pairs of short polite and long rude answers about towns."""

    def make(count):
        for number, town in itertools.islice(enumerate(itertools.cycle(TOWNS)), count):
            prompt = (Message("user", f"Is ticket {number} to {town} still to be had?"),)
            chosen = f"Yes, a seat to {town} is free. Shall I book ticket {number} for you?"
            rejected = f"How should I know? Look it up yourself, {town} is not my problem."
            yield PreferencePair(prompt, chosen, rejected, 1.0, f"item{number}", (f"vote{number}",))

    return lambda count: list(make(count))


@pytest.fixture(autouse=True)
def own_reference_store(tmp_path_factory, monkeypatch):
    """No test finds what another has computed."""
    folder = tmp_path_factory.mktemp("store")
    monkeypatch.setattr("prefloop.train.speed.reference_store.home", lambda: folder)
    return folder
