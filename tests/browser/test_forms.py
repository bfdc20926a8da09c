"""Every kind of question clicked once on Argilla's page and pulled back, and what an item may do to that page."""

import json

import pytest
from prefloop.collect import (
    Candidate,
    CollectSettings,
    FormSettings,
    Item,
    Message,
    Origin,
    ensure_annotators,
    open_queue,
    pull,
    push,
)
from prefloop.collect.item import LETTERS
from prefloop.collect.sides import shown_order

KEY = b"a side key for forms"
ORIGIN = Origin("person", "author")
EVIL = """<img src="http://evil.test/a.png" onerror="window.top.ran = 1"> ![picture](http://evil.test/b.png) &lt;b&gt;
<script>window.top.ran = 2; fetch("http://evil.test/c")</script>

<style>@import url(http://evil.test/d.css);</style><svg onload="window.top.ran = 3"><iframe src="http://evil.test/e">

```html
</script><script>window.top.ran = 4</script><img src=http://evil.test/f.png>
```

[link](http://evil.test/g) [run](javascript:window.top.ran=5) <http://evil.test/h> {{ 7 * 7 }} $& $' #TEMPLATE#"""


def item(*answers, prompt="Which is best?"):
    more = tuple(Candidate(answer, ORIGIN) for answer in answers[2:])
    return Item((Message("user", prompt),), answers[0], answers[1], ORIGIN, ORIGIN, (), more)


@pytest.fixture(scope="module")
def desk(argilla, owner, chromium, tmp_path_factory):
    """Return a function that opens a form with one item before a logged-in annotator, and every address asked for."""
    (guidelines := tmp_path_factory.mktemp("forms") / "guidelines.md").write_text("Choose.")
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page, asked = context.new_page(), []
    context.on("request", lambda request: asked.append(request.url))

    def open_form(name, form, shown):
        settings = CollectSettings(items=guidelines, guidelines=guidelines, queue=f"form-{name}", form=form)
        queue = open_queue(owner, settings)
        push(owner, queue, [shown], KEY)
        [account] = ensure_annotators(owner, queue, ["yan"])
        if account.password:
            page.goto(f"{argilla.url}/sign-in")
            page.locator("input[name=username], input[type=text]").first.fill(account.username)
            page.locator("input[type=password]").fill(account.password)
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(lambda url: "sign-in" not in url)
        asked.clear()
        page.goto(f"{argilla.url}/dataset/{queue.id}/annotation-mode")
        page.locator(".questions").wait_for()
        return page, asked, queue

    yield open_form
    context.close()


def question(page, title):
    return page.locator(".questions > div").filter(has=page.get_by_text(title, exact=False))


def choose(page, title, option):
    question(page, title).locator(".input-button").filter(has_text=option).first.click()


def write(page, title, text):
    question(page, title).get_by_role("textbox").click()
    page.keyboard.type(text)


def press(page, button):
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method != "GET") as saved:
        page.get_by_role("button", name=button).click()
    assert saved.value.ok


def rank(page, place, number):
    """Give the first answer that has none a rank, as the keyboard does it."""
    # Argilla focuses the first card by itself, and takes keys that follow closely for one number.
    page.wait_for_timeout(700)
    page.locator(".draggable__rank-card--unranked").filter(has_text=f"Answer {place}").press(str(number))
    page.locator(".draggable__slot").nth(number - 1).get_by_text(f"Answer {place}").wait_for()


def the_vote(owner, queue, shown):
    [vote] = pull(owner, queue, KEY, [shown.id]).votes
    return vote


def test_a_comparison_with_every_question(desk, owner):
    form = FormSettings(
        question="Which reply would you send?",
        strength=True,
        criteria={"accuracy": "Says nothing that is not so.", "tone": ""},
        critique="required",
        layout="side_by_side",
    )
    shown = item("kind answer", "rude answer")
    page, _, queue = desk("all", form, shown)
    choose(page, "Which reply would you send?", "Answer 2 is better")
    choose(page, "How much better?", "Slightly better")
    choose(page, "The better answer's accuracy", "5")
    choose(page, "The better answer's tone", "3")
    assert page.get_by_role("button", name="Submit").is_disabled()  # the reason is required
    write(page, "Why?", "</script> & <b>, 100 %")
    write(page, "A better version", "The kindest answer")
    press(page, "Submit")
    vote = the_vote(owner, queue, shown)
    assert (vote.choice, vote.left) == (shown_order(KEY, shown.id, 2)[1], shown_order(KEY, shown.id, 2)[0])
    assert (vote.strength, vote.criteria, vote.ratings) == (2, {"accuracy": 5, "tone": 3}, {})
    assert (vote.critique, vote.edit, vote.status) == ("</script> & <b>, 100 %", "The kindest answer", "submitted")


def test_a_tie_with_ratings_of_each_answer(desk, owner):
    shown = item("one", "two")
    page, _, queue = desk("each", FormSettings(criteria={"tone": ""}, rate="each", both_bad=False), shown)
    assert page.get_by_text("Both are bad").count() == 0
    choose(page, "Which answer is better?", "Equally good")
    choose(page, "Answer 1: tone", "4")
    choose(page, "Answer 2: tone", "2")
    press(page, "Submit")
    vote, order = the_vote(owner, queue, shown), shown_order(KEY, shown.id, 2)
    assert (vote.choice, vote.ratings) == ("tie", {order[0]: {"tone": 4}, order[1]: {"tone": 2}})


def test_a_ranking_with_a_tie(desk, owner):
    shown = item("one", "two", "three", "four")
    page, _, queue = desk("ranking", FormSettings(kind="ranking", candidates=4), shown)
    for place, number in ((1, 2), (2, 1), (3, 2), (4, 4)):
        rank(page, place, number)
    press(page, "Submit")
    vote, order = the_vote(owner, queue, shown), shown_order(KEY, shown.id, 4)
    assert vote.order == order
    assert [vote.ranking[LETTERS.index(letter)] for letter in order] == [2, 1, 2, 4]
    assert vote.counts


def test_a_ranking_half_done_is_a_draft_and_then_a_skip(desk, owner):
    shown = item("one", "two", "three")
    page, _, queue = desk("half", FormSettings(kind="ranking", candidates=3), shown)
    rank(page, 1, 2)
    press(page, "Save as draft")
    vote, order = the_vote(owner, queue, shown), shown_order(KEY, shown.id, 3)
    assert (vote.status, vote.counts) == ("draft", False)
    assert [vote.ranking[LETTERS.index(letter)] for letter in order] == [2, None, None]
    page.goto(page.url.split("?")[0] + "?status=draft")
    page.locator(".questions").wait_for()
    press(page, "Discard")
    assert the_vote(owner, queue, shown).status == "discarded"


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize("layout", ["stacked", "side_by_side"])
def test_html_in_a_text_stays_letters_and_calls_nobody(desk, layout, markdown, argilla):
    shown = item(EVIL, "harmless", prompt=EVIL)
    page, asked, _ = desk(f"evil-{layout}-{markdown}", FormSettings(markdown=markdown, layout=layout), shown)
    on_page = markdown or layout == "side_by_side"
    place = page.frame_locator("iframe").locator("main") if on_page else page.locator(".fields")
    place.get_by_text("harmless").wait_for()
    page.wait_for_timeout(500)
    text = place.inner_text()
    for letters in (
        '<img src="http://evil.test/a',
        "<script>window.top.ran = 2",
        "<svg onload=",
        "</script><script>",
        "$& $'",
    ):
        assert text.count(letters) == 2, letters  # in the prompt and in the answer
    assert text.count("&lt;b&gt;") == (0 if markdown else 2)  # Markdown has entities of its own
    assert place.locator("img, svg[onload], iframe, script, a").count() == 0
    assert page.evaluate("window.ran") is None
    assert [url for url in asked if "evil.test" in url] == []
    outside = {url.split("/")[2] for url in asked if url.startswith("http")} - {argilla.url.split("/")[2]}
    assert outside <= {"fonts.googleapis.com", "fonts.gstatic.com"}  # Argilla's own


def test_markdown_is_rendered_and_columns_stand_beside_each_other_and_grow(desk):
    text = "### Title\n\n- *one*\n- two\n\n```python\nif a < b:\n    go()\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    shown = item(text, "word " * 3000, prompt="**Bold** question")
    page, _, _ = desk("looks", FormSettings(markdown=True, layout="side_by_side"), shown)
    main = page.frame_locator("iframe").locator("main")
    main.locator("h3").wait_for()
    assert main.locator("pre code").inner_text() == "if a < b:\n    go()\n"
    assert [main.locator(name).count() for name in ("strong", "em", "li", "td")] == [1, 1, 2, 2]
    left, right = (main.locator(".answer").nth(place).bounding_box() for place in (0, 1))
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    frame = page.locator("iframe")
    assert frame.bounding_box()["height"] >= main.bounding_box()["height"] > 1000
    page.set_viewport_size({"width": 900, "height": 900})
    page.wait_for_timeout(300)
    assert frame.bounding_box()["height"] >= main.bounding_box()["height"]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert json.loads(
        frame.evaluate("frame => JSON.stringify(!!frame.contentDocument.querySelector('meta[http-equiv]'))")
    )
