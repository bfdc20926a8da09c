import json
from pathlib import Path
from typing import Any

import pytest


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A small mirror folder with made-up questions in the forms that such data are passed around in."""
    folder = tmp_path / "mirror"
    write(
        folder / "arc" / "arc_challenge_3.jsonl",
        [
            {"query": f"Question: Which is {n}?", "choices": [f"a{n}", f"b{n}", f"c{n}", f"d{n}"], "gold": n % 4}
            for n in range(3)
        ],
    )
    bbh = {"canary": "x", "examples": [{"input": "not True is", "target": "False"}] * 2}
    (folder / "bbh").mkdir()
    (folder / "bbh" / "boolean_expressions.json").write_text(json.dumps(bbh))
    write(
        folder / "mmlu" / "mmlu_small.jsonl",
        [
            {
                "query": "Question: What is it?\n(A) one (B) two (C) three (D) four\n",
                "choices": ["A", "B", "C", "D"],
                "gold": 2,
                "category": subject,
            }
            for subject in ("anatomy", "virology", "anatomy")
        ],
    )
    write(folder / "gsm8k" / "test_2.jsonl", [{"question": "1+1?", "answer": "two\n#### 2"}] * 2)
    write(folder / "gsm8k" / "train_3.jsonl", [{"question": "2+1?", "answer": "three\n#### 3"}] * 3)
    return folder
