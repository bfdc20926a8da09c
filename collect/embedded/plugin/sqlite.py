"""Everything that is SQLite's alone: the full-text index, JSON access, hashing.

`postgres.py` is its sibling with the same public functions.

The full-text index is kept by triggers in the transaction that writes the record, so it cannot drift. It holds one row
a field and one (field '') for the whole record, because FTS5 ranks rows, and a query over all fields may find one word
in one field and another word in another.
"""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Subquery,
    TableValuedAlias,
    Uuid,
    and_,
    case,
    cast,
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

from .words import Term, alternatives

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
INDEX_RECORD = r"""INSERT INTO prefloop_text_rows (record_id, field)
            SELECT new.id, '' UNION ALL
            SELECT new.id, name FROM fields WHERE dataset_id = new.dataset_id;
        INSERT INTO prefloop_text (rowid, body)
            SELECT r.id, (
                SELECT group_concat(text.atom, char(10))
                FROM fields f, json_tree(
                    replace(replace(replace(new.fields, '\\', char(1)), '\u0000', ' '), char(1), '\\'),
                    '$."' || f.name || '"') text
                WHERE f.dataset_id = new.dataset_id AND json_extract(f.settings, '$.type') <> 'image'
                AND r.field IN ('', f.name) AND text.atom IS NOT NULL
                AND NOT (json_extract(f.settings, '$.type') = 'chat' AND text.key = 'role'))
            FROM prefloop_text_rows r WHERE r.record_id = new.id;"""
"""A field's text is all strings and numbers in it: one in a text field, in a chat its contents.

A NUL would end the text for SQLite; escaped backslashes are put aside while it is replaced.
"""

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


def matching(query: str, name: str | None) -> Subquery:
    """Return (record_id, score) of the records whose field `name`, or any field, matches; higher is better (BM25)."""
    found_terms = alternatives(query)
    scored = [_expression(term) for terms in found_terms for term in terms if not (term.without or term.unspaced)]
    found = select(_rows.c.record_id).where(_rows.c.field == (name or ""), or_(false(), *map(_all_hold, found_terms)))
    if not scored:
        return found.add_columns(literal(1.0).label("score")).subquery()
    scores = (
        select(_fts.c.rowid, literal_column("-bm25(prefloop_text)").label("score"))
        .where(literal_column("prefloop_text").op("MATCH")(" OR ".join(scored)))
        .cte("prefloop_scores")
        # Otherwise SQLite may run the text query anew for every row it joins.
        .prefix_with("MATERIALIZED")
    )
    found = found.outerjoin(scores, scores.c.rowid == _rows.c.id)
    return found.add_columns(func.coalesce(scores.c.score, 0.0).label("score")).subquery()


def _all_hold(terms: list[Term]) -> ColumnElement[bool]:
    # Plus nothing, or SQLite walks all matching rows for every record: 5 s instead of 40 ms over 2,000 long records.
    row = _rows.c.id + 0
    with_all = [_expression(term) for term in terms if not (term.unspaced or term.without)]
    without = [_expression(term) for term in terms if not term.unspaced and term.without]
    conditions = []
    if with_all:
        conditions.append(row.in_(_rowids(" AND ".join(with_all))))
    if without:
        conditions.append(row.not_in(_rowids(" OR ".join(without))))
    for term in terms:
        # FTS5 takes a whole sentence in such a script for one word, so these are looked for as they stand.
        if term.unspaced:
            with_it = select(_fts.c.rowid).where(func.instr(_fts.c.body, term.text.rstrip("*")) > 0)
            conditions.append(row.not_in(with_it) if term.without else row.in_(with_it))
    return and_(*conditions)


def _expression(term: Term) -> str:
    return f'"{term.text}"*' if term.prefix else f'"{term.text}"'


def _rowids(expression: str) -> Select[tuple[int]]:
    return select(_fts.c.rowid).where(literal_column("prefloop_text").op("MATCH")(expression))


def json_values(document: ColumnElement[Any], *path: str) -> TableValuedAlias:
    """Return the values at `path` as rows of one column `value`: those of a list, the one scalar, none if missing."""
    steps = "".join(f'."{step}"' for step in path)
    return func.json_each(document, f"${steps}").table_valued("value", joins_implicitly=True)


def text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """Return such a value as text."""
    return cast(value, String)


def number(value: ColumnElement[Any]) -> ColumnElement[float]:
    """Return such a value if it is a number, else NULL: a text would compare as greater than every number."""
    return case((func.typeof(value).in_(("integer", "real")), value))


def microseconds(time: ColumnElement[datetime]) -> ColumnElement[int]:
    """Return a time, stored as text with six decimals, as microseconds since 1970."""
    # Of the whole seconds alone: given the decimals, SQLite rounds up from .9995.
    seconds = cast(func.strftime("%s", func.substr(time, 1, 19)), Integer)
    return seconds * 1_000_000 + cast(func.substr(time, 21, 6), Integer)
