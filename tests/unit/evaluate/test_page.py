import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from prefloop.evaluate import Report, write_page
from prefloop.evaluate.page import render_page
from prefloop.runs import Cost

METRICS = [{"step": step, "loss": 0.7 - step / 100, "rewards/accuracies": 0.5} for step in range(1, 10)]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.seen


def test_the_page_needs_nothing_else(report: Report) -> None:
    page = render_page(report, metrics=METRICS)
    names = {tag for tag, _ in tags(page)}
    assert not names & {"script", "link", "img", "iframe", "object", "embed"}
    assert not [attrs for _, attrs in tags(page) if attrs.keys() & {"src", "href", "xlink:href"}]
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert "@import" not in page


def test_answers_are_shown_as_text(report: Report) -> None:
    page = render_page(report)
    assert "&lt;script&gt;alert(&#39;base&#39;)&lt;/script&gt;" in page
    assert "&lt;img src=x&gt; &amp; tuned" in page


def test_everything_given_is_on_the_page(report: Report, tmp_path: Path) -> None:
    agreement = {"alpha": 0.613, "alpha_interval": (0.5, 0.7), "choices": {"A": 3}, "first_shown": None}
    costs = {"train": Cost(612.0, 2100, "180 pairs")}
    page = write_page(tmp_path / "report.html", report, metrics=METRICS, agreement=agreement, costs=costs).read_text()
    for text in (report.summary.split(":")[0], "0.50 to 0.70", "not defined", "612.0", "Training loss", "a1 b2"):
        assert text.replace("'", "&#39;") in page, text
    assert page.count("<svg") == 7


def test_a_report_without_the_optional_parts_is_a_page_too(report: Report) -> None:
    bare = replace(report, check=None, win_rate=None, general=None, examples=(), left_out=())
    bare = replace(bare, preference=replace(bare.preference, slices=(), matched=None))
    page = render_page(bare)
    assert page.count("<svg") == 3
    assert "Nothing: every sealed pair" in page
