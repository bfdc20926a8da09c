"""A card is other people's text: whatever stands in it, nothing of it may run, fetch, or leave its place."""

import base64
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.publish.catalogue.markdown import ANCHOR, PNG, anchor, card_html

FILES = "https://hub.example/acme/replies/blob/abc"
ALLOWED = {
    "a": {"href", "target", "rel"}, "blockquote": set(), "br": set(), "code": {"class"}, "details": {"open"},
    "div": {"class"}, "em": set(), "hr": set(), "img": {"src", "alt"}, "li": set(), "ol": {"start"}, "p": set(),
    "pre": set(), "strong": set(), "summary": set(), "table": set(), "tbody": set(), "td": {"style"}, "th": {"style"},
    "thead": set(), "tr": set(), "ul": set(), **{f"h{n}": {"id"} for n in range(2, 7)},
}  # fmt: skip
EMPTY = {"br", "hr", "img"}


class Looker(HTMLParser):
    """Reads HTML and notes what may not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.wrong += [] if tag in ALLOWED else [tag]
        for name, value in attrs:
            self._attribute(tag, name, value or "")
        if tag not in EMPTY:
            self.open.append(tag)

    def _attribute(self, tag, name, value):
        fine = name in ALLOWED.get(tag, set())
        if name == "href":
            fine = fine and value.startswith(("https://", "http://", f"#{ANCHOR}"))
        if name == "src":
            fine = fine and value.startswith("data:image/png;base64,")
        if name == "id":
            fine = fine and value.startswith(ANCHOR)
        if name == "style":
            fine = fine and value in {"text-align:left", "text-align:right", "text-align:center"}
        self.wrong += [] if fine else [f"{tag} {name}={value}"]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        self.wrong += [] if self.open and self.open.pop() == tag else [f"/{tag}"]

    def handle_decl(self, decl):
        self.wrong.append(decl)

    def handle_comment(self, data):
        self.wrong.append(data)


def looked(html):
    looker = Looker()
    looker.feed(html)
    looker.close()
    return looker.wrong, looker.open


HOSTILE = st.lists(
    st.sampled_from(
        [
            "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<details open><summary>more</summary>\n\n",
            "<details onclick=x><summary>a</summary>", "\n\n</details>\n\n", "<summary>", "[x](javascript:alert(1))",
            "[x](data:text/html,<script>)", "![x](https://e.com/x.png)", "![x](../../etc/passwd.png)", "\n\n> ", "\n- ",
            "[x](//e.com)", "[y](#a\"onclick=x)", "[z](report.html)", "<https://e.com/\"onx>", "[x](vbscript:x)",
            "\n\n# A \"title\" onx=1\n",
            "\n| a | b |\n|:--|--:|\n| <b> | `</td>` |\n", "```html\"onx\n</code><b>\n```\n",
            "<!-- comment -->", "<!DOCTYPE html>", "<?php ?>", "<![CDATA[ x ]]>", "</section>", "</main>", "&lt;b&gt;",
            "[r]: javascript:alert(1)\n\n[r]", "<a href=javascript:x>", "\u202e", "\0", "---\n", "<details><summary>\n",
        ]
    )
    | st.text(max_size=8),
    max_size=12,
).map("".join)  # fmt: skip


@given(HOSTILE)
def test_no_card_becomes_code_or_leaves_a_tag_open(text):
    wrong, still_open = looked(card_html(text, Path("/nowhere"), FILES))
    assert wrong == []
    assert still_open == []


def test_a_cards_parts_are_kept():
    text = "---\na: b\n---\n\n# name\n\nWords with *weight* and `code`.\n\n"
    text += "## How to load it\n\n```python\nx = 1 < 2\n```\n"
    html = card_html(text, Path("/nowhere"), FILES)
    assert "name" not in html
    assert "a: b" not in html
    assert f'<h3 id="{anchor("How to load it")}">How to load it</h3>' in html
    assert '<code class="language-python">x = 1 &lt; 2' in html
    assert "<em>weight</em>" in html


def test_a_table_scrolls_by_itself():
    html = card_html("| a | b |\n|---|---|\n| 1 | 2 |\n", Path("/nowhere"), "")
    assert html.startswith('<div class="scroll"><table>')


def test_folds_work_and_other_html_is_text():
    text = "<details open><summary>By kind & more</summary>\n\nwords\n\n</details>\n\n<b>bold</b>\n\n<!-- gone -->\n"
    html = card_html(text, Path("/nowhere"), "")
    assert "<details open><summary>By kind &amp; more</summary>" in html
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    assert "gone" not in html


def test_links_lead_out_within_or_into_the_repository():
    html = card_html("[a](https://e.com/x) [b](#data-and-votes) [c](report.html) [d](/x) [e](../x)", Path("/x"), FILES)
    assert 'href="https://e.com/x" target="_blank" rel="noopener noreferrer nofollow">a<' in html
    assert f'href="#{ANCHOR}data-and-votes">b<' in html
    assert f'href="{FILES}/report.html"' in html
    assert "<a>d</a> <a>e</a>" in html
    assert "<a>c</a>" in card_html("[c](report.html)", Path("/x"), "")


def test_the_headings_of_a_card_can_be_linked_to_by_its_own_links():
    html = card_html("[x](#base-model-and-licence)\n\n## Base model, and `licence`!\n", Path("/x"), "")
    assert f'href="#{ANCHOR}base-model-and-licence"' in html
    assert f'id="{ANCHOR}base-model-and-licence"' in html


@pytest.fixture
def folder(tmp_path):
    release = tmp_path / "release"
    (release / "plots").mkdir(parents=True)
    (release / "plots" / "results.png").write_bytes(PNG + b"picture")
    (release / "plots" / "text.png").write_text("a secret")
    (tmp_path / "outside.png").write_bytes(PNG)
    return release


def test_a_picture_of_the_release_is_taken_in(folder):
    html = card_html('![what "it" shows](plots/results.png)', folder, "")
    data = base64.b64encode(PNG + b"picture").decode()
    assert f'<img src="data:image/png;base64,{data}" alt="what &quot;it&quot; shows"' in html


@pytest.mark.parametrize(
    "path", ["https://e.com/x.png", "../outside.png", "plots/text.png", "plots/missing.png", "plots", "/etc/x.png", ""]
)
def test_other_pictures_become_their_words(folder, path):
    html = card_html(f"![a *plot*]({path})", folder, "")
    assert html == "<p>[picture: a plot]</p>\n"
