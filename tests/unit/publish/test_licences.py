"""Licences that don't go together are told, and what isn't known is never taken to be fine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefloop.publish.licences import BUILT_WITH, LICENCES, conflicts, duties

PERMISSIVE = sorted(name for name, licence in LICENCES.items() if licence.kind == "permissive")


@pytest.mark.parametrize(
    ("release", "base", "data", "name"),
    [
        ("apache-2.0", "cc-by-nc-4.0", None, "me/x"),
        ("mit", "gpl-3.0", None, "me/x"),
        ("apache-2.0", "cc-by-nd-4.0", None, "me/x"),
        ("apache-2.0", "llama3.1", None, "me/Llama-x"),
        ("llama3.1", "llama3.1", None, "me/support"),
        ("apache-2.0", "gemma", None, "me/x"),
        ("apache-2.0", "creativeml-openrail-m", None, "me/x"),
        ("apache-2.0", "mit", "cc-by-nc-sa-4.0", "me/x"),
        ("cc-by-4.0", "mit", "cc-by-sa-4.0", "me/x"),
    ],
)
def test_refused(release: str, base: str, data: str | None, name: str) -> None:
    found = [conflict for conflict in conflicts(release, base, data, name=name) if conflict.certain]
    assert len(found) == 1
    assert found[0].text.count(base) or found[0].text.count(str(data))


@pytest.mark.parametrize(
    ("release", "base", "data", "name"),
    [
        ("apache-2.0", "mit", None, "me/x"),
        ("cc-by-nc-4.0", "cc-by-nc-4.0", None, "me/x"),
        ("cc-by-nc-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "me/x"),
        ("llama3.2", "llama3.2", None, "me/Llama-3.2-support"),
        ("gemma", "gemma", "cc-by-4.0", "me/x"),
        ("agpl-3.0", "gpl-3.0", None, "me/x"),
    ],
)
def test_let_through(release: str, base: str, data: str | None, name: str) -> None:
    assert conflicts(release, base, data, name=name) == []


@pytest.mark.parametrize(
    ("release", "base", "says"),
    [
        (None, "mit", "nobody may use it"),
        ("mit", None, "not on record"),
        ("mit", "their-own-1.0", "not in prefloop's table"),
        ("my-own-1.0", "mit", "not in prefloop's table"),
        ("other", "gemma", "see that yours does too"),
    ],
)
def test_what_is_not_known_is_said(release: str | None, base: str | None, says: str) -> None:
    (conflict,) = conflicts(release, base)
    assert not conflict.certain
    assert says in conflict.text


@given(st.sampled_from(sorted(LICENCES)))
def test_a_licence_goes_with_itself_unless_it_forbids_changes(name: str) -> None:
    certain = [conflict for conflict in conflicts(name, name, name="me/Llama-x") if conflict.certain]
    assert bool(certain) == (LICENCES[name].kind == "no derivatives")


@given(st.sampled_from(PERMISSIVE), st.sampled_from(sorted(LICENCES)))
def test_a_permissive_base_goes_with_everything(base: str, release: str) -> None:
    assert conflicts(release, base) == []


@given(st.sampled_from(sorted(LICENCES)))
def test_every_heir_is_in_the_table_and_every_text_has_an_address(name: str) -> None:
    licence = LICENCES[name]
    assert set(licence.heirs) <= set(LICENCES)
    assert licence.source.startswith("https://")
    assert (licence.kind in {"permissive", "no derivatives"}) != bool(licence.heirs)


def test_llamas_duties_are_told() -> None:
    for name, words in BUILT_WITH.items():
        assert any(words in duty for duty in duties(name))
    assert duties("mit") == duties(None) == ()
