"""What prefloop writes has nothing to mend, and each thing that would be wrong on the Hub is found before a push."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from prefloop.publish import Evidence, PublishSettings, write_release
from prefloop.publish.checks.lint import lint_release

Change = Callable[[Path], object]


def told(folder: Path) -> list[str]:
    return [f"{problem.level} {problem}" for problem in lint_release(folder)]


def test_what_prefloop_writes_has_nothing_to_mend(released: Path) -> None:
    assert told(released) == []


def test_what_was_not_given_is_warned_of(evidence: Evidence, report_html: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run" / "bare"
    write_release(folder, evidence, PublishSettings(), report_html=report_html)
    found = told(folder)
    assert [line.split()[0] for line in found] == ["warning"] * 4
    for part in ("license is missing", "language is missing", "nobody may use it", "base model is not on record"):
        assert sum(part in line for line in found) == 1, (part, found)


def card(old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / "README.md"
        text = path.read_text(encoding="utf-8")
        assert old in text, old
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def put(name: str, content: bytes = b"x") -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def drop(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def publish(**changes: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / "recipe.json"
        recipe = json.loads(path.read_text())
        path.write_text(json.dumps(recipe | {"publish": recipe["publish"] | changes}))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop("data.json"), "data.json: is missing"),
        (drop("plots/results.png"), "the picture plots/results.png leads to no file"),
        (drop("chat_template.jinja"), "chat_template.jinja: is missing"),
        (drop("tokenizer.json"), "tokenizer.json: is missing"),
        (drop("adapter_model.safetensors"), "adapter_model.safetensors: is missing"),
        (drop(".eval_results/tiny-run.yaml"), "has no results"),
        (put(".eval_results/tiny-run.yaml", b"- value: 1\n"), "huggingface_hub can't read it"),
        (put("pytorch_model.bin"), "may hold pickled code"),
        (put("modeling_mine.py"), "is code"),
        (put("notes.txt"), "was not written by prefloop"),
        (put("adapter_model.safetensors", b"\xff" * 64), "is no safetensors file"),
        (put("report.html", b"token hf_" + b"a" * 34), "looks like an access token"),
        (card("license: mit\n", "license: [mit\n"), "can't read its metadata block"),
        (card("- prefloop\n", ""), "the tag prefloop is missing"),
        (card("base_model: tiny\n", ""), "base_model is missing"),
        (card("license: mit\n", "license: other\n"), "license other needs"),
        (card("## Training", "## Training\n\n[More Information Needed]\n"), "is a blank of a template"),
        (card("## Training", "#### Training"), "a heading of level 4 follows"),
        (card("import torch\n", "import torch torch\n"), "python can't be run as it stands"),
        (card("## Training", "[more](more.md)\n\n## Training"), "the link more.md leads to no file"),
        (card("## Training", "[out](../../x)\n\n## Training"), "the link ../../x leads to no file"),
        (card("## Training", "[out](http://example.org)\n\n## Training"), "use https"),
        (card("## Training", "<script>1</script>\n\n## Training"), "active HTML"),
        (publish(base_license="cc-by-nc-4.0"), "forbids commercial use"),
        (publish(base_license="llama3.2"), "begins with Llama"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_found(change: Change, says: str, released: Path) -> None:
    change(released)
    found = told(released)
    assert any(line.startswith("error") and says in line for line in found), found


def test_weights_that_were_cut_off_are_found(released: Path) -> None:
    path = released / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    assert any("it is not whole" in line for line in told(released))


def test_all_is_told_at_once_and_errors_first(released: Path) -> None:
    for change in (drop("chat_template.jinja"), put("a.bin"), card("language:\n- en\n", "")):
        change(released)
    levels = [problem.level for problem in lint_release(released)]
    assert levels == ["error", "error", "error", "warning"]  # a.bin is pickled, and not prefloop's
