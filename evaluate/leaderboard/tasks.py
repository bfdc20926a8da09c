"""What both Open LLM Leaderboards measured: tasks by lm-eval's names, sizes, shots, baselines, and rules of averaging.

Sources: the leaderboard's documentation (about, archive, normalization) and the task files of lm-eval 0.4.13. Which
mean was really taken was checked against the published rows.
"""

from dataclasses import dataclass
from typing import Literal

Averaging = Literal["subtasks", "questions"]
"""Each subtask normalised and then their plain mean; or all questions together, normalised once."""


@dataclass(frozen=True, slots=True)
class Subtask:
    """One task of lm-eval's."""

    task: str
    questions: int
    """In the whole published test set."""
    lower_bound: float = 0.0
    """What guessing scores, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One column of a leaderboard."""

    name: str
    metrics: tuple[str, ...]
    """lm-eval's keys; the raw score is their mean."""
    shots: int
    averaging: Averaging
    subtasks: tuple[Subtask, ...]
    zero_or_one: bool = True
    """Whether every question scores 0 or 1, so that the standard error follows from the mean."""
    nested: bool = False
    """Whether each subtask's questions are among the next one's."""
    caveat: str = ""
    """What the standard error can't know."""


def _bbh() -> tuple[Subtask, ...]:
    choices = {
        "boolean_expressions": 2, "causal_judgement": 2, "date_understanding": 6, "disambiguation_qa": 3,
        "formal_fallacies": 2, "geometric_shapes": 11, "hyperbaton": 2, "logical_deduction_five_objects": 5,
        "logical_deduction_seven_objects": 7, "logical_deduction_three_objects": 3, "movie_recommendation": 6,
        "navigate": 2, "object_counting": 19, "penguins_in_a_table": 5, "reasoning_about_colored_objects": 18,
        "ruin_names": 6, "salient_translation_error_detection": 6, "snarks": 2, "sports_understanding": 2,
        "temporal_sequences": 4, "tracking_shuffled_objects_five_objects": 5,
        "tracking_shuffled_objects_seven_objects": 7, "tracking_shuffled_objects_three_objects": 3, "web_of_lies": 2,
    }  # fmt: skip
    sizes = {"causal_judgement": 187, "penguins_in_a_table": 146, "snarks": 178}
    return tuple(Subtask(f"leaderboard_bbh_{name}", sizes.get(name, 250), 1 / n) for name, n in choices.items())


def _math() -> tuple[Subtask, ...]:
    sizes = {
        "algebra": 307, "counting_and_prob": 123, "geometry": 132, "intermediate_algebra": 280, "num_theory": 154,
        "prealgebra": 193, "precalculus": 135,
    }  # fmt: skip
    return tuple(Subtask(f"leaderboard_math_{name}_hard", size) for name, size in sizes.items())


def _mmlu() -> tuple[Subtask, ...]:
    sizes = {
        "abstract_algebra": 100, "anatomy": 135, "astronomy": 152, "business_ethics": 100, "clinical_knowledge": 265,
        "college_biology": 144, "college_chemistry": 100, "college_computer_science": 100, "college_mathematics": 100,
        "college_medicine": 173, "college_physics": 102, "computer_security": 100, "conceptual_physics": 235,
        "econometrics": 114, "electrical_engineering": 145, "elementary_mathematics": 378, "formal_logic": 126,
        "global_facts": 100, "high_school_biology": 310, "high_school_chemistry": 203,
        "high_school_computer_science": 100, "high_school_european_history": 165, "high_school_geography": 198,
        "high_school_government_and_politics": 193, "high_school_macroeconomics": 390, "high_school_mathematics": 270,
        "high_school_microeconomics": 238, "high_school_physics": 151, "high_school_psychology": 545,
        "high_school_statistics": 216, "high_school_us_history": 204, "high_school_world_history": 237,
        "human_aging": 223, "human_sexuality": 131, "international_law": 121, "jurisprudence": 108,
        "logical_fallacies": 163, "machine_learning": 112, "management": 103, "marketing": 234,
        "medical_genetics": 100, "miscellaneous": 783, "moral_disputes": 346, "moral_scenarios": 895,
        "nutrition": 306, "philosophy": 311, "prehistory": 324, "professional_accounting": 282,
        "professional_law": 1534, "professional_medicine": 272, "professional_psychology": 612,
        "public_relations": 110, "security_studies": 245, "sociology": 201, "us_foreign_policy": 100,
        "virology": 166, "world_religions": 171,
    }  # fmt: skip
    return tuple(Subtask(f"mmlu_{name}", size) for name, size in sizes.items())


IFEVAL = Benchmark(
    "IFEval",
    ("inst_level_strict_acc,none", "prompt_level_strict_acc,none"),
    0,
    "questions",
    (Subtask("leaderboard_ifeval", 541),),
    zero_or_one=False,
)
V2 = (
    IFEVAL,
    Benchmark("BBH", ("acc_norm,none",), 3, "subtasks", _bbh()),
    Benchmark("MATH lvl 5", ("exact_match,none",), 4, "questions", _math()),
    Benchmark(
        "GPQA",
        ("acc_norm,none",),
        0,
        "questions",
        (
            Subtask("leaderboard_gpqa_diamond", 198, 0.25),
            Subtask("leaderboard_gpqa_main", 448, 0.25),
            Subtask("leaderboard_gpqa_extended", 546, 0.25),
        ),
        nested=True,
    ),
    Benchmark(
        "MuSR",
        ("acc_norm,none",),
        0,
        "subtasks",
        (
            Subtask("leaderboard_musr_murder_mysteries", 250, 1 / 2),
            Subtask("leaderboard_musr_object_placements", 256, 1 / 5),
            Subtask("leaderboard_musr_team_allocation", 250, 1 / 3),
        ),
        caveat="several object-placement questions share a story, which lm-eval's standard error takes as independent",
    ),
    Benchmark(
        "MMLU-Pro",
        ("acc,none",),
        5,
        "questions",
        (Subtask("leaderboard_mmlu_pro", 12_032, 0.10),),
        caveat="17% of the questions have fewer than ten options, so guessing scores more than the baseline of 0.10",
    ),
)
"""Open LLM Leaderboard v2."""

V1 = (
    Benchmark("ARC", ("acc_norm,none",), 25, "questions", (Subtask("arc_challenge", 1172),)),
    Benchmark("HellaSwag", ("acc_norm,none",), 10, "questions", (Subtask("hellaswag", 10_042),)),
    Benchmark("MMLU", ("acc,none",), 5, "subtasks", _mmlu()),
    Benchmark("TruthfulQA", ("acc,none",), 0, "questions", (Subtask("truthfulqa_mc2", 817),), zero_or_one=False),
    Benchmark("Winogrande", ("acc,none",), 5, "questions", (Subtask("winogrande", 1267),)),
    Benchmark("GSM8K", ("exact_match,strict-match",), 5, "questions", (Subtask("gsm8k", 1319),)),
)
"""Open LLM Leaderboard v1: raw accuracies, no baselines."""
