import importlib.util
import pkgutil
import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml
from prefloop.cli import app
from prefloop.recipe import Recipe, check_recipe

ROOT = Path(__file__).parents[2]
PIECE = re.compile(r"```.*?```", flags=re.S)
COLLECT = {"items": "items.jsonl", "queue": "shown", "guidelines": "guidelines.md"}


def test_the_reference_is_in_step_with_the_code():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs/make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert written == module.reference(), "run `.venv/bin/python docs/make_reference.py`"
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*) \|$", written, flags=re.M)
    assert len(rows) > 30
    assert [name for name, _, said in rows if not said] == []


@pytest.mark.parametrize(
    "page", sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=str
)
def test_links_and_pictures_lead_somewhere(page):
    text = PIECE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


def shown_settings():
    """Every piece of a recipe that the documentation shows."""
    for path in [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md"))]:
        for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", path.read_text("utf-8"), flags=re.S | re.M)):
            tree = yaml.safe_load(block)
            if isinstance(tree, dict) and tree.keys() <= Recipe.model_fields.keys():
                yield pytest.param(tree, id=f"{path.relative_to(ROOT)}-{number}")


def over(below, above):
    both = isinstance(below, dict) and isinstance(above, dict)
    return below | {key: over(below.get(key), value) for key, value in above.items()} if both else above


@pytest.mark.parametrize("tree", list(shown_settings()))
def test_the_settings_that_pages_show_are_those_that_recipes_have(tree, tmp_path):
    whole = {"name", "task"} <= tree.keys()
    rest = {"name": "shown", "task": "Does what a page shows.", "collect": COLLECT}
    check_recipe(tree if whole else over(rest, tree), name="the page's recipe", folder=tmp_path)


def shown_commands():
    """Every command line that the documentation shows, in its text too."""
    for path in [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md"))]:
        text = path.read_text("utf-8")
        blocks = re.findall(r"^```(?:console|bash|sh)?\n(.*?)^```", text, flags=re.S | re.M)
        lines = [line for block in blocks for line in re.sub(r"\\\n", " ", block).splitlines()]
        for line in [*lines, *re.findall(r"`([^`\n]+)`", PIECE.sub("", text))]:
            if found := re.match(r"(?:\$ )?(?:\S+=\S+ )*prefloop (.+)", line):
                yield pytest.param(shlex.split(found[1], comments=True), id=f"{path.relative_to(ROOT)}: {found[1]}")


@pytest.mark.parametrize("words", list(shown_commands()))
def test_the_commands_that_pages_show_exist_with_their_options(words):
    command = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert not hasattr(command, "commands") or not words or words[0].startswith("-"), words
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    assert [word for word in words if word.startswith("--") and word.split("=")[0] not in known] == []


def named_code():
    """Every Python module, file or object of prefloop's that the documentation's text names."""
    for path in [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md"))]:
        for piece in re.findall(r"`([^`\n]+)`", PIECE.sub("", path.read_text("utf-8"))):
            for name in re.findall(r"\bprefloop(?:\.\w+)+(?!\.?\w)|(?:\w+/)+\w+\.py\b", piece):
                if name != "prefloop.json":  # a file of every adapter's
                    yield pytest.param(name, id=f"{path.relative_to(ROOT)}: {name}")


@pytest.mark.parametrize("name", list(named_code()))
def test_the_code_that_pages_name_is_there(name):
    if name.endswith(".py"):
        rooms = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")]
        assert [path for room in rooms for path in room.rglob(Path(name).name) if str(path).endswith(f"/{name}")]
    else:
        pkgutil.resolve_name(name)
