"""Paths of the machine are cut down to their last part, and nothing else is touched."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.errors import Problems
from prefloop.publish.redact import own_places, refuse_leaks, shorten, shorten_commands, shorten_settings

PLACES = own_places(Path("/data/run"), Path("/data/run/train/adapter"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("base /data/run/train/adapter.", "base adapter."),
        ('{"path": "/data/run/items.jsonl"}', '{"path": "items.jsonl"}'),
        ("<p>/data/run/a/b.html</p>", "<p>b.html</p>"),
        ("in /data/run", "in run"),
        ("(see /data/run/log.txt)", "(see log.txt)"),
        ("/data/runner/x and /data/run-2/x", "/data/runner/x and /data/run-2/x"),
        ("https://example.org/data/run/x", "https://example.org/data/run/x"),
        ("1/2 and/or /no_think", "1/2 and/or /no_think"),
    ],
)
def test_shorten(text: str, expected: str) -> None:
    assert shorten(text, PLACES) == expected


@given(st.text(alphabet="ab/. \"'<>(){},:;-"))
def test_what_has_been_shortened_names_no_place_any_more(rest: str) -> None:
    assert PLACES.search(shorten(f"x /data/run/{rest}", PLACES)) is None


def test_settings_lose_every_absolute_path_and_nothing_else() -> None:
    settings = {
        "items": "/srv/a/items.jsonl",
        "labels": None,
        "prompt": "/no_think",
        "deep": [{"data": "/x/y"}],
        "n": 3,
    }
    kept = {"items": "items.jsonl", "labels": None, "prompt": "/no_think", "deep": [{"data": "y"}], "n": 3}
    assert shorten_settings(settings) == kept
    assert shorten_settings("org/model") == "org/model"


def test_all_leaks_are_told_at_once_without_the_secrets(tmp_path: Path) -> None:
    (tmp_path / "merged").mkdir()
    (tmp_path / "merged/config.json").write_text('{"from": "/data/run/x"}')
    (tmp_path / "a.safetensors").write_bytes(b"\x00\xff token-12345678")
    (tmp_path / "c.md").write_text("ghp_" + "b" * 36)
    with pytest.raises(Problems) as caught:
        refuse_leaks(tmp_path, PLACES, environment={"THE_TOKEN": "token-12345678", "SHORT_KEY": "x", "PATH": "config"})
    told = str(caught.value)
    assert [re.match(r"\s*(\S+)", problem)[1] for problem in caught.value.problems] == [  # type: ignore[index]
        "a.safetensors", "c.md", "merged/config.json",
    ]  # fmt: skip
    assert "THE_TOKEN" in told
    assert "token-12345678" not in told
    assert "ghp_" not in told


def test_a_clean_folder_passes(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Nothing of this machine.")
    refuse_leaks(tmp_path, PLACES, environment={"THE_TOKEN": "token-12345678"})


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        ("lm-eval -a pretrained=/data/m/base,dtype=bfloat16", "lm-eval -a pretrained=base,dtype=bfloat16"),
        ("lm-eval --include_path '/data/ada/runs/x' --tasks arc", "lm-eval --include_path 'x' --tasks arc"),
        ("curl https://example.org/a/b org/model", "curl https://example.org/a/b org/model"),
    ],
)  # fmt: skip
def test_commands_keep_no_folder(command: str, kept: str) -> None:
    assert shorten_commands([command]) == [kept]
