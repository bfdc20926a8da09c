"""The catalogue in a real Chromium: found, filtered, opened and read, without network, and no card becomes code."""

import zlib
from struct import pack

import pytest
from prefloop.publish.catalogue import Gathered, Item, write_catalogue
from prefloop.publish.finding import Block, Entry, Overlap, Score

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CARD = """---
license: mit
---
# {name}

{task}

![the plot](plots/results.png) ![far](https://example.org/far.png)

## Results

| on the same material | base | tuned | difference | n | verdict |
|---|---|---|---|---|---|
| prefers what the annotators chose | 0.194 (0.103 to 0.295) | 0.710 (0.603 to 0.810) | +0.516 | 62 | better |

<details><summary>By kind of pair</summary>

Folded words.

</details>

{hostile}

[run](javascript:document.title='owned') and [the code](#how-to-load-it)

## How to load it

```python
model = "{name}"  # {long}
```
"""


def picture(width=200, height=80):
    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\x2f\x7d\xe1" * width for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    )


@pytest.fixture
def site(tmp_path):
    def model(name, task, value, verdict="better", *, size, overlap=0, day=1, **facts):
        score = Score(name="preference accuracy", value=value, low=value - 0.1, high=value + 0.09, n=62, task="x")
        difference = score.model_copy(update={"value": 0.2, "low": 0.05, "high": 0.3, "task": ""})
        block = Block(
            task=task, verdict=verdict, confidence=0.95, headline=score, difference=difference, parameters=size,
            results=(score, score.model_copy(update={"name": f"wins against the base, by {name}"})),
            contamination=Overlap(items=165, overlapping=overlap),
        )  # fmt: skip
        plain = {"base": "small/base-135M", "licence": "mit", "languages": ("en",), "tags": ("prefloop", "mail")}
        folder = tmp_path / f"release-{day}"
        (folder / "plots").mkdir(parents=True)
        (folder / "plots" / "results.png").write_bytes(picture())
        text = CARD.format(name=name, task=task, hostile=HOSTILE, long="x" * 200)
        (folder / "README.md").write_text(text)
        hub = {"where": f"https://huggingface.co/{name}", "revision": "f0" * 20, "release": "v2"}
        updated = f"2026-02-0{day}T00:00:00+00:00"
        return Item(Entry(name=name, hub=True, block=block, updated=updated, **hub, **(plain | facts)), folder)

    models = (
        model("acme/first-replies", "Drafts the first reply to a customer.", 0.71, size=135_000_000),
        model(
            "acme/letters",
            "Fasst Arztbriefe zusammen.",
            0.31,
            "can't tell yet",
            size=None,
            languages=("de", "en"),
            day=2,
        ),
        model("acme/mail-triage", "Sorts support mails.", 0.66, size=1_700_000_000, licence="apache-2.0", day=3),
        model("acme/sql", "Writes SQL.", 0.11, "worse", size=500_000_000, tags=("code",), overlap=7, day=4),
        model(HOSTILE, HOSTILE, 0.5, size=8_000_000_000, base=HOSTILE, licence=HOSTILE, tags=(HOSTILE,), day=5),
    )
    return write_catalogue(tmp_path / "site", Gathered(models, ()), "Acme's models")


@pytest.fixture
def opened(page, site):
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(site.as_uri())
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith(("file://", "data:image/png"))] == []
    assert page.title() != "owned"


def names(page):
    shown = page.locator("#models li:visible h2 a").all_text_contents()
    return ["hostile" if "script" in name else name.removeprefix("acme/") for name in shown]


def test_better_models_stand_first_and_the_order_can_be_chosen(opened):
    assert names(opened) == ["hostile", "first-replies", "mail-triage", "letters", "sql"]
    opened.select_option("#sort", "updated")
    assert names(opened) == ["hostile", "sql", "mail-triage", "letters", "first-replies"]
    opened.select_option("#sort", "parameters")
    assert names(opened) == ["first-replies", "sql", "mail-triage", "hostile", "letters"]
    opened.select_option("#sort", "name")
    assert names(opened) == ["hostile", "first-replies", "letters", "mail-triage", "sql"]
    opened.select_option("#sort", "")
    assert names(opened) == ["hostile", "first-replies", "mail-triage", "letters", "sql"]


def test_search_and_filters_work_together(opened):
    opened.fill("#search", "MAIL sorts")
    assert names(opened) == ["mail-triage"]
    assert opened.locator("#count").inner_text() == "1 of 5 models"
    opened.fill("#search", "")
    for key, value, found in (
        ("verdict", "better", ["hostile", "first-replies", "mail-triage"]),
        ("tag", "mail", ["first-replies", "mail-triage"]),
        ("size", "under 1B", ["first-replies"]),
        ("licence", "apache-2.0", []),
    ):
        opened.select_option(f"[data-filter='{key}']", value)
        assert names(opened) == found
    assert opened.locator("#count").inner_text() == "0 of 5 models"


def test_a_model_of_two_languages_is_found_by_either(opened):
    opened.select_option("[data-filter='language']", "de")
    assert names(opened) == ["letters"]
    opened.select_option("[data-filter='language']", "en")
    assert len(names(opened)) == 5


def test_hostile_words_are_shown_and_can_be_filtered_by(opened):
    for key in ("base", "licence", "tag"):
        opened.select_option(f"[data-filter='{key}']", HOSTILE)
        assert names(opened) == ["hostile"]
    assert HOSTILE in opened.locator("#models li:visible h2").inner_text()
    opened.press("#search", "Enter")
    assert opened.url.endswith("index.html")
    opened.click("#models li:visible h2 a")
    assert opened.locator("h1").inner_text() == HOSTILE
    assert opened.locator(".card img").count() == 1  # the release's own picture


def test_a_models_page_has_evidence_card_picture_and_the_way_back(opened):
    opened.click("text=first-replies")
    assert opened.title() == "acme/first-replies · Acme's models"
    evidence = opened.locator("#evidence").inner_text()
    assert "0.710" in evidence
    assert "0.610 to 0.800" in evidence
    assert "62" in evidence
    shown = opened.locator(".card img").first.evaluate("image => image.complete && image.naturalWidth")
    assert shown == 200
    assert "[picture: far]" in opened.locator(".card").inner_text()
    assert opened.locator("summary").inner_text() == "By kind of pair"
    assert not opened.locator("text=Folded words.").is_visible()
    opened.click("summary")
    assert opened.locator("text=Folded words.").is_visible()
    opened.click(".about a[href^='#']")
    assert opened.url.endswith("#card-how-to-load-it")
    assert opened.locator(".card a:has-text('run')").count() == 0  # a link that would run something is text
    opened.click(".back a")
    assert names(opened)[0] == "hostile"


def test_contamination_can_be_seen(opened):
    assert opened.locator("#models .contaminated").all_inner_texts() == [
        "contaminated: 7 of 165 evaluation items are in the training data"
    ]
    opened.click("text=acme/sql")
    assert "7 of 165" in opened.locator(".contaminated").inner_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_on_any_page(opened, width):
    opened.set_viewport_size({"width": width, "height": 800})
    pages = ["index.html"] + [link.get_attribute("href") for link in opened.locator("#models h2 a").all()]
    assert len(pages) == 6
    home = opened.url.rsplit("/", 1)[0]
    for page in pages:
        opened.goto(f"{home}/{page}")
        assert opened.evaluate("document.documentElement.scrollWidth") <= width, page
        for box in (
            element.bounding_box() for element in opened.locator("h1, h2, #evidence tbody tr, .controls label").all()
        ):
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, page


def test_everything_can_be_read_without_script(chromium, site):
    context = chromium.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(site.as_uri())
    assert len(names(page)) == 5
    assert page.locator("form").is_hidden()
    page.click("text=acme/mail-triage")
    assert page.locator("#evidence").is_visible()
    context.close()


def test_a_dark_page_has_light_words(chromium, site):
    context = chromium.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(site.as_uri())
    paper, ink = (
        page.evaluate(f"getComputedStyle(document.body).{name}").removeprefix("rgb(").split(",")[0]
        for name in ("backgroundColor", "color")
    )
    assert int(paper) < 60 < 200 < int(ink)
    context.close()
