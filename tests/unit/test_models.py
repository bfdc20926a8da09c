import pytest
from prefloop.errors import UserError
from prefloop.models import fingerprint, resolve_model


@pytest.fixture
def folder(tmp_path):
    for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_the_fingerprint_is_of_all_that_decides_what_a_model_says(folder, name):
    before = fingerprint(folder)
    (folder / "README.md").write_text("words")
    assert fingerprint(folder) == before
    (folder / name).write_text("else")
    assert fingerprint(folder) != before


def test_a_folder_is_taken_as_it_is(folder):
    found = resolve_model(str(folder))
    assert (found.source, found.revision, found.path) == ("folder", "local", folder)
    assert found.sha256 == fingerprint(folder)


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no model folder: it has no config\.json"):
        resolve_model(str(tmp_path))


def test_a_model_that_is_nowhere_is_one_sentence(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="'nobody/nothing' is not a local folder, and the Hub did not give it"):
        resolve_model("nobody/nothing")
