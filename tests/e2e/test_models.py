import re

from prefloop.models import load_model, load_tokenizer


def test_the_small_model_knows_the_capital_of_france(small_model):
    tokenizer, model = load_tokenizer(small_model.path), load_model(small_model.path)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    answer = model.generate(**inputs, max_new_tokens=20, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(answer, skip_special_tokens=True) == "The capital of France is Paris."


def test_nothing_of_the_machine_is_in_a_converted_models_files(small_model):
    """Its fingerprint would differ from machine to machine."""
    for path in small_model.path.glob("*.json"):
        text = path.read_text()
        assert "local_files_only" not in text, path
        assert not re.search(r'"/\w+/', text), path
