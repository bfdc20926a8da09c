import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from prefloop.collect import Item, Message, Origin
from prefloop.collect.quality import measure, render_page
from prefloop.collect.sampling.suggestions import Suggestion

EVIL = '<script>alert("x")</script><img src=http://evil.example/x>'


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


@pytest.fixture
def crowd(simulate, honest):
    return simulate(honest | {"lea": "left-clicker"}, 60)


def test_the_page_needs_nothing_else(crowd):
    tags = parsed(render_page(measure(*crowd), title="replies"))
    assert not {"script", "img", "link", "iframe", "object", "image"} & set(tags.seen)
    loaded = [(name, value) for name, value in tags.attributes if name in ("src", "href", "xlink:href", "action")]
    assert [value for _, value in loaded if not (value or "").startswith("#")] == []
    assert tags.seen.count("svg") >= 5


def test_texts_and_names_of_people_are_shown_and_never_run(simulate):
    items, votes = simulate({EVIL: "honest", "bo": "spammer", "cy": "honest"}, 60)
    writer = Origin("person", "author")
    evil = Item((Message("user", EVIL),), EVIL + "a", EVIL + "b", writer, writer)
    more = [
        replace(row, item_id=evil.id, id=f"e{n}", choice="AB"[n % 2], critique=EVIL) for n, row in enumerate(votes[:3])
    ]
    page = render_page(measure([evil, *items], [*more, *votes]), title=EVIL)
    assert not {"script", "img"} & set(parsed(page).seen)
    assert "evil.example" in page


def test_who_is_named_stands_in_words_before_any_number(crowd):
    page = render_page(measure(*crowd), title="replies")
    assert page.index("Almost: a word first") < page.index("Talk to lea") < page.index("<svg")


def test_few_votes_get_no_false_precision(simulate, honest):
    page = render_page(measure(*simulate(honest, 10)), title="replies")
    body = page[page.index("<main>") : page.index("What it cost")]
    assert "Too few votes to say" in body
    assert "too few votes to say (10)" in body
    assert not re.search(r"\d+% \(\d+% to", body)


def test_prices_and_projections_are_shown_where_there_is_a_price(crowd):
    priced = render_page(measure(*crowd, price_per_hour=20, currency="CHF"), title="replies")
    assert "CHF" in priced
    assert "± 5 points" in priced
    assert "CHF" not in render_page(measure(*crowd, currency="CHF"), title="replies")


def test_a_page_of_nothing():
    page = render_page(measure([], []), title="replies")
    assert "No item has two votes" in page


def test_how_items_were_chosen_and_what_suggestions_did_is_shown(crowd):
    items, votes = crowd
    assert "How items were chosen" not in render_page(measure(items, votes), title="replies")
    tagged = [replace(item, tags=("arm:random" if n % 2 else "arm:margin",)) for n, item in enumerate(items)]
    seen = {item.id for item in tagged[::3]}
    suggested = {item.id: Suggestion("A", 0.9, "judge:x") for item in tagged}
    marked = [replace(vote, suggestion_seen=vote.item_id in seen) for vote in votes]
    quality = measure(tagged, marked, suggestions=suggested)
    assert [(arm.name, arm.items) for arm in quality.arms] == [("margin", 30), ("random", 30)]
    assert quality.suggestions.shown + quality.suggestions.hidden == quality.votes
    page = render_page(quality, title="replies")
    assert page.index("How items were chosen") < page.index("<th>margin</th>") < page.index("seeing it moved votes by")
