"""The rules of the house that a reader relies on: who imports whom, who prints, what ships, and what `--help` costs."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import prefloop
import pytest

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = {"tests", "benchmarks", "docs", "docker"}
ORDER = [
    "errors",
    "home",
    "runs",
    "pages",
    "models",
    "asking",
    "collect",
    "train",
    "evaluate",
    "publish",
    "recipe",
    "published",
    "translate",
    "loop",
    "doctor",
    "console",
    "demo",
    "scaffold",
    "commands",
    "cli",
]
MAY_PRINT = {"cli.py", "console.py"}
LONGEST_FUNCTION = 60
HEAVY = {
    "accelerate",
    "altair",
    "argilla",
    "bitsandbytes",
    "crowdkit",
    "datasets",
    "datasketch",
    "evaluate",
    "gguf",
    "huggingface_hub",
    "jinja2",
    "krippendorff",
    "lm_eval",
    "numpy",
    "openai",
    "pandas",
    "peft",
    "scipy",
    "torch",
    "transformers",
    "trl",
    "vl_convert",
    "wandb",
}


def files() -> list[str]:
    """Every file that is, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(name for name in set(listed.stdout.splitlines()) if (ROOT / name).is_file())


def modules() -> list[str]:
    """The package's own source files, relative to the root."""
    return [name for name in files() if name.endswith(".py") and name.split("/")[0] not in NOT_SHIPPED]


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), name)


def rank(name: str) -> int:
    """Where a dotted name, relative to the package, stands in the order of the house."""
    return ORDER.index(name.split(".")[0])


def inner_imports(name: str) -> Iterator[str]:
    """The dotted names, relative to the package, that a file imports from the package, inside functions too."""
    here = ["prefloop", *Path(name).with_suffix("").parts][:-1]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.split(".")[0] == "prefloop")
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            target = [*base, *(node.module or "").split(".")] if node.module else base
            if target[:1] != ["prefloop"]:
                continue
            if len(target) > 1:
                yield ".".join(target[1:])
            else:
                yield from (alias.name for alias in node.names)


def upward_imports(name: str) -> list[str]:
    if name == "__init__.py" or name.startswith("recipes/"):
        return [f"{name} imports {target}" for target in inner_imports(name)]
    own = name.split("/")[0].removesuffix(".py")
    targets = [target for target in inner_imports(name) if target != "__version__"]
    return [
        f"{name} imports {target}" for target in targets if target.split(".")[0] != own and rank(target) >= rank(own)
    ]


def test_every_module_has_its_place_in_the_order() -> None:
    tops = {name.split("/")[0].removesuffix(".py") for name in modules()} - {"__init__", "recipes"}
    assert tops <= set(ORDER)
    assert len(tops) >= 8


def test_imports_point_one_way() -> None:
    assert [line for name in modules() for line in upward_imports(name)] == []


def test_an_upward_import_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from ..publish import card\nfrom .. import cli\n\ndef f():\n    from ..train.adapter import Adapter\n"
    (tmp_path / "collect").mkdir()
    (tmp_path / "collect/bad.py").write_text(source)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert upward_imports("collect/bad.py") == [
        "collect/bad.py imports publish", "collect/bad.py imports cli", "collect/bad.py imports train.adapter",
    ]  # fmt: skip


def test_only_the_command_line_prints() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name in modules()
        if name not in MAY_PRINT
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


def test_functions_are_short() -> None:
    long = [
        f"{name}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for name in modules()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


def test_packages_in_pyproject_are_the_package_folders() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {str(Path(name).parent) for name in modules() if Path(name).name == "__init__.py"}
    expected = {"prefloop" if folder == "." else "prefloop." + folder.replace("/", "."): folder for folder in folders}
    assert setuptools["package-dir"] == expected
    assert setuptools["packages"] == sorted(setuptools["packages"], key=setuptools["packages"].index)
    assert set(setuptools["packages"]) == set(expected)


def test_public_faces_list_what_they_offer() -> None:
    for folder in ("asking", "collect", "train", "evaluate", "publish"):
        face = importlib.import_module(f"prefloop.{folder}")
        assert face.__all__, f"{folder} offers nothing"
        assert list(face.__all__) == sorted(face.__all__), f"{folder}.__all__ is not sorted"
        missing = [name for name in face.__all__ if name not in vars(face)]
        assert missing == [], f"{folder}.__all__ names what the folder does not have: {missing}"


def dotted(name: str) -> str:
    parts = ["prefloop", *Path(name).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_importing_any_module_loads_nothing_heavy() -> None:
    # The plug-in runs in the server's own environment and is imported only there.
    names = [dotted(name) for name in modules() if not name.startswith("collect/embedded/plugin/")]
    script = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        f"heavy = {HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}\nprint(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_help_loads_nothing_heavy() -> None:
    command = [sys.executable, "-X", "importtime", str(Path(sys.executable).with_name("prefloop")), "--help"]
    done = subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = {
        line.rsplit("|", 1)[1].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "prefloop" in loaded
    assert loaded & HEAVY == set()


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert headings.index("Unreleased") == 0 if "Unreleased" in headings else True
    assert project == prefloop.__version__
    if released:
        assert re.fullmatch(rf"{re.escape(project)} - \d{{4}}-\d\d-\d\d", released[0])


def test_changelog_entries_name_what_changed_for_the_user() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    entries = re.findall(r"^- (.+)$", text, flags=re.M)
    assert entries
    assert set(re.findall(r"^### (.+)$", text, flags=re.M)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }
    assert [entry for entry in entries if not entry.endswith(".")] == []


# Folders that exist on one machine only; as a pattern, so that this file does not name them itself.
MACHINE_PATH = re.compile(
    r"(?<![\w./}\]-])/(?:(?:work|farm|root|Users)/[\w.]|home/(?!prefloop\b|user\b|you\b)\w|opt/(?:wheels|pypi)|tmp/(?:dev|mach)\b)"
)


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for name in files():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{name}:{n}: {line.strip()[:80]}"
            for n, line in enumerate(text.splitlines(), 1)
            if MACHINE_PATH.search(line)
        ]
    assert found == []


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "home/ada/x", "tmp/dev/venv", "opt/wheels"])
def test_a_machine_path_would_be_seen(path: str) -> None:
    assert MACHINE_PATH.search(f"see '/{path}' there")


def test_no_large_file_is_committed() -> None:
    assert [name for name in files() if (ROOT / name).stat().st_size > 1_000_000] == []
