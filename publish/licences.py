"""What licences ask of a model that is made from others' work: a small table, no legal advice.

Names are the Hub's (https://huggingface.co/docs/hub/repositories-licenses). What is not in the table is said to be
unknown, never taken to be fine.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["permissive", "share-alike", "non-commercial", "no derivatives", "own terms"]


@dataclass(frozen=True, slots=True)
class Licence:
    """One family of licences."""

    kind: Kind
    source: str
    """Where its text is."""
    heirs: tuple[str, ...] = ()
    """What a work made from it may be released under, where that is not free; its own name is always among them."""
    duties: tuple[str, ...] = ()
    """What a release made from it must do beside that, one sentence each."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that a release's licence does not settle with another's."""

    certain: bool
    """Whether the release breaks the terms; else it is not known, or to be looked at by a person."""
    text: str


CC = "https://creativecommons.org/licenses"
OPENRAIL = (
    "The licence's use restrictions must be passed on with the model, and a copy of the licence with it.",
    "State that the model was changed.",
)
LLAMA2 = (
    "Pass on a copy of the Llama licence and the notice it asks for (a NOTICE file).",
    "Meta's acceptable use policy binds whoever uses this model.",
)
BUILT_WITH = {"llama3": "Built with Meta Llama 3"} | dict.fromkeys(
    ("llama3.1", "llama3.2", "llama3.3", "llama4"), "Built with Llama"
)
"""What must stand where it is plainly seen; these licences also ask for a name that begins with Llama."""
GEMMA = (
    "Pass on the Gemma terms of use with their use restrictions (a NOTICE file says so).",
    "State that the model was changed.",
)


def _llama(version: str) -> Licence:
    begin = "Llama 3" if version == "llama3" else "Llama"
    more = (
        f"The model's name must begin with “{begin}”.",
        f"“{BUILT_WITH[version]}” must stand where it is plainly seen.",
    )
    page = version.replace(".", "_")
    return Licence("own terms", f"https://www.llama.com/{page}/license/", (version,), (*LLAMA2, *more))


LICENCES: dict[str, Licence] = {
    **{
        name: Licence("permissive", f"https://spdx.org/licenses/{spdx}.html")
        for name, spdx in (
            ("apache-2.0", "Apache-2.0"), ("mit", "MIT"), ("bsd", "BSD-2-Clause"), ("bsd-2-clause", "BSD-2-Clause"),
            ("bsd-3-clause", "BSD-3-Clause"), ("isc", "ISC"), ("unlicense", "Unlicense"), ("odc-by", "ODC-By-1.0"),
            ("cdla-permissive-2.0", "CDLA-Permissive-2.0"), ("ms-pl", "MS-PL"), ("zlib", "Zlib"),
        )
    },
    "cc0-1.0": Licence("permissive", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "cc-by-4.0": Licence("permissive", f"{CC}/by/4.0/", duties=("Name the authors of what it was made from.",)),
    "cc-by-3.0": Licence("permissive", f"{CC}/by/3.0/", duties=("Name the authors of what it was made from.",)),
    "cc-by-sa-4.0": Licence("share-alike", f"{CC}/by-sa/4.0/", ("cc-by-sa-4.0", "gpl-3.0")),
    "cc-by-sa-3.0": Licence("share-alike", f"{CC}/by-sa/3.0/", ("cc-by-sa-3.0", "cc-by-sa-4.0")),
    "cc-by-nc-4.0": Licence("non-commercial", f"{CC}/by-nc/4.0/", ("cc-by-nc-4.0", "cc-by-nc-sa-4.0")),
    "cc-by-nc-3.0": Licence("non-commercial", f"{CC}/by-nc/3.0/", ("cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")),
    "cc-by-nc-2.0": Licence("non-commercial", f"{CC}/by-nc/2.0/", ("cc-by-nc-2.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0")),
    "cc-by-nc-sa-4.0": Licence("non-commercial", f"{CC}/by-nc-sa/4.0/", ("cc-by-nc-sa-4.0",)),
    "cc-by-nc-sa-3.0": Licence("non-commercial", f"{CC}/by-nc-sa/3.0/", ("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0")),
    "cc-by-nd-4.0": Licence("no derivatives", f"{CC}/by-nd/4.0/"),
    "cc-by-nc-nd-4.0": Licence("no derivatives", f"{CC}/by-nc-nd/4.0/"),
    "gpl-3.0": Licence("share-alike", "https://www.gnu.org/licenses/gpl-3.0.html", ("gpl-3.0", "agpl-3.0")),
    "agpl-3.0": Licence("share-alike", "https://www.gnu.org/licenses/agpl-3.0.html", ("agpl-3.0",)),
    "odbl": Licence("share-alike", "https://opendatacommons.org/licenses/odbl/1-0/", ("odbl",)),
    **{
        name: Licence("own terms", "https://www.licenses.ai", (name,), OPENRAIL)
        for name in ("openrail", "openrail++", "creativeml-openrail-m", "bigscience-openrail-m",
                     "bigscience-bloom-rail-1.0", "bigcode-openrail-m")
    },
    "gemma": Licence("own terms", "https://ai.google.dev/gemma/terms", ("gemma",), GEMMA),
    "llama2": Licence("own terms", "https://ai.meta.com/llama/license/", ("llama2",), LLAMA2),
    **{name: _llama(name) for name in BUILT_WITH},
}  # fmt: skip
"""By the Hub's name."""


def duties(base: str | None) -> tuple[str, ...]:
    """Return what a release made from a base of this licence must do, one sentence each."""
    return LICENCES[base].duties if base in LICENCES else ()


def conflicts(release: str | None, base: str | None, data: str | None = None, *, name: str = "") -> list[Conflict]:
    """Return where a release's licence doesn't fit those of what it was made from.

    Args:
        release: Its licence as the Hub spells it; None where none was chosen.
        base: The base model's.
        data: The training data's; None where they are the publisher's own.
        name: The release's, `user/model`, for licences that ask for a name.
    """
    return [
        *_of_release(release),
        *_fits(release, base, "base model"),
        *(_fits(release, data, "training data") if data else ()),
        *_name(base, name),
    ]


def _of_release(release: str | None) -> Iterator[Conflict]:
    if release is None:
        yield Conflict(False, "no licence is chosen for this release, so nobody may use it: give publish.license")
    elif release not in LICENCES and release != "other":
        yield Conflict(
            False, f"the licence {release} is not in prefloop's table: whether it fits the others was not checked"
        )


def _fits(release: str | None, source: str | None, what: str) -> Iterator[Conflict]:
    if source is None:
        yield Conflict(False, f"the licence of the {what} is not on record: whether this one fits it is not known")
        return
    if source not in LICENCES:
        yield Conflict(False, f"{source}, the licence of the {what}, is not in prefloop's table: read it yourself")
        return
    licence = LICENCES[source]
    if licence.kind == "no derivatives":
        yield Conflict(True, f"{source}, the licence of the {what}, allows no changed copies to be given away")
    elif licence.heirs and release is not None and release not in licence.heirs:
        allowed = " or ".join(licence.heirs)
        if release == "other":
            yield Conflict(False, f"{source}, the licence of the {what}, asks for {allowed}: see that yours does too")
            return
        why = {"share-alike": "passes on to what is made from it", "non-commercial": "forbids commercial use"}
        because = why.get(licence.kind, "has terms that go with everything made from it")
        broken = f"a release under {release} breaks {source}, the licence of the {what}, which {because}"
        yield Conflict(True, f"{broken}: use {allowed}")


def _name(base: str | None, name: str) -> Iterator[Conflict]:
    if base in BUILT_WITH and name and not name.rpartition("/")[2].lower().startswith("llama"):
        yield Conflict(True, f"{base} asks for a name that begins with Llama, and {name} does not: change publish.repo")
