"""The rules, judged one by one: what was not measured does not hold."""

from collections.abc import Iterator, Mapping, Sequence

from ...collect.intervals import holm
from ...train.watching.alarms import Alarm
from ..words import MINUS
from .evidence import Claim, Report, at, claims
from .result import GateResult, RuleResult
from .settings import GateSettings

ALPHA = 0.05
"""The chance that is too large, after correction, to call a model better."""
SHOWN = 3


def judge_gate(report: Report, settings: GateSettings, alarms: Sequence[Alarm] | None = None) -> GateResult:
    """Judge a finished report by the rules.

    "Superior" wants the interval above 0 and Holm's corrected chance below 5%, over all that the gate wants superior;
    "non-inferior" wants the whole interval above minus the margin, uncorrected, as all of them must hold (Berger 1982,
    Technometrics 24, 295-300). A judge that was held against people and may not decide makes every rule fail that
    rests on it.

    Args:
        report: A report.json.
        settings: The rules.
        alarms: Of the training; None where nobody watched it.
    """
    known = claims(report)
    rules = (
        *_superior(settings.superior, known, report),
        *(_non_inferior(name, margin, known, report) for name, margin in settings.non_inferior.items()),
        *([_judge_audited(report)] if settings.judge_audited else []),
        *([_openings(report, settings.max_sealed_openings)] if settings.max_sealed_openings else []),
        *([_contamination(report)] if settings.no_contamination else []),
        *([_alarms(alarms)] if settings.no_alarms else []),
    )
    return GateResult(all(rule.passed for rule in rules), rules)


def _superior(names: Sequence[str], known: Mapping[str, Claim], report: Report) -> Iterator[RuleResult]:
    """What was not measured counts as a claim too: leaving it out must not make the others easier to show."""
    adjusted = holm([known[name].p if name in known else 1.0 for name in names])
    for name, p in zip(names, adjusted, strict=True):
        rule = f"superior: {name}"
        if name not in known:
            yield _absent(rule, name, known)
        elif doubt := _doubt(known[name], report):
            yield RuleResult(rule, False, doubt)
        else:
            claim = known[name]
            chance = "< 0.001" if p < 0.001 else f"= {p:.3f}"
            corrected = f", corrected for {len(names)} claims" if len(names) > 1 else ""
            passed = claim.low > 0 and p < ALPHA
            shown = "shown to be better" if passed else "not shown to be better"
            yield RuleResult(rule, passed, f"{shown}: {_seen(claim)}, p {chance}{corrected}")


def _non_inferior(name: str, margin: float, known: Mapping[str, Claim], report: Report) -> RuleResult:
    rule = f"non-inferior: {name}, margin {margin:g} points"
    if name not in known:
        return _absent(rule, name, known)
    claim = known[name]
    if doubt := _doubt(claim, report):
        return RuleResult(rule, False, doubt)
    if claim.low > -margin:
        return RuleResult(rule, True, f"a loss of more than {margin:g} points is excluded: {_seen(claim)}")
    worse = "worse by more" if claim.high < -margin else "a larger loss is not excluded"
    return RuleResult(rule, False, f"{worse}: {_seen(claim)}")


def _judge_audited(report: Report) -> RuleResult:
    rule = "judge audited"
    if (judge := _judge(report)) in ("check", "people"):
        return RuleResult(rule, True, f"no judge model decided: the win rate is by {judge}")
    audits = _audits(report)
    mine = [audit for audit in audits if at(audit, "judge") == judge] if judge else list(audits)
    if not mine:
        of = f" of {judge}" if judge else ""
        return RuleResult(rule, False, f"not measured: there is no audit{of} against people", measured=False)
    failed = [reason for audit in mine if not at(audit, "may_gate") for reason in _reasons(audit)]
    if failed:
        return RuleResult(rule, False, f"the judge may not decide: {'; '.join(failed)}")
    return RuleResult(rule, True, f"{at(mine[0], 'judge')} agrees with people well enough to decide")


def _openings(report: Report, most: int) -> RuleResult:
    rule, openings = f"sealed set opened at most {most} times", at(report, "sealed", "openings")
    if not isinstance(openings, int):
        return RuleResult(rule, False, "not measured: the report doesn't say how often it was opened", measured=False)
    return RuleResult(rule, openings <= most, f"opened {openings} {'time' if openings == 1 else 'times'}")


def _contamination(report: Report) -> RuleResult:
    rule, benchmarks = "no contamination", at(report, "contamination", "benchmarks")
    if not benchmarks:
        return RuleResult(rule, False, "not measured: the training data was compared with nothing", measured=False)
    held = {str(at(one, "name")): len(at(one, "overlapping") or ()) for one in benchmarks}
    found = [f"{count} of {name}" for name, count in held.items() if count]
    if found:
        return RuleResult(rule, False, f"the training data holds evaluation items: {', '.join(found)}")
    if unseen := at(report, "contamination", "unseen"):
        why = f"what {', '.join(unseen)} was trained on before is not here, and nobody looked into it"
        return RuleResult(rule, False, why, measured=False)
    return RuleResult(rule, True, f"the training data holds no item of {', '.join(held)}")


def _alarms(alarms: Sequence[Alarm] | None) -> RuleResult:
    rule = "no alarms"
    if alarms is None:
        return RuleResult(rule, False, "not measured: the training was not watched", measured=False)
    if not alarms:
        return RuleResult(rule, True, "the training raised none")
    names = ", ".join(f"{alarm.name.replace('_', ' ')} (step {alarm.step})" for alarm in alarms[:SHOWN])
    more = f" and {len(alarms) - SHOWN} more" if len(alarms) > SHOWN else ""
    return RuleResult(rule, False, f"the training raised {names}{more}")


def _absent(rule: str, name: str, known: Mapping[str, Claim]) -> RuleResult:
    there = f"the report has {', '.join(known)}" if known else "the report has no comparison"
    return RuleResult(rule, False, f"not measured: {name} is not in the report; {there}", measured=False)


def _doubt(claim: Claim, report: Report) -> str | None:
    """Say why a judge's number may not decide; None where nothing speaks against it."""
    if claim.by is None:
        return None
    for audit in _audits(report):
        if at(audit, "judge") == claim.by and not at(audit, "may_gate"):
            return f"{claim.by} may not decide: {'; '.join(_reasons(audit))}"
    return None


def _audits(report: Report) -> Sequence[Report]:
    """Return the audits of the report: one, or a list of them."""
    found = at(report, "judge_audit")
    return [found] if isinstance(found, Mapping) else list(found or ())


def _reasons(audit: Report) -> list[str]:
    return [str(reason) for reason in at(audit, "reasons") or ()] or ["its audit says so"]


def _judge(report: Report) -> str | None:
    found = at(report, "win_rate", "judge")
    return None if found is None else str(found)


def _seen(claim: Claim) -> str:
    value, low, high = (f"{number:+.1f}".replace("-", MINUS) for number in (claim.difference, claim.low, claim.high))
    return f"{value} points (interval {low} to {high}, n = {claim.n})"
