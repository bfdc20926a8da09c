"""The command line as a user meets it: a real process, its exit code, and what it says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PREFLOOP = Path(sys.executable).with_name("prefloop")
RECIPE = Path(__file__).parents[2] / "recipes" / "demo" / "recipe.yaml"


@pytest.fixture
def prefloop(tmp_path):
    def run(*arguments, **environment):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ARGILLA_")}
        return subprocess.run(
            [PREFLOOP, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=kept | {"PREFLOOP_HOME": str(tmp_path / "home")} | environment,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["collect", "push", "none.yaml"], "can't be read"),
        (["train", RECIPE, "--set", "train.betta=1"], "did you mean `beta`"),
        (["train", RECIPE], "has no pairs yet"),
        (["evaluate", RECIPE], "has no adapter yet"),
        (["publish", RECIPE], "does not exist"),
        (["collect", "pull", RECIPE], "no Argilla to talk to"),
        (["collect", "push", RECIPE, "--set", "collect.items=none.jsonl"], "can't be read"),
        (["collect", "push", RECIPE, "--set", "collect.guidelines=none.md"], "can't be read"),
        (["collect", "push", RECIPE], "no Argilla to talk to"),
    ],
    ids=lambda value: " ".join(map(str, value))[:60] if isinstance(value, list) else "",
)
def test_what_a_user_can_fix_is_one_paragraph_and_exit_code_2(prefloop, arguments, said):
    done = prefloop(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_and_a_wrong_key_never_show_the_key(prefloop):
    done = prefloop(
        "collect", "status", RECIPE, ARGILLA_API_URL="http://127.0.0.1:9", ARGILLA_API_KEY="very-secret-key"
    )
    assert (done.returncode, "can't be reached" in done.stderr) == (2, True)
    assert "very-secret-key" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("given", "missing"), [("ARGILLA_API_URL", "ARGILLA_API_KEY"), ("ARGILLA_API_KEY", "ARGILLA_API_URL")]
)
def test_half_an_address_never_ends_at_another_server(prefloop, given, missing):
    done = prefloop("collect", "status", RECIPE, **{given: "http://127.0.0.1:9"})
    assert (done.returncode, f"{missing} is not set" in done.stderr) == (2, True)


def test_every_command_has_help_that_says_something(prefloop):
    for command in ("demo", "server", "collect", "train", "evaluate", "publish", "doctor"):
        done = prefloop(command, "--help")
        assert done.returncode == 0
        assert len(done.stdout) > 200


def test_a_folder_of_someone_elses_is_left_alone(prefloop, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("ten years")
    done = prefloop("demo", "--run", "thesis", "--overwrite")
    assert (done.returncode, "is not a prefloop run" in done.stderr) == (2, True)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_nothing_runs_where_there_is_no_server(prefloop, tmp_path):
    assert prefloop("server", "status").returncode == 1
    assert prefloop("server", "stop").returncode == 0
