"""The step about the data set: its own hashes, and whether it says what data.json says."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from ...collect import Item, PreferencePair, Verdict, pairwise
from ...collect.pair import TIE
from ...train import TrainSettings
from ...train.rows import data_sha256
from ...train.votes.reading import reads_votes
from ..manifest import origin_row, vote_row
from .step import Check, Step, agree, named, unchecked, verified, wrong
from .texts import Texts
from .told import ItemRow, Manifest, OriginRow, PairRow, Told, VoteRow

Key = tuple[str, str, str]
"""Id, item and kind of a pair: what tells it from others."""


def data_step(told: Told, manifest: Manifest, texts: Texts, verdicts: Mapping[str, Verdict] | None) -> Step:
    """Compute every hash again from the texts, and compare rows and votes with data.json."""
    found = _find(manifest, texts)
    checks = [
        *_own_files(texts),
        *_pair_ids(texts),
        *_rows_agree(manifest, texts, found),
        *_item_ids(manifest, texts),
        *_votes_agree(manifest, texts),
        *(_sealed(manifest, texts, found) if texts.whole else _sealed_absent(manifest, texts)),
        *_trained_on(told, manifest, found, verdicts),
    ]
    facts: dict[str, object] = {"place": texts.place, "pairs": len(texts.pairs)}
    facts |= {"votes": len(texts.votes)} if texts.votes is not None else {}
    facts |= {"items": len(texts.items)} if texts.items is not None else {}
    if texts.lineage:
        told_there = {name: texts.lineage.get(name) for name in ("version", "license", "consent", "protocol")}
        facts |= {name: value for name, value in told_there.items() if value}
        left_out = texts.lineage.get("left_out") or {}
        facts |= {f"left out: {what}": count for what, count in left_out.items()}
    return Step("data set", facts, tuple(checks))


def _find(manifest: Manifest, texts: Texts) -> dict[Key, PreferencePair]:
    """Return the pairs by the keys under which data.json lists them; tied rows are made of their items."""
    rows = zip(texts.pair_ids, texts.pairs, strict=True)
    pairs: dict[Key, PreferencePair] = {(row_id, pair.item_id, pair.kind): pair for row_id, pair in rows}
    items = _compared(texts)
    for row in (*manifest.training, *manifest.sealed):
        if row.kind == TIE and row.key not in pairs and (item := items.get(row.item_id)):
            text = (item.response_a, item.response_b)
            pairs[row.key] = PreferencePair(item.prompt, *text, row.weight, row.item_id, row.vote_ids, TIE, item.tags)
    return pairs


def _compared(texts: Texts) -> dict[str, Item]:
    """Return the items by the ids that pairs name."""
    rows = zip(texts.item_ids, texts.items or (), strict=True)
    found = dict(rows)
    return found | {item.id: item for item in pairwise(list(texts.items or ()), [])[0]}


def _own_files(texts: Texts) -> Iterator[Check]:
    """Check the data set's files against its lineage.json, and its version against card and lineage."""
    if texts.lineage is None:
        return
    told = texts.lineage.get("sha256") or {}
    here = {path.name for path in texts.folder.glob("*.jsonl")}
    changed = [
        name
        for name in sorted(told.keys() | here)
        if name not in here or hashlib.sha256((texts.folder / name).read_bytes()).hexdigest() != told.get(name)
    ]
    yield agree(
        not changed,
        f"{len(told)} files have the SHA-256 that its lineage.json gives",
        f"files are not those that its lineage.json names: {named(changed)}",
    )
    version = str(texts.lineage.get("version"))
    card = texts.folder / "README.md"
    if not card.exists():
        yield wrong("its card is missing")
        return
    row = {name: value for name, value in texts.lineage.items() if name != "version"}
    text = json.dumps(row, ensure_ascii=False) + "\n" + card.read_text(encoding="utf-8").replace(version, "")
    yield agree(
        hashlib.sha256(text.encode()).hexdigest()[:16] == version,
        f"its version {version} is the hash of its lineage and card",
        f"its version {version} is not the hash of its lineage and card",
    )


def _pair_ids(texts: Texts) -> Iterator[Check]:
    if texts.whole:
        return  # a run's pairs have no ids beside them
    rows = list(zip(texts.pair_ids, texts.pairs, strict=True))
    bad = [row_id for row_id, pair in rows if pair.id != row_id]
    yield agree(
        not bad,
        f"{len(rows)} pairs have ids that are the hash of prompt, chosen and rejected",
        f"{len(bad)} of {len(rows)} pairs have other texts than their ids say, edited or with chosen and rejected "
        f"swapped: {named(bad)}",
    )
    bad = [row_id for row_id, pair in rows if pair.prompt_id != texts.told[row_id]["prompt_id"]]
    yield agree(
        not bad,
        f"{len(rows)} pairs have prompt ids that are the hash of the prompt",
        f"{len(bad)} pairs have other prompts than their prompt ids say: {named(bad)}",
    )


def _rows_agree(manifest: Manifest, texts: Texts, found: Mapping[Key, PreferencePair]) -> Iterator[Check]:
    """Compare the pairs that are listed with those that are there."""
    listed = [*manifest.training, *(manifest.sealed if texts.whole else ())]
    missing = [row for row in listed if row.key not in found]
    without_texts = [row.id for row in missing if row.kind == TIE and texts.items is None]
    lost = [row.id for row in missing if row.id not in without_texts]
    differ = [row.id for row in listed if row.key in found and not _same_row(row, found[row.key])]
    yield agree(
        not lost,
        f"{len(listed) - len(without_texts)} pairs that data.json lists are there",
        f"{len(lost)} of {len(listed)} pairs that data.json lists are not there: {named(lost)}",
    )
    yield agree(
        not differ,
        f"{len(listed) - len(missing)} pairs have the texts, votes and weights that data.json lists",
        f"{len(differ)} pairs have other texts, votes or weights than data.json lists: {named(differ)}",
    )
    known = {row.key for row in (*manifest.training, *manifest.sealed)}
    more = [row_id for row_id, _, _ in found.keys() - known]
    if more and not texts.whole:
        yield unchecked(f"{len(more)} pairs of the data set were not trained on: {named(sorted(more))}")
    if without_texts:
        yield unchecked(f"{len(without_texts)} tied rows: the data set has no items, so their texts are not there")


def _same_row(row: PairRow, pair: PreferencePair) -> bool:
    here = (pair.id, pair.prompt_id, set(pair.vote_ids), pair.weight)
    return here == (row.id, row.prompt_id, set(row.vote_ids), row.weight)


def _item_ids(manifest: Manifest, texts: Texts) -> Iterator[Check]:
    """Compute the items' ids again, and compare who wrote their candidates."""
    if texts.items is None or manifest.items is None:
        yield unchecked("who wrote each candidate is told by data.json alone: the data set has no items")
        return
    listed = {item.id: item for item in manifest.items}
    rows = list(zip(texts.item_ids, texts.items, strict=True))
    short = {item_id for item_id, _ in rows if item_id in listed and any(o.shortened for o in listed[item_id].origins)}
    bad = [item_id for item_id, item in rows if item_id not in short and item.id != item_id]
    yield agree(
        not bad,
        f"{len(rows) - len(short)} items have ids that are the hash of prompt, candidates and who wrote them",
        f"{len(bad)} of {len(rows)} items have other texts or writers than their ids say: {named(bad)}",
    )
    if short:
        yield unchecked(f"{len(short)} items name a writer by a local folder, cut down to its last part in publishing")
    differ = [item_id for item_id, item in rows if not _same_item(listed.get(item_id), item)]
    yield agree(
        not differ,
        f"{len(rows)} items name the same writers as in data.json",
        f"{len(differ)} items are not in data.json, or name other writers there: {named(differ)}",
    )


def _same_item(row: ItemRow | None, item: Item) -> bool:
    if row is None or row.prompt_id != item.prompt_id:
        return False
    return row.origins == tuple(
        OriginRow.model_validate(origin_row(one.origin) | {"shortened": told.shortened})
        for one, told in zip(item.candidates, row.origins, strict=False)
    )


def _votes_agree(manifest: Manifest, texts: Texts) -> Iterator[Check]:
    if texts.votes is None or manifest.votes is None or manifest.items is None:
        yield unchecked("the votes are told by data.json alone: there are none beside it")
        return
    here = {vote.id: VoteRow.model_validate(vote_row(vote)) for vote in texts.votes}
    open_items = {item.id for item in manifest.items if texts.whole or item.side == "training"}
    listed = {vote.id: vote.model_copy(update={"adjudication": False}) for vote in manifest.votes}
    expected = {name for name, vote in listed.items() if vote.item_id in open_items}
    lost, more = sorted(expected - here.keys()), sorted(here.keys() - listed.keys())
    differ = [name for name in sorted(expected & here.keys()) if here[name] != listed[name]]
    yield agree(
        not (lost or more),
        f"{len(expected)} votes that data.json lists are there, and no others",
        f"votes are missing ({named(lost) or 'none'}), or not listed in data.json ({named(more) or 'none'})",
    )
    yield agree(
        not differ,
        f"{len(expected & here.keys())} votes say the same as in data.json: annotator, choice, item, protocol",
        f"{len(differ)} votes say something else than in data.json: {named(differ)}",
    )


def _sealed_absent(manifest: Manifest, texts: Texts) -> Iterator[Check]:
    """Look for what is sealed by prompts, whose hashes are computed from the texts, and by ids."""
    kept = [item for item in manifest.items or () if item.side != "training"]
    prompts = {pair.prompt_id for pair in manifest.sealed} | {item.prompt_id for item in kept}
    ids = {pair.id for pair in manifest.sealed} | {item.id for item in kept}
    rows = [(row_id, pair.prompt_id) for row_id, pair in zip(texts.pair_ids, texts.pairs, strict=True)]
    rows += [(row_id, item.prompt_id) for row_id, item in zip(texts.item_ids, texts.items or (), strict=True)]
    leaked = [row_id for row_id, prompt_id in rows if row_id in ids or prompt_id in prompts]
    leaked += [vote.id for vote in texts.votes or () if vote.item_id in ids]
    looked = len(rows) + len(texts.votes or ())
    yield agree(
        not leaked,
        f"none of its {looked} rows has one of the {len(prompts)} prompts that were set apart",
        f"{len(leaked)} of its rows are about prompts that were set apart: {named(leaked)}",
    )


def _sealed(manifest: Manifest, texts: Texts, found: Mapping[Key, PreferencePair]) -> Iterator[Check]:
    bad = [row.id for row in manifest.sealed if row.key not in found or found[row.key].id != row.id]
    yield agree(
        not bad,
        f"{len(manifest.sealed)} sealed pairs have ids that are the hash of the run's texts",
        f"{len(bad)} sealed pairs are not in the run: {named(bad)}",
    )


def _trained_on(
    told: Told,
    manifest: Manifest,
    found: Mapping[Key, PreferencePair],
    verdicts: Mapping[str, Verdict] | None,
) -> Iterator[Check]:
    """Compute the hash of what the training read again, from the texts."""
    if told.record is None:
        return
    try:
        settings = TrainSettings.model_validate(told.record.settings)
    except ValidationError:
        yield unchecked("the training's settings are of another prefloop: the hash of its data was not computed again")
        return
    pairs = [_as_trained(found[row.key], verdicts) for row in manifest.training if row.key in found]
    if len(pairs) < len(manifest.training):
        yield unchecked(
            f"{len(manifest.training) - len(pairs)} training pairs have no texts here, so the hash over all of them "
            "was not computed again"
        )
        return
    if reads_votes(settings) and settings.votes.targets == "soft" and any(pair.preferred is None for pair in pairs):
        yield unchecked("the loss read shares of votes that were not added up again, so its data's hash was not either")
        return
    digest = data_sha256(pairs, settings)
    if digest == manifest.trained_on_sha256:
        yield verified(f"the texts of all {len(pairs)} training pairs give the hash that the training recorded")
    else:
        yield wrong(
            f"the texts of the training pairs give the hash {digest[:16]}, the training recorded "
            f"{manifest.trained_on_sha256[:16]}"
        )


def _as_trained(pair: PreferencePair, verdicts: Mapping[str, Verdict] | None) -> PreferencePair:
    """Return the pair with the share of votes that prefer it, which a data set does not carry."""
    if pair.preferred is not None:
        return pair
    if pair.kind == TIE:
        return replace(pair, preferred=0.5)
    if pair.kind != "vote":
        return replace(pair, preferred=1.0)
    verdict = (verdicts or {}).get(pair.item_id)
    return replace(pair, preferred=verdict.preferred) if verdict else pair
