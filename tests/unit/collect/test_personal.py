import gzip
import json
import os
import socket
from pathlib import Path

import pytest
from prefloop.collect.sealing.contamination import Text, item_texts
from prefloop.collect.sealing.personal import find_personal, vote_texts

# Put together here, so that no scanner takes this file for a leak.
TOKEN = "ghp" + "_" + "a1B2" * 9
AWS = "AKIA" + "ABCDEFGH" + "IJKLMNOP"
PRIVATE = "-----BEGIN " + "RSA PRIVATE KEY-----"


def kinds(text):
    return {row.kind: row.count for row in find_personal([Text("x", "prompt", text)])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to ada.lovelace@example.org, please.", {"e-mail address": 1}),
        ("müller@bücher.example oder a@b.de", {"e-mail address": 2}),
        ("Call +49 30 901820 or (415) 555-2671.", {"phone number": 2}),
        ("My card is 4111 1111 1111 1111, or 378282246310005.", {"card number": 2}),
        ("DE89 3704 0044 0532 0130 00 or GB29NWBK60161331926819", {"IBAN": 2}),
        ("ping 192.168.1.17 and 2001:db8::1", {"IP address": 2}),
        (f"export TOKEN={TOKEN}\nAWS_KEY={AWS}", {"key or token": 2}),
        (f"{PRIVATE}\nabc", {"key or token": 1}),
        ("https://user:hunter2@example.com/x", {"key or token": 1, "e-mail address": 1}),
        ("Order 4111111111111112 of 12/10/2024 costs 12.99 at 10:30:15, version 1.2.3.4.5, 127.0.0.1", {}),
        ("DE00 3704 0044 0532 0130 00 and 999.1.1.1 and @ada and a@b", {}),
        ("Ada Lovelace, born 10 December 1815, 12 St James's Square, London", {}),
        ("", {}),
    ],
)
def test_kinds_are_told_by_their_form(text, expected):
    assert kinds(text) == expected


def test_findings_name_the_place_and_never_the_value(make_item, make_vote):
    item = make_item(prompt="I am ada@example.org, where is it?", b=f"Use {TOKEN}.")
    vote = make_vote(item, "ann", "A", critique="Ask bob@example.org", edit="Fine.")
    found = find_personal([*item_texts([item]), *vote_texts([vote])])
    assert {(row.id, row.part, row.kind) for row in found} == {
        (item.id, "prompt", "e-mail address"),
        (item.id, "response B", "key or token"),
        (vote.id, "critique", "e-mail address"),
    }
    assert not any(value in str(found) for value in ("ada", "bob", TOKEN))


def test_nothing_asks_the_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert len(kinds(f"ada@example.co.uk +44 20 7946 0958 {TOKEN} https://a:b@example.com")) >= 3


def test_real_texts_are_flagged_where_they_hold_something():
    if not (folder := os.environ.get("PREFLOOP_TEST_DATA")):
        pytest.skip("PREFLOOP_TEST_DATA is not set")
    rows = json.loads(gzip.decompress((Path(folder) / "preferences/pandalm_testset_v1.json.gz").read_bytes()))
    texts = [
        Text(str(n), part, str(row[part]))
        for n, row in enumerate(rows)
        for part in ("instruction", "input", "response1", "response2")
    ]
    found = find_personal(texts)
    assert {row.kind for row in found} == {"phone number"}
    assert {rows[int(row.id)][row.part].count("650-636-4884") > 0 for row in found} == {True}
