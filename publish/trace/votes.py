"""The steps about pairs, votes and annotators, from data.json alone: the votes are added up again."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isclose

from pydantic import ValidationError

from ...collect import Verdict
from ...collect.pair import TIE
from ...collect.sides import other
from ..manifest import EDIT
from .step import Check, Step, agree, named, unchecked, wrong
from .told import Manifest, PairRow, Told, verdicts_told

OLD = "an earlier prefloop wrote this release (format 1): it names the votes, but not what they said"


def pairs_step(told: Told, verdicts: Mapping[str, Verdict] | None, why: str, manifest: Manifest) -> Step:
    """Check that what was trained on is what the manifest lists, and that its votes say so."""
    checks = [*_hashes(told, manifest), *_held_apart(manifest)]
    if verdicts is None:
        checks.append(unchecked(why))
    else:
        for name, pairs in (("training", manifest.training), ("sealed", manifest.sealed)):
            bad = {pair.id: why for pair in pairs if (why := disagrees(pair, verdicts))}
            told_why = named([f"{pair_id} {why}" for pair_id, why in bad.items()])
            checks.append(
                agree(
                    not bad,
                    f"{len(pairs)} {name} pairs follow from their votes, added up again",
                    f"{len(bad)} of {len(pairs)} {name} pairs do not follow from their votes: {told_why}",
                )
            )
    kinds = Counter(pair.kind for pair in manifest.training)
    facts = {"for training": len(manifest.training), "sealed": len(manifest.sealed)}
    return Step("pairs", facts | {f"of the kind {kind}": count for kind, count in sorted(kinds.items())}, tuple(checks))


def _hashes(told: Told, manifest: Manifest) -> Iterator[Check]:
    if told.record:
        yield agree(
            told.record.data_sha256 == manifest.trained_on_sha256,
            f"the training recorded these very data ({manifest.trained_on_sha256[:16]})",
            f"the training recorded the data {told.record.data_sha256[:16]}, data.json names "
            f"{manifest.trained_on_sha256[:16]}",
        )
        if told.record.pairs > len(manifest.training):
            yield wrong(f"the training saw {told.record.pairs} pairs, data.json lists {len(manifest.training)}")
    digest = hashlib.sha256("\n".join(sorted(pair.id for pair in manifest.sealed)).encode()).hexdigest()
    yield agree(
        digest == manifest.sealed_sha256,
        f"the ids of the {len(manifest.sealed)} sealed pairs have the hash that data.json gives",
        f"the ids of the {len(manifest.sealed)} sealed pairs do not have the hash that data.json gives",
    )
    if told.report:
        yield agree(
            told.report.sealed.sha256 == manifest.sealed_sha256,
            "the report was made on these sealed pairs",
            "the report was made on other sealed pairs",
        )


def _held_apart(manifest: Manifest) -> Iterator[Check]:
    sealed = {pair.prompt_id for pair in manifest.sealed}
    sealed |= {item.prompt_id for item in manifest.items or () if item.side == "sealed"}
    leaked = [pair.id for pair in manifest.training if pair.prompt_id in sealed]
    yield agree(
        not leaked,
        f"{len(manifest.training)} training pairs have prompts that are not sealed",
        f"{len(leaked)} training pairs have sealed prompts: {named(leaked)}",
    )


def disagrees(pair: PairRow, verdicts: Mapping[str, Verdict]) -> str:
    """Return why the pair does not follow from its votes, or nothing."""
    found = verdicts.get(pair.item_id)
    if found is None:
        return f"names the item {pair.item_id}, which is not listed"
    if pair.kind.startswith("edit"):
        return _edit_disagrees(pair, found)
    said = {vote.id for vote in found.votes}
    if missing := sorted(set(pair.vote_ids) - said):
        return f"names votes that are not listed, or do not count ({named(missing)})"
    if more := sorted(said - set(pair.vote_ids)):
        return f"leaves out counted votes ({named(more)})"
    expected = TIE if pair.kind == TIE else pair.chosen
    if found.outcome != expected:
        return f"has {expected} as chosen, but its votes say {found.outcome}"
    if pair.kind != TIE and pair.rejected != other(pair.chosen):  # type: ignore[arg-type]
        return f"has {pair.rejected} as rejected, and {pair.chosen} as chosen"
    if not isclose(found.probability, pair.weight, abs_tol=1e-6):
        return f"weighs {pair.weight:.3f}, but its votes give {found.probability:.3f}"
    return ""


def _edit_disagrees(pair: PairRow, found: Verdict) -> str:
    wrote = [vote for vote in found.votes if vote.id in pair.vote_ids and vote.edit and vote.choice == found.outcome]
    if len(wrote) != 1 or len(pair.vote_ids) != 1 or found.outcome not in ("A", "B"):
        return f"comes of no counted vote for the better answer with an edit ({named(pair.vote_ids)})"
    worse = found.outcome if pair.kind == "edit_over_chosen" else other(found.outcome)
    if (pair.chosen, pair.rejected) != (EDIT, worse):
        return f"has {pair.chosen} over {pair.rejected}, but the edit stands over {worse}"
    return ""


def votes_step(manifest: Manifest) -> Step:
    """Count the votes again, and the people."""
    if manifest.votes is None:
        names = {
            vote_id.partition("#")[0] for pair in (*manifest.training, *manifest.sealed) for vote_id in pair.vote_ids
        }
        return Step("votes", {"named by pairs": len(names)}, (unchecked(OLD),))
    cast = [vote for vote in manifest.votes if not vote.adjudication]
    facts: dict[str, object] = {"cast": len(cast), "adjudications": len(manifest.votes) - len(cast)}
    protocols = Counter(vote.protocol or "not on record" for vote in cast)
    facts |= {f"under the protocol {name}": count for name, count in protocols.most_common()}
    facts |= {"guidelines (SHA-256)": manifest.guidelines_sha256 or "not on record"}
    return Step("votes", facts, tuple(_counts(manifest)), (_annotators(manifest),))


def _counts(manifest: Manifest) -> Iterator[Check]:
    votes, collection = manifest.votes or (), manifest.collection
    cast = [vote for vote in votes if not vote.adjudication]
    ids = Counter(vote.id for vote in votes)
    items = {item.id for item in manifest.items or ()}
    again = [name for name, count in ids.items() if count > 1]
    lost = [vote.id for vote in votes if vote.item_id not in items]
    yield agree(not again, f"{len(votes)} votes have ids of their own", f"votes are listed twice: {named(again)}")
    yield agree(not lost, f"{len(votes)} votes are on listed items", f"votes are on items not listed: {named(lost)}")
    statuses = dict(Counter(vote.status for vote in cast))
    yield agree(
        len(cast) == collection.get("votes") and statuses == collection.get("statuses"),
        f"{len(cast)} votes by status, as the pull counted them",
        f"{len(cast)} votes by status ({statuses}), the pull counted {collection.get('votes')} "
        f"({collection.get('statuses')})",
    )


def _annotators(manifest: Manifest) -> Step:
    votes = [vote for vote in manifest.votes or () if not vote.adjudication]
    counted = {vote.annotator for vote in votes if vote.status == "submitted" and vote.choice not in (None, "skip")}
    expected = (manifest.collection.get("agreement") or {}).get("annotators")
    facts: dict[str, object] = {
        name: f"{count} votes" for name, count in sorted(Counter(vote.annotator for vote in votes).items())
    }
    facts |= {
        f"{name} (adjudicator)": f"{count} answers"
        for name, count in sorted(Counter(vote.annotator for vote in manifest.votes or () if vote.adjudication).items())
    }
    check = agree(
        len(counted) == expected,
        f"{len(counted)} people's votes count, as agreement was measured on",
        f"{len(counted)} people's votes count, agreement was measured on {expected}",
    )
    return Step(f"annotators ({len(facts)}, by pseudonym)", facts, (check,))


def add_up(manifest: Manifest) -> tuple[Mapping[str, Verdict] | None, str]:
    """Return the verdicts, or None and why they can't be had here."""
    if manifest.votes is None:
        return None, OLD
    if (manifest.collection.get("policy") or {}).get("aggregate") == "mace":
        return None, "MACE draws its starting point by the order of the votes: they were not added up again"
    try:
        return verdicts_told(manifest), ""
    except ImportError as error:
        return None, f"the votes are weighed by {error.name}, which is not installed here: they were not added up again"
    except ValidationError:
        return None, "the rules for making pairs are of another prefloop: the votes were not added up again"
