"""Everything that can be wrong with a release folder before it is pushed, all at once; the network is not asked."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ...errors import Problems, UserError
from ...runs import read_json
from ...train.adapter import is_whole
from ..licences import conflicts
from ..redact import own_places, refuse_leaks
from .problem import Problem
from .prose import body

CARD, MARK = "README.md", "release.json"
DOCUMENTS = (CARD, MARK, "report.json", "report.html", "data.json", "recipe.json", "prefloop.json")
BLANK = re.compile(r"\[More Information Needed\]|<!-- Provide a|\{\{ *\w+ *\}\}", re.IGNORECASE)
"""What TRL's and PEFT's own cards leave open."""
PICKLED = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz"}
CODE = {".py", ".so", ".sh", ".exe"}
LARGE_CARD, LARGE_TEXT, LARGE_FILE = 400_000, 10_000_000, 50_000_000_000
"""Bytes: longer cards are hard to read, longer texts are none to keep in git, and the largest file the Hub takes."""
NAMED_LICENCE = "other"


def lint_release(folder: Path) -> list[Problem]:
    """Look through a release folder, as it lies there.

    Returns:
        Errors, which should stop a push, before warnings; empty where there is nothing to mend.
    """
    missing = [Problem("error", name, "is missing") for name in DOCUMENTS if not (folder / name).is_file()]
    if missing:
        return missing
    text = (folder / CARD).read_text(encoding="utf-8")
    found = [
        *_metadata(text, folder),
        *_licence(folder),
        *_body(text, folder),
        *_files(folder),
        *_model(folder),
        *_leaks(folder),
    ]
    return sorted(found, key=lambda problem: problem.level)


def _metadata(text: str, folder: Path) -> Iterator[Problem]:
    """Read the metadata block, and `.eval_results`, with huggingface_hub's own types."""
    import yaml
    from huggingface_hub import ModelCard

    if not text.startswith("---\n"):
        yield Problem(
            "error", CARD, "has no metadata block between --- lines: the Hub would show no licence and no task"
        )
        return
    try:
        read: Any = ModelCard(text, ignore_metadata_errors=False).data
        data = read.to_dict()
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        yield Problem("error", CARD, f"huggingface_hub can't read its metadata block: {_first_line(error)}")
        return
    for name in ("base_model", "pipeline_tag", "library_name"):
        if not data.get(name):
            yield Problem("error", f"{CARD} metadata", f"{name} is missing: nobody would find the model by it")
    if "prefloop" not in (data.get("tags") or ()):
        yield Problem(
            "error", f"{CARD} metadata", "the tag prefloop is missing: searches for prefloop's releases go by it"
        )
    for name in ("license", "language"):
        if not data.get(name):
            yield Problem("warning", f"{CARD} metadata", f"{name} is missing: give publish.{_setting(name)}")
    if data.get("license") == NAMED_LICENCE and not (data.get("license_name") and data.get("license_link")):
        yield Problem("error", f"{CARD} metadata", "license other needs publish.license_name and publish.license_link")
    if "model-index" not in data:
        yield Problem("error", f"{CARD} metadata", "model-index is missing: no result would be shown")
    yield from _eval_results(folder)


def _setting(name: str) -> str:
    return {"language": "languages"}.get(name, name)


def _eval_results(folder: Path) -> Iterator[Problem]:
    import yaml
    from huggingface_hub import parse_eval_result_entries

    paths = sorted((folder / ".eval_results").glob("*.yaml"))
    if not paths:
        yield Problem("error", ".eval_results", "has no results")
    for path in paths:
        try:
            parse_eval_result_entries(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
            yield Problem("error", f".eval_results/{path.name}", f"huggingface_hub can't read it: {_first_line(error)}")


def _licence(folder: Path) -> Iterator[Problem]:
    settings = read_json(folder / "recipe.json").get("publish") or {}
    given = [settings.get(name) for name in ("license", "base_license", "data_license")]
    for conflict in conflicts(*given, name=settings.get("repo") or ""):
        yield Problem("error" if conflict.certain else "warning", "licence", conflict.text)


def _body(text: str, folder: Path) -> Iterator[Problem]:
    from markdown_it import MarkdownIt

    rest, before = body(text)
    if len(text) > LARGE_CARD:
        yield Problem("warning", CARD, f"has {len(text):,} characters: few will read it")
    for number, line in enumerate(rest.splitlines(), before + 1):
        if found := BLANK.search(line):
            yield Problem(
                "error", f"{CARD} line {number}", f"“{found[0]}” is a blank of a template: fill it in or take it out"
            )
    level = 0
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(rest):
        where = f"{CARD} line {before + token.map[0] + 1}" if token.map else CARD
        if token.type == "heading_open":
            depth = int(token.tag[1:])
            if depth > level + 1:
                yield Problem("error", where, f"a heading of level {depth} follows one of level {level}")
            level = depth
        elif token.type == "fence":
            yield from _code(token.info.strip(), token.content, where)
        elif token.type == "inline":
            yield from _links(token, folder, where)
        elif token.type == "html_block" and re.search(
            r"<(?:script|iframe|object|embed)\b", token.content, re.IGNORECASE
        ):
            yield Problem("error", where, "holds active HTML, which the Hub takes out")


def _code(language: str, code: str, where: str) -> Iterator[Problem]:
    try:
        if language == "python":
            ast.parse(code)
        elif language == "json":
            json.loads(code)
    except (SyntaxError, ValueError) as error:
        yield Problem("error", where, f"its {language} can't be run as it stands: {_first_line(error)}")


def _links(token: Any, folder: Path, where: str) -> Iterator[Problem]:
    for child in token.children or ():
        target = (
            child.attrGet("href")
            if child.type == "link_open"
            else child.attrGet("src")
            if child.type == "image"
            else ""
        )
        what = "picture" if child.type == "image" else "link"
        if not target or re.match(r"[a-z][a-z0-9+.-]*:|#", target, re.IGNORECASE):
            if str(target).lower().startswith(("javascript:", "file:", "http:")):
                yield Problem("error", where, f"the {what} {target} is none that a reader can follow safely: use https")
            continue
        path = (folder / unquote(target.partition("#")[0])).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.exists():
            yield Problem("error", where, f"the {what} {target} leads to no file of the release")
        if child.type == "image" and not child.content.strip():
            yield Problem("warning", where, f"the picture {target} has no words for those who don't see it")


def _files(folder: Path) -> Iterator[Problem]:
    written = read_json(folder / MARK)["files"]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, size = str(path.relative_to(folder)), path.stat().st_size
        if path.suffix in PICKLED:
            yield Problem(
                "error", name, "may hold pickled code that runs when it is loaded: only safetensors are released"
            )
        if path.suffix in CODE:
            yield Problem("error", name, "is code: nothing that is released may need trust_remote_code")
        if path.is_symlink():
            yield Problem("error", name, "is a link to somewhere else")
        if not size:
            yield Problem("error", name, "is empty")
        if size > LARGE_FILE:
            yield Problem(
                "error", name, f"has {size / 1e9:.0f} GB: the Hub takes {LARGE_FILE / 1e9:.0f} GB a file; shard it"
            )
        if name not in written and name != MARK:
            yield Problem("error", name, "was not written by prefloop: take it out, or publish again")
        if path.suffix in {".md", ".json", ".html"} and size > LARGE_TEXT and name != "tokenizer.json":
            yield Problem("warning", name, f"has {size / 1e6:.0f} MB of text")


def _model(folder: Path) -> Iterator[Problem]:
    whole = is_whole(folder)
    needed = ["config.json"] if whole else ["adapter_config.json", "adapter_model.safetensors"]
    yield from (
        Problem("error", name, "is missing: nobody could load the model")
        for name in needed
        if not (folder / name).exists()
    )
    if whole and not any(folder.glob("model*.safetensors")):
        yield Problem("error", "model.safetensors", "is missing: nobody could load the model")
    if not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        yield Problem("error", "tokenizer.json", "is missing: others would take the base's, which may differ")
    if not _has_template(folder):
        yield Problem(
            "error",
            "chat_template.jinja",
            "is missing: others would put prompts to it in another form than it was trained in",
        )
    for path in sorted(folder.rglob("*.safetensors")):
        yield from _safetensors(path, str(path.relative_to(folder)))
    config = folder / ("config.json" if whole else "adapter_config.json")
    if config.exists() and (read_json(config).get("auto_map") or read_json(config).get("trust_remote_code")):
        yield Problem(
            "error", config.name, "asks for trust_remote_code (auto_map), which prefloop's releases never need"
        )


def _has_template(folder: Path) -> bool:
    config = folder / "tokenizer_config.json"
    inside: Mapping[str, Any] = read_json(config) if config.exists() else {}
    return (folder / "chat_template.jinja").exists() or bool(inside.get("chat_template"))


def _safetensors(path: Path, name: str) -> Iterator[Problem]:
    """Read the header, which says where each tensor begins and ends, and compare it with the file's size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > size:
            yield Problem("error", name, "is no safetensors file")
            return
        try:
            header = json.loads(file.read(length))
            end = max(row["data_offsets"][1] for key, row in header.items() if key != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            yield Problem("error", name, "is no safetensors file")
            return
    if 8 + length + end != size:
        yield Problem("error", name, f"is {size} bytes long, its header speaks of {8 + length + end}: it is not whole")


def _leaks(folder: Path) -> Iterator[Problem]:
    try:
        refuse_leaks(folder, own_places(folder.parent))
    except Problems as found:
        yield from (Problem("error", *problem.split(" ", 1)) for problem in found.problems)
    except UserError as error:
        yield Problem("error", folder.name, str(error))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
