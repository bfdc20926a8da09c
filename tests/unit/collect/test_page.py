from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.collect import FormSettings, Message
from prefloop.collect.queues.page import page

COLUMNS = FormSettings(layout="side_by_side")
MARKDOWN = FormSettings(markdown=True)
TEXT = {"section", "p", "div", "span", "em", "strong", "s", "code", "pre", "br"}
BLOCKS = {"h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr"}
HARMLESS = TEXT | BLOCKS | {"table", "thead", "tbody", "tr", "th", "td"}
MARKUP = ["<img src=http://x>", "<!--", "-->", "</script>", "javascript:", "http://x", "&lt;", "$&", "{{"]
PIECES = st.sampled_from(
    [*"<>&[])|`#'", '"', "```\n", "![", "](", "]: ", "\n", "\n\n", "# ", "- ", "|---|\n", "    ", "\0", *MARKUP]
)
WILD = st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join)


class Read(HTMLParser):
    """What stands inside <main>: tags, attributes, and the text of each box."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), set(), []
        self.feed(html.split("<main>")[1].rsplit("</main>", 1)[0])
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {(name, tag) for name, _ in attributes}
        if ("class", "text letters") in attributes:
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data

    def handle_comment(self, data):
        raise AssertionError(data)


@given(WILD, WILD)
def test_letters_are_shown_as_they_are(question, answer):
    read = Read(page([Message("user", question)], [answer, "other"], COLUMNS))
    assert read.tags == {"section", "p", "div"}
    question_shown, answer_shown, _ = read.texts
    assert question_shown.removesuffix("Answer 1") == question
    assert answer_shown.removesuffix("Answer 2") == answer


@given(WILD)
def test_no_markdown_makes_a_tag_or_an_attribute_that_could_fetch_or_run(text):
    read = Read(page([Message("user", text)], [text, "other"], MARKDOWN))
    assert read.tags <= HARMLESS
    assert {name for name, _ in read.attributes} <= {"class", "start", "style"}
    assert {tag for name, tag in read.attributes if name == "style"} <= {"th", "td"}  # a column's alignment


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**bold**\nline", "<strong>bold</strong><br />\nline"),
        ("`a < b`", "<code>a &lt; b</code>"),
        ("<b>no</b>", "&lt;b&gt;no&lt;/b&gt;"),
        (
            "[site](http://x.test/?a&b)",
            '<span class="link">site</span> <span class="url">(http://x.test/?a&amp;b)</span>',
        ),
        ("<http://x.test>", '<span class="link">http://x.test</span>'),
        ("[run](javascript:alert(1))", "[run](javascript:alert(1))"),
        ("![picture](http://x.test/p.png)", '!<span class="link">picture</span>'),
    ],
)
def test_markdown_as_people_see_it(text, html):
    assert html in page([], [text, "other"], MARKDOWN)


def test_the_page_lets_only_its_own_script_run():
    html = page([Message("system", "s")], ["a", "b"], COLUMNS)
    assert html.count("<script>") == 1
    assert "default-src 'none'" in html.split("<main>")[0]
    assert "script-src 'sha256-" in html.split("<main>")[0]
    assert "{" not in html.split("<script>")[0].split("</style>")[1]
