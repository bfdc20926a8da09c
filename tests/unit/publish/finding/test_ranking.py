"""Fifteen invented releases and 29 ways to ask for one of them, written before the ranking was."""

from hypothesis import given, settings
from hypothesis import strategies as st
from prefloop.publish.finding.ranking import has_word, rank

TASKS = {
    "first-replies": "Drafts the first reply to a customer of a small kitchenware shop: one line naming the team, "
    "one line with short sentences.",
    "mail-triage": "Sorts support e-mails into delivery, returns, billing, product or account.",
    "arztbriefe": "Fasst Arztbriefe in drei Sätzen für Angehörige zusammen, ohne Fachwörter.",
    "commit-messages": "Writes a commit message of one line from a diff.",
    "sql": "Turns a question about a shop's sales into one SQL query for PostgreSQL.",
    "minutes": "Summarises the transcript of a meeting into decisions and open points.",
    "alt-text": "Describes a product photo's caption for blind readers from its attributes.",
    "legal": "Marks clauses in rental contracts that tenants should ask about.",
    "grammar": "Corrects grammar and spelling of short English texts without changing the meaning.",
    "recipes": "Rewrites cooking recipes for a smaller number of people.",
    "invoice": "Extracts the invoice number, date and total from scanned bills as JSON.",
    "translate": "Translates product descriptions from German to English.",
    "titles": "Proposes a headline for a newspaper article.",
    "toxicity": "Says whether a forum post breaks the rules, and which.",
    "python-tests": "Writes unit tests for a Python function.",
}
ASKED = {
    "first-replies": ("answer customers", "customer replies", "replying to shoppers"),
    "mail-triage": ("classify support mails", "email classification", "route customer emails to teams"),
    "arztbriefe": ("Arztbrief zusammenfassen", "Zusammenfassung Arztbriefe"),
    "commit-messages": ("git commits", "describe a git diff"),
    "sql": ("text to sql", "postgres queries"),
    "minutes": ("meeting summary", "summarise meetings", "summarize transcripts"),
    "alt-text": ("image descriptions accessibility blind",),
    "legal": ("contract review", "rental agreement"),
    "grammar": ("grammatical corrections", "spell checker"),
    "recipes": ("scale a recipe",),
    "invoice": ("read invoices", "billing extraction json"),
    "translate": ("translation german english", "translating"),
    "titles": ("headlines for news",),
    "toxicity": ("moderate forum posts",),
    "python-tests": ("test generation python", "unit testing"),
}


def test_what_was_meant_mostly_stands_first_and_never_below_the_second(entry):
    shelf = [entry(name, task) for name, task in TASKS.items()]
    places = [
        [found.name for found, _ in rank(words, shelf)].index(name) for name, many in ASKED.items() for words in many
    ]
    assert len(places) == 29
    assert sum(place == 0 for place in places) >= 26  # comparing whole words, 12
    assert max(places) <= 1


def test_few_others_stand_beside_it(entry):
    shelf = [entry(name, task) for name, task in TASKS.items()]
    shown = [len(rank(words, shelf)) for many in ASKED.values() for words in many]
    assert sum(shown) / len(shown) < 3  # pieces of words alone would show 10 of the 15


def test_nothing_is_found_where_no_word_is(entry):
    shelf = [entry(name, task) for name, task in TASKS.items()]
    assert rank("quantum chess", shelf) == []
    assert rank("", shelf) == []
    assert rank("mail", []) == []


def test_likeness_falls_and_ties_are_broken_by_name(entry):
    found = rank("mails", [entry("z", "Sorts mails."), entry("y", "Sorts mails."), entry("x", "Sorts mails by team.")])
    likeness = [value for _, value in found]
    assert likeness == sorted(likeness, reverse=True)
    assert [one.name for one, _ in found] == ["y", "z", "x"]


def test_words_of_name_tags_and_base_count_too(entry):
    shelf = [entry("alpha", tags=("customer-support",)), entry("beta", base="Qwen/Qwen3-0.6B"), entry("gamma")]
    assert [one.name for one, _ in rank("support", shelf)] == ["alpha"]
    assert [one.name for one, _ in rank("qwen3", shelf)] == ["beta"]
    assert [one.name for one, _ in rank("gamma", shelf)] == ["gamma"]


def test_words_that_say_nothing_find_nothing_by_themselves(entry):
    shelf = [entry("a", "Sorts the mails."), entry("b", "Answers for the shop.")]
    assert [one.name for one, _ in rank("the mails of the day", shelf)] == ["a"]
    assert {one.name for one, _ in rank("the", shelf)} == {"a", "b"}


def test_a_word_is_found_in_its_family_and_not_in_others():
    assert has_word("Sorts e-mails", "mail")
    assert has_word("Summarises", "summarization")
    assert has_word("Sorts mails", "sorting")
    assert has_word("Die Übersetzung", "übersetzen")
    assert not has_word("a report", "support")
    assert not has_word("commerce", "commit")
    assert not has_word("a repository", "report")
    assert not has_word("it", "item")


@settings(deadline=None)
@given(st.text(), st.text())
def test_no_text_is_a_crash(words, task):
    from prefloop.publish.finding import Block, Entry, Score

    score = Score(name="x", value=0.5, low=0.4, high=0.6, n=1)
    block = Block(task=task, verdict="better", confidence=0.95, headline=score, difference=score)
    found = rank(words, [Entry("n", "w", False, block, "b", "", (), (), "")])
    assert all(0 <= likeness <= 1 for _, likeness in found)
