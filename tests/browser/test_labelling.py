"""An annotator on Argilla's own page: the vote that comes out is the one that was clicked."""

import pytest
from prefloop.collect import (
    CollectSettings,
    Item,
    Message,
    Origin,
    ensure_annotators,
    make_pairs,
    open_queue,
    pull,
    push,
    queue_status,
)
from prefloop.collect.sides import left_side

KEY = b"a side key for the browser"


@pytest.fixture
def queue(owner, tmp_path):
    (tmp_path / "guidelines.md").write_text("Choose the **kinder** answer.")
    settings = CollectSettings(
        items=tmp_path / "items.jsonl", guidelines=tmp_path / "guidelines.md", queue="browser", min_votes=1
    )
    return open_queue(owner, settings)


def log_in(page, argilla, account):
    page.goto(f"{argilla.url}/sign-in")
    page.locator("input[name=username], input[type=text]").first.fill(account.username)
    page.locator("input[type=password]").fill(account.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "sign-in" not in url)


def submit(page):
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method != "GET") as saved:
        page.get_by_role("button", name="Submit").click()
    assert saved.value.ok


def test_the_vote_that_comes_out_is_the_one_that_was_clicked(argilla, owner, queue, page):
    origin = Origin("person", "author")
    rude = "rude answer {} <b>&amp;</b> <img src=x>"
    items = [
        Item((Message("user", f"Question {n} <i>?"),), f"kind answer {n}", rude.format(n), origin, origin)
        for n in range(4)
    ]
    push(owner, queue, items, KEY)
    [account] = ensure_annotators(owner, queue, ["zoe"])
    log_in(page, argilla, account)
    page.goto(f"{argilla.url}/dataset/{queue.id}/annotation-mode")
    kind = 0
    for clicks in range(4):
        page.get_by_text("Which answer is better?").wait_for()
        shown = page.locator("text=/^(kind|rude) answer \\d/").all_inner_texts()
        number = shown[0].split()[2]
        assert sorted(shown) == [f"kind answer {number}", rude.format(number)]
        assert page.get_by_text(f"Question {number} <i>?", exact=True).is_visible()
        if clicks == 3:
            page.get_by_text("Both are bad", exact=True).click()
        else:
            kinder = next(place for place, text in enumerate(shown, 1) if text.startswith("kind"))
            kind += kinder == 1
            page.get_by_text(f"Answer {kinder} is better", exact=True).click()
        if clicks == 0:
            page.get_by_role("textbox").first.click()
            page.keyboard.type("It is kinder & shorter")
        submit(page)
        page.wait_for_function("seen => !document.body.innerText.includes(seen)", arg=shown[0])
    votes = pull(owner, queue, KEY, [item.id for item in items]).votes
    assert sorted(vote.choice for vote in votes) == ["A", "A", "A", "both_bad"]
    assert {vote.annotator for vote in votes} == {"zoe"}
    assert [vote.critique for vote in votes if vote.critique] == ["It is kinder & shorter"]
    assert sum(vote.choice == "A" and left_side(KEY, vote.item_id) == "A" for vote in votes) == kind
    assert all(pair.chosen.startswith("kind") for pair in make_pairs(items, votes).pairs)
    assert queue_status(owner, queue).completed == 4
