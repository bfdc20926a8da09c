"""What a gate decided, in words."""

from .result import GateResult

COLUMNS = ("", "rule", "why")


def headline(result: GateResult) -> str:
    """Return the decision in a sentence."""
    failed = sum(not rule.passed for rule in result.rules)
    if result.passed:
        return f"The gate is open: {_all(len(result.rules))} held."
    unmeasured = sum(not rule.measured for rule in result.rules)
    because = f", {unmeasured} of them because nothing was measured" if unmeasured else ""
    return f"The gate stays shut: {failed} of {len(result.rules)} rules did not hold{because}."


def rule_rows(result: GateResult) -> list[tuple[str, str, str]]:
    """Return the rules as rows of `COLUMNS`, for a terminal."""
    return [("held" if rule.passed else "FAILED", rule.rule, rule.reason) for rule in result.rules]


def _all(count: int) -> str:
    return "its rule" if count == 1 else f"all {count} rules"
