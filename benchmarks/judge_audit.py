"""Judges that read nothing, audited on real people's votes: the floor that a judge must be above, and people beside it.

PREFLOOP_TEST_DATA=… python benchmarks/judge_audit.py

PandaLM's test set has three people's votes on 999 pairs, LLMBar one objectively right label on 419, most of them
made so that looks mislead. A minute on one core; nothing is asked of any model.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from prefloop.collect import Item
from prefloop.collect.sources import Imported, Options, import_llmbar, import_pandalm
from prefloop.evaluate.estimate import Estimate
from prefloop.evaluate.judge_audit import JudgeAudit, Ruling, audit_judge

PREFERENCES = Path(os.environ.get("PREFLOOP_TEST_DATA", ".")) / "preferences"


def longer(item: Item) -> Ruling:
    """Name the longer answer, whatever the order."""
    a, b = len(item.response_a), len(item.response_b)
    return Ruling(item.id, "tie", "tie") if a == b else Ruling(item.id, *("A" if a > b else "B",) * 2)


def shorter(item: Item) -> Ruling:
    """Name the shorter answer."""
    found = longer(item)
    other = {"A": "B", "B": "A", "tie": "tie", None: None}
    return Ruling(item.id, other[found.a_first], other[found.b_first])


def first(item: Item) -> Ruling:
    """Name the answer shown first."""
    return Ruling(item.id, "A", "B")


RULES: tuple[Callable[[Item], Ruling], ...] = (longer, shorter, first)


def main() -> None:
    """Print both tables."""
    start = time.monotonic()
    pandalm = import_pandalm(str(PREFERENCES / "pandalm_testset_v1.json.gz"), Options())
    found = {rule.__name__: audit(rule, pandalm) for rule in RULES}
    print("| PandaLM | agrees with people, ties half | A, B and tie | kappa | same in both orders | for the longer |")
    print("|---|---|---|---|---|---|")
    row = found["longer"]
    assert row.beside is not None
    assert row.beside_with_ties is not None
    assert row.length is not None
    print(
        f"| one annotator, against the majority of the others | {share(row.beside.people)} | "
        f"{share(row.beside_with_ties.people)} | | | {share(row.length.people)} |"
    )
    for name, each in found.items():
        print(f"| “{name}”, against the same | {against(each)} |")
    print(f"\n{about(found['longer'])}\n")
    llmbar = import_llmbar(str(PREFERENCES / "llmbar.jsonl.gz"), Options())
    rows = {rule.__name__: audit(rule, llmbar) for rule in RULES[:2]}
    print("| LLMBar | items | “longer” is right | “shorter” is right |")
    print("|---|---|---|---|")
    for one, two in zip(rows["longer"].tags, rows["shorter"].tags, strict=True):
        print(f"| {one.tag} | {one.agreement.n} | {share(one.agreement)} | {share(two.agreement)} |")
    print(f"\n{time.monotonic() - start:.0f} s")


def audit(rule: Callable[[Item], Ruling], imported: Imported) -> JudgeAudit:
    """Audit a rule as if it were a judge."""
    rulings = [rule(item) for item in imported.items]
    return audit_judge(rulings, imported.items, imported.votes, judge=rule.__name__)


def against(row: JudgeAudit) -> str:
    """Write a rule's cells of the table."""
    assert row.beside is not None
    assert row.beside_with_ties is not None
    assert row.kappa is not None
    assert row.length is not None
    cells = [
        share(row.beside.judge),
        share(row.beside_with_ties.judge),
        f"{row.kappa.value:.2f} ({row.kappa.low:.2f} to {row.kappa.high:.2f})",
        share(row.position.consistent),
        share(row.length.judge),
    ]
    return " | ".join(cells)


def about(row: JudgeAudit) -> str:
    """Say what the table is made of."""
    assert row.beside is not None
    assert row.beside_with_ties is not None
    return (
        f"{row.items} items on {row.prompts} prompts; {len(row.no_majority)} without a majority; first column "
        f"{row.beside.people.n} votes whose others agree on one answer, second {row.beside_with_ties.people.n} whose "
        f"others agree at all"
    )


def share(estimate: Estimate) -> str:
    """Write a share with its interval."""
    return f"{100 * estimate.value:.1f}% ({100 * estimate.low:.1f} to {100 * estimate.high:.1f})"


if __name__ == "__main__":
    main()
