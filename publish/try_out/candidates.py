"""What the user may name as a model, and what it takes to run it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...asking import EndpointSettings
from ...collect import read_pairs
from ...collect.item import content_hash
from ...errors import Problems, UserError
from ...models import ModelFolder, resolve_model
from ...runs import read_json
from ...train import Adapter, read_adapter
from ..release import MARK
from ..source import open_release
from .endpoints import is_endpoint, read_endpoint

PINNED = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model to try."""

    name: str
    """Unique among the candidates."""
    kind: str
    """What it is, in a word or two."""
    model: ModelFolder | None
    """What is loaded: a whole model, or an adapter's base. None behind an endpoint."""
    adapter: Path | None
    """On `model`."""
    endpoint: EndpointSettings | None
    sha256: str | None
    """The fingerprint of all weights together; None behind an endpoint, where nobody knows them."""
    parameters: int | None
    size: int | None
    """Bytes of the weights that have to be loaded."""
    trained_on: frozenset[str] | None
    """Prompts by content hash; None where nobody says."""
    measured_on: frozenset[str]
    """Prompts of the sealed set, by content hash."""

    @property
    def weights(self) -> ModelFolder:
        """The model's folder under the fingerprint of all its weights: what local replies are kept under."""
        if self.model is None or self.sha256 is None:
            raise ValueError(f"{self.name} stands behind an endpoint: its weights are not here")
        return replace(self.model, sha256=self.sha256)

    @property
    def target(self) -> EndpointSettings | ModelFolder:
        """Whom questions are for."""
        return self.endpoint or self.weights


def find_candidates(texts: Sequence[str], bases: Sequence[str] = ()) -> list[Candidate]:
    """Find or fetch each model that the user named, and whatever it stands on.

    Args:
        texts: Runs, releases, exports, adapters or model folders here; names on the Hub, `org/name[@revision]`; an
            endpoint as `URL#MODEL`, or a YAML file with `asking.EndpointSettings`.
        bases: More models to look among for an adapter's base, found by their fingerprint; the candidates that are
            whole models are looked among anyway.

    Raises:
        Problems: some can't be had, all of them named; or two are the same model.
    """
    found, problems = list[Candidate](), list[str]()
    whole = [resolve_model(text) for text in bases]
    # Whole models first: an adapter's base may be among them.
    for text in sorted(texts, key=_needs_base):
        try:
            candidate = _find(text, whole)
        except UserError as error:
            problems.append(str(error))
            continue
        found.append(candidate)
        if candidate.model is not None and candidate.adapter is None:
            whole.append(candidate.model)
    found.sort(key=lambda one: texts.index(one.name))
    problems += _same(found)
    if problems:
        raise Problems("these models can't be tried", problems)
    return _short_names(found)


def _needs_base(text: str) -> bool:
    return not is_endpoint(text) and not (Path(text).expanduser() / "config.json").exists()


def _find(text: str, whole: Sequence[ModelFolder]) -> Candidate:
    folder = Path(text).expanduser()
    if is_endpoint(text):
        return _endpoint(text)
    if folder.is_dir():
        return _local(text, folder, whole)
    if folder.exists():
        raise UserError(f"{text} is a file, not a model; an endpoint's settings stand in a .yaml file")
    return _from_hub(text, whole)


def _endpoint(text: str) -> Candidate:
    return Candidate(text, "endpoint", None, None, read_endpoint(text), None, None, None, None, frozenset())


def _local(text: str, folder: Path, whole: Sequence[ModelFolder]) -> Candidate:
    if (folder / MARK).exists():
        return _release(text, folder, whole, "release")
    if (folder / "train" / "adapter").is_dir():
        prompts = [_prompts(folder / "collect" / name) for name in ("pairs.jsonl", "sealed_pairs.jsonl")]
        return _trained(text, "run", folder / "train" / "adapter", whole, prompts[0], prompts[1] or frozenset())
    if (folder / "recipe.json").exists():
        raise UserError(f"the run {text} has trained nothing yet; `prefloop train` comes first")
    if (folder / "adapter_config.json").exists():
        return _trained(text, "adapter", folder, whole, None, frozenset())
    if (folder / "export.json").exists() and not (folder / "config.json").exists():
        raise UserError(f"{text} is a GGUF export, which prefloop does not run; serve it, and name the endpoint")
    return _plain(text, resolve_model(text))


def _from_hub(text: str, whole: Sequence[ModelFolder]) -> Candidate:
    try:
        opened = open_release(text)
    except UserError as no_release:
        name, _, revision = text.partition("@")
        try:
            model = resolve_model(name, revision=revision or None)
        except UserError as no_model:
            raise UserError(f"{no_model}; as a release of prefloop's: {no_release}") from no_model
        return _plain(text, model)
    return _release(text, opened.folder, whole, "release on the Hub")


def _release(text: str, folder: Path, whole: Sequence[ModelFolder], kind: str) -> Candidate:
    data = read_json(open_release(str(folder)).folder / "data.json")
    prompts = [frozenset(row["prompt_id"] for row in data[part]) for part in ("training", "sealed")]
    return _trained(text, kind, folder, whole, *prompts)


def _trained(
    text: str,
    kind: str,
    folder: Path,
    whole: Sequence[ModelFolder],
    trained_on: frozenset[str] | None,
    measured_on: frozenset[str],
) -> Candidate:
    adapter = read_adapter(folder)
    if adapter.whole:
        model = replace(resolve_model(str(folder)), name=text, sha256=adapter.sha256)
        return replace(_plain(text, model), kind=kind, trained_on=trained_on, measured_on=measured_on)
    base = _base(text, adapter, whole)
    parameters, size = weigh(base.path)
    own, more = weigh(folder)
    both = content_hash([base.sha256, adapter.sha256])
    return Candidate(
        text, kind, base, folder, None, both, parameters + own, size + more, trained_on, measured_on
    )  # fmt: skip


def _base(text: str, adapter: Adapter, whole: Sequence[ModelFolder]) -> ModelFolder:
    known = next((model for model in whole if model.sha256 == adapter.base_sha256), None)
    if known is not None:
        return known
    revision = adapter.base_revision if PINNED.fullmatch(adapter.base_revision) else None
    try:
        base = resolve_model(adapter.base_name, revision=revision)
    except UserError as error:
        raise UserError(f"{text} needs its base: {error}; or name its folder with --base") from error
    if base.sha256 != adapter.base_sha256:
        raise UserError(
            f"{text} was trained on other weights ({adapter.base_sha256[:12]}) than {base.name} has now "
            f"({base.sha256[:12]}); name the right folder with --base"
        )
    return base


def _plain(text: str, model: ModelFolder) -> Candidate:
    parameters, size = weigh(model.path)
    return Candidate(text, "model", model, None, None, model.sha256, parameters, size, None, frozenset())


def weigh(folder: Path) -> tuple[int, int]:
    """Return the parameters and the bytes of all weights in a folder, from the files' headers."""
    from math import prod

    from safetensors import safe_open

    parameters = size = 0
    for path in sorted(folder.glob("*.safetensors")):
        size += path.stat().st_size
        with safe_open(path, framework="numpy") as weights:
            parameters += sum(prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return parameters, size


def _prompts(path: Path) -> frozenset[str] | None:
    return frozenset(pair.prompt_id for pair in read_pairs(path)) if path.exists() else None


def _same(found: Sequence[Candidate]) -> Iterator[str]:
    first: dict[str, str] = {}
    for one in found:
        where = f"{one.endpoint.base_url}#{one.endpoint.model}" if one.endpoint is not None else str(one.sha256)
        if where in first:
            yield f"{one.name} is the same model as {first[where]}"
        first.setdefault(where, one.name)


def _short_names(found: Sequence[Candidate]) -> list[Candidate]:
    """Call a folder by its last part, and an endpoint by its model, where no other is called so."""
    short = [_short(one) for one in found]
    return [
        replace(one, name=name if short.count(name) == 1 else one.name) for one, name in zip(found, short, strict=True)
    ]


def _short(one: Candidate) -> str:
    if one.endpoint is not None:
        return one.endpoint.model
    folder = Path(one.name).expanduser()
    if not folder.is_dir():
        return one.name
    folder = folder.resolve()
    return folder.parent.name if folder.name in {"release", "adapter", "safetensors"} else folder.name
