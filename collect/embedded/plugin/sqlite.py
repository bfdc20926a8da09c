"""Everything that is SQLite's alone: the full-text index, JSON access, hashing.

Another database needs a sibling of this file with the same public functions.

The full-text index is kept by triggers in the transaction that writes the record, so it cannot drift. It holds one row
a field and one (field '') for the whole record, because FTS5 ranks rows, and a query over all fields may find one word
in one field and another word in another.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    TableValuedAlias,
    Uuid,
    and_,
    column,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.ext.asyncio import AsyncConnection

TEXT_SCHEMA = {
    "prefloop_text": "CREATE VIRTUAL TABLE prefloop_text USING fts5(body, tokenize='unicode61 remove_diacritics 0')",
    "prefloop_text_rows": """CREATE TABLE prefloop_text_rows (
        id INTEGER PRIMARY KEY, record_id CHAR(32) NOT NULL, field VARCHAR NOT NULL, UNIQUE (record_id, field))""",
    "prefloop_text_deleted": """CREATE TRIGGER prefloop_text_deleted AFTER DELETE ON records BEGIN
        DELETE FROM prefloop_text WHERE rowid IN (SELECT id FROM prefloop_text_rows WHERE record_id = old.id);
        DELETE FROM prefloop_text_rows WHERE record_id = old.id;
    END""",
    "prefloop_text_inserted": """CREATE TRIGGER prefloop_text_inserted AFTER INSERT ON records BEGIN
        {index}
    END""",
    "prefloop_text_updated": """CREATE TRIGGER prefloop_text_updated AFTER UPDATE OF fields ON records BEGIN
        DELETE FROM prefloop_text WHERE rowid IN (SELECT id FROM prefloop_text_rows WHERE record_id = old.id);
        DELETE FROM prefloop_text_rows WHERE record_id = old.id;
        {index}
    END""",
}
INDEX_RECORD = """INSERT INTO prefloop_text_rows (record_id, field)
            SELECT new.id, '' UNION ALL
            SELECT new.id, name FROM fields WHERE dataset_id = new.dataset_id;
        INSERT INTO prefloop_text (rowid, body)
            SELECT r.id, (
                SELECT group_concat(text.atom, char(10))
                FROM fields f, json_tree(new.fields, '$."' || f.name || '"') text
                WHERE f.dataset_id = new.dataset_id AND json_extract(f.settings, '$.type') <> 'image'
                AND r.field IN ('', f.name) AND text.atom IS NOT NULL
                AND NOT (json_extract(f.settings, '$.type') = 'chat' AND text.key = 'role'))
            FROM prefloop_text_rows r WHERE r.record_id = new.id;"""
"""A field's text is all strings and numbers in it: one in a text field, in a chat its contents."""

_TOKEN = re.compile(r'(?P<bar>\|)|(?P<minus>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s|"()+]+))')
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""Scripts written without spaces (Thai to Chinese), where FTS5 takes a whole sentence for one word."""

_fts = table("prefloop_text", column("rowid"), column("body"))
_rows = table("prefloop_text_rows", column("id"), column("record_id", Uuid()), column("field"))


def on_connect(connection: Any, _record: Any) -> None:
    """Give every connection the function that PostgreSQL has built in."""
    connection.create_function("md5", 1, lambda text: hashlib.md5(text.encode()).hexdigest(), deterministic=True)


async def prepare(connection: AsyncConnection) -> None:
    """Create the full-text index, or make it anew where its definition has changed."""
    wanted = {name: sql.replace("{index}", INDEX_RECORD) for name, sql in TEXT_SCHEMA.items()}
    found = await connection.exec_driver_sql(
        "SELECT name, type, sql FROM sqlite_master WHERE name LIKE 'prefloop!_text%' ESCAPE '!'"
    )
    present = {row.name: (row.type, row.sql) for row in found}
    if all(present.get(name, ("", ""))[1] == sql for name, sql in wanted.items()):
        return
    # One transaction, or a kill in the middle would leave an index that looks whole.
    await connection.exec_driver_sql("BEGIN IMMEDIATE")
    for name, (kind, _) in present.items():
        # FTS5's own tables, named alike, go with theirs.
        if kind == "trigger" or name in wanted:
            await connection.exec_driver_sql(f"DROP {kind} IF EXISTS {name}")
    for sql in wanted.values():
        await connection.exec_driver_sql(sql)
    # Touching a record's fields fires the trigger that indexes it.
    await connection.exec_driver_sql("UPDATE records SET fields = fields")


@dataclass(slots=True)
class _Group:
    """The terms between two `|`: all of `words` and `parts` must occur, none of `without`."""

    words: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """Looked for as they stand, in scripts written without spaces."""


def matching(query: str, name: str | None) -> Subquery:
    """Return (record_id, score) of the records whose field `name`, or any field, matches; higher is better (BM25).

    The query language is Elasticsearch's simple query string as Argilla uses it: all words must occur, `|` is or,
    `-word` is not, `"a phrase"`, `start*`. Parentheses are ignored.
    """
    groups = _groups(query)
    words = [word for group in groups for word in group.words]
    found = select(_rows.c.record_id).where(_rows.c.field == (name or ""), or_(false(), *map(_group_condition, groups)))
    if not words:
        return found.add_columns(literal(1.0).label("score")).subquery()
    scores = (
        select(_fts.c.rowid, literal_column("-bm25(prefloop_text)").label("score"))
        .where(literal_column("prefloop_text").op("MATCH")(" OR ".join(words)))
        .cte("prefloop_scores")
        # Otherwise SQLite may run the text query anew for every row it joins.
        .prefix_with("MATERIALIZED")
    )
    found = found.outerjoin(scores, scores.c.rowid == _rows.c.id)
    return found.add_columns(func.coalesce(scores.c.score, 0.0).label("score")).subquery()


def _groups(query: str) -> list[_Group]:
    groups = [_Group()]
    for token in _TOKEN.finditer(query.replace("\0", " ")):
        if token["bar"]:
            groups.append(_Group())
            continue
        text = token["phrase"] if token["phrase"] is not None else token["word"]
        if not any(character.isalnum() for character in text):
            continue
        if _UNSPACED.search(text):
            groups[-1].parts.append(text.rstrip("*"))
            continue
        prefix = "*" if token["word"] and text.endswith("*") else ""
        (groups[-1].without if token["minus"] else groups[-1].words).append(f'"{text}"{prefix}')
    return [group for group in groups if group.words or group.without or group.parts]


def _group_condition(group: _Group) -> ColumnElement[bool]:
    # Plus nothing, or SQLite walks all matching rows for every record: 5 s instead of 40 ms over 2,000 long records.
    row = _rows.c.id + 0
    conditions = []
    if group.words:
        conditions.append(row.in_(_rowids(" AND ".join(group.words))))
    if group.without:
        conditions.append(row.not_in(_rowids(" OR ".join(group.without))))
    conditions += [row.in_(select(_fts.c.rowid).where(func.instr(_fts.c.body, part) > 0)) for part in group.parts]
    return and_(*conditions)


def _rowids(expression: str) -> Select[tuple[int]]:
    return select(_fts.c.rowid).where(literal_column("prefloop_text").op("MATCH")(expression))


def json_values(document: ColumnElement[Any], *path: str) -> TableValuedAlias:
    """Return the values at `path` as rows of one column `value`: those of a list, the one scalar, none if missing."""
    steps = "".join(f'."{step}"' for step in path)
    return func.json_each(document, f"${steps}").table_valued("value", joins_implicitly=True)


def is_number(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a JSON value is a number; a text would compare as greater than every number."""
    return func.typeof(value).in_(("integer", "real"))
