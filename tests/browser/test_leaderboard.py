"""The leaderboard's page in a real Chromium: it must work without network, and no name may become code."""

import pytest
from prefloop.evaluate.standings import Entry, Reading, Request, Standing, write_standings

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


def entry(name, preference, *, size, task="tickets", base="small/base", licence="mit", role="tuned", ifeval=None):
    scores = [Reading("Preference", preference, preference - 8, preference + 8, 80)]
    scores += [Reading("IFEval", ifeval, ifeval - 3, ifeval + 3, 541)] if ifeval is not None else []
    return Entry(
        name, role, "ab" * 32, base, size, task, licence, "better", True, 2, "2026-02-03T10:00:00", "runs/x", False,
        tuple(scores),
    )  # fmt: skip


@pytest.fixture
def board(page, tmp_path):
    entries = (
        entry("alpha", 61.0, size=135_000_000, ifeval=20.0),
        entry("beta", 74.5, size=1_700_000_000, licence="apache-2.0", ifeval=9.5),
        entry("gamma", 55.0, size=None, task="summaries", base="big/base", role="base"),
        entry(HOSTILE, 68.0, size=8_000_000_000, licence=HOSTILE, task=HOSTILE),
    )
    requests = [Request("next/model-3B", ("ada", HOSTILE), "2026-02-01T00:00:00")]
    path, _ = write_standings(tmp_path / "board.html", Standing(entries, ("Preference", "IFEval")), requests)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith("file://")] == []
    assert page.title() == "Leaderboard"


def names(page):
    rows = page.locator("#standings tbody tr:visible th")
    return ["hostile" if "script" in text else text.split()[0] for text in rows.all_text_contents()]


def test_the_best_stands_first_and_a_click_turns_the_order(board):
    assert names(board) == ["beta", "hostile", "alpha", "gamma"]
    board.click("thead button[data-sort='0']")
    assert names(board) == ["gamma", "alpha", "hostile", "beta"]
    assert board.locator("th[aria-sort='ascending']").inner_text().strip().startswith("Preference")
    board.click("thead button[data-sort='name']")
    assert names(board)[1:] == ["alpha", "beta", "gamma"]  # "<" comes before letters


def test_lines_without_a_score_stand_last_in_either_order(board):
    board.select_option("#sort", "1")
    assert names(board)[:2] == ["alpha", "beta"]
    board.click("thead button[data-sort='1']")
    assert names(board)[:2] == ["beta", "alpha"]
    board.select_option("#sort", "size")
    assert names(board) == ["hostile", "beta", "alpha", "gamma"]


def test_search_and_filters_work_together(board):
    board.fill("#search", "SMALL beta")
    assert names(board) == ["beta"]
    assert board.locator("#count").inner_text() == "1 of 4 lines"
    board.fill("#search", "")
    board.select_option("[data-filter='licence']", "mit")
    assert names(board) == ["alpha", "gamma"]
    board.select_option("[data-filter='task']", "summaries")
    assert names(board) == ["gamma"]
    board.select_option("[data-filter='size']", "under 1B")
    assert names(board) == []
    assert board.locator("#count").inner_text() == "0 of 4 lines"


def test_hostile_names_are_shown_and_can_be_filtered_by(board):
    board.select_option("[data-filter='licence']", HOSTILE)
    assert names(board) == ["hostile"]
    assert HOSTILE in board.locator("#standings tbody tr:visible th").inner_text()
    assert board.locator("img").count() == 0
    board.press("#search", "Enter")
    assert board.url.endswith("board.html")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_and_every_score_can_be_read(board, width):
    board.set_viewport_size({"width": width, "height": 800})
    assert board.evaluate("document.documentElement.scrollWidth") <= width
    for cell in board.locator("#standings td.score:visible").all():
        box = cell.bounding_box()
        assert box["width"] > 60
        if width == 390:
            assert box["x"] + box["width"] <= width
    if width == 390:
        label = board.locator("#standings td.score").first.evaluate(
            "cell => getComputedStyle(cell, '::before').content"
        )
        assert label == '"Preference"'


def test_the_votes_are_listed(board):
    assert board.locator("#requests tbody tr").count() == 1
    assert "next/model-3B" in board.locator("#requests").inner_text()
