"""What Argilla's SDK needs for the same work; run by a Python that has `argilla` and `requests`, never imported.

python collect_sdk.py log URL KEY WORKSPACE DATASET ROWS.jsonl     prints the seconds that `records.log` took
python collect_sdk.py read URL KEY WORKSPACE DATASET               prints the seconds that iterating took, and counts
"""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import argilla as rg  # noqa: E402


def main() -> None:
    """Do one of the two and print JSON."""
    what, url, key, workspace, name, *files = sys.argv[1:]
    dataset = rg.Argilla(api_url=url, api_key=key).datasets(name, workspace=workspace)
    if what == "log":
        rows = [json.loads(line) for line in Path(files[0]).read_text(encoding="utf-8").split("\n") if line]
        records = [rg.Record(id=row["external_id"], fields=row["fields"]) for row in rows]
        start = time.perf_counter()
        dataset.records.log(records)
        print("\n" + json.dumps({"seconds": time.perf_counter() - start, "records": len(records)}))
        return
    start, records, responses = time.perf_counter(), 0, 0
    for record in dataset.records(with_responses=True):
        records += 1
        responses += len(list(record.responses))
    print("\n" + json.dumps({"seconds": time.perf_counter() - start, "records": records, "responses": responses}))


main()
