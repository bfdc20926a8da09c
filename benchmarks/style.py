"""What the look at style and substance finds where the truth is known, and in people's preferences.

python benchmarks/style.py simulated [repetitions]      models of style, of substance and of both, by a simulated judge
python benchmarks/style.py pandalm FILE                 PandaLM's test set (testset-v1.json, gzipped or not)
python benchmarks/style.py llmbar FILE                  LLMBar's five sets as JSON lines with `subset` (gzipped or not)
"""

import gzip
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from prefloop.evaluate.estimate import Estimate
from prefloop.evaluate.statistics import Plan
from prefloop.evaluate.style import Decomposition, decompose
from prefloop.evaluate.win_rate import style_difference, style_features

KINDS = {"style only": (0.0, 4.0), "substance only": (0.8, 0.0), "both": (0.8, 4.0), "neither": (0.0, 0.0)}
"""Quality in logits, and what the judge pays for a whole difference in length."""
LONGER = 0.5
"""Mean of the logarithm of how much longer the tuned model writes, with deviation 0.4: 1.65 times as much."""
Row = tuple[str, str, str, float]
"""A prompt, two answers, and the preference for the second."""


def simulated(kind: str, count: int, seed: int) -> tuple[list[float], list[tuple[float, ...]]]:
    """Draw preferences and style differences of a model and a judge of known taste."""
    quality, taste = KINDS[kind]
    draw = random.Random(seed)
    preferences, differences = [], []
    for _ in range(count):
        base = draw.randint(30, 120)
        tuned = max(5, int(base * math.exp(draw.gauss(LONGER, 0.4))))
        length = (tuned - base) / (tuned + base)
        preferences.append(float(draw.random() < 1 / (1 + math.exp(-quality - taste * length))))
        differences.append((length, 0.0, 0.0, 0.0))
    return preferences, differences


def truth(kind: str) -> tuple[float, float]:
    """Return the raw and the balanced win rate of 400,000 draws, with the judge's taste known."""
    quality, taste = KINDS[kind]
    _, differences = simulated(kind, 400_000, 12345)

    def rate(sides: Iterable[int]) -> float:
        chances = [1 / (1 + math.exp(-quality - side * taste * row[0])) for row in differences for side in sides]
        return sum(chances) / len(chances)

    return rate((1,)), rate((1, -1))


def show_simulated(repetitions: int = 100, count: int = 300) -> None:
    """Print, for each kind of model, the verdicts and how often the intervals hold the truth."""
    print(f"{repetitions} repetitions of {count} prompts")
    print("model | raw (true) | balanced (true) | its interval holds | substance shown | style shown")
    for kind in KINDS:
        raw, balanced = truth(kind)
        found = [one for seed in range(repetitions) if (one := _decomposed(kind, count, seed)) is not None]
        held = sum(one.balanced.low <= balanced <= one.balanced.high for one in found)
        substance = sum(one.raw.low > 0.5 and one.balanced.low > 0.5 for one in found)
        style = sum(one.raw.low > 0.5 and one.explained.low > 0 for one in found)
        means = [sum(part(one) for one in found) / len(found) for part in (lambda one: one.raw.value, _balanced)]
        print(
            f"{kind} | {means[0]:.3f} ({raw:.3f}) | {means[1]:.3f} ({balanced:.3f}) | {held}/{len(found)} | "
            f"{substance}/{len(found)} | {style}/{len(found)}"
        )


def _decomposed(kind: str, count: int, seed: int) -> Decomposition | None:
    preferences, differences = simulated(kind, count, seed)
    return decompose(preferences, differences, [str(n) for n in range(count)], Plan(samples=300, seed=seed))


def _balanced(found: Decomposition) -> float:
    return found.balanced.value


def pandalm(path: Path) -> dict[str, list[Row]]:
    """Return the majority's preferences for each pair of models; rows with an answer that is no text are left out."""
    found: dict[str, list[Row]] = {}
    for row in json.loads(_read(path)):
        votes = Counter(row[f"annotator{number}"] for number in (1, 2, 3))
        (winner, most), texts = votes.most_common(1)[0], (row["response1"], row["response2"])
        if most >= 2 and all(isinstance(text, str) for text in texts):
            preference = {0: 0.5, 1: 0.0, 2: 1.0}[winner]
            found.setdefault(row["cmp_key"], []).append((row["instruction"] + row["input"], *texts, preference))
    return found


def llmbar(path: Path) -> dict[str, list[Row]]:
    """Return which output is objectively better, by subset."""
    found: dict[str, list[Row]] = {}
    for line in _read(path).splitlines():
        row = json.loads(line)
        found.setdefault(row["subset"], []).append(
            (row["input"], row["output_1"], row["output_2"], float(row["label"] == 2))
        )
    return found


def show_real(groups: dict[str, list[Row]], *, models: bool) -> None:
    """Print what style explains in each group, and in all together."""
    print("comparisons | n | second wins | style balanced | style brought | style alone names the winner | length")
    rows = [row for group in groups.values() for row in group]
    for name, group in (*groups.items(), ("all", rows)):
        found = decompose(
            [row[3] for row in group], list(_differences(group)), [row[0] for row in group], Plan(samples=1000)
        )
        if found is None:
            print(f"{name} | {len(group)} | too few")
            continue
        length = dict(found.weights).get("length")
        parts = [found.raw, found.balanced, found.explained] if models and name != "all" else [None] * 3
        print(f"{name} | {len(group)} | {' | '.join(map(_span, [*parts, found.guessed, length]))}")


def _differences(rows: Iterable[Row]) -> Iterator[tuple[float, ...]]:
    for _, first, second, _ in rows:
        yield style_difference(style_features(second), style_features(first))


def _span(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def _read(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["simulated"]
    runs: dict[str, Callable[[], None]] = {
        "simulated": lambda: show_simulated(*(int(one) for one in rest)),
        "pandalm": lambda: show_real(pandalm(Path(rest[0])), models=True),
        "llmbar": lambda: show_real(llmbar(Path(rest[0])), models=False),
    }
    runs[what]()
