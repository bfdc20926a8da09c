"""Everything that is PostgreSQL's alone: the full-text index and JSON access. `sqlite.py` is its sibling.

The full-text index is kept by triggers in the transaction that writes the record, so it cannot drift. It holds one row
a field and one (field '') for the whole record, as the sibling's does. Its words are cut by our own function and by
ICU's rules, not the database's locale, so that a query cuts as the index did, whatever the locale. In scripts written
without spaces every character is a word, and what is looked for is a phrase of them.
"""

import hashlib
from datetime import datetime
from functools import reduce
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Numeric,
    String,
    Subquery,
    TableValuedAlias,
    Uuid,
    case,
    cast,
    column,
    extract,
    false,
    func,
    literal,
    select,
    table,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from .words import UNSPACED, Term, alternatives

INDEXED_CHARACTERS = 200_000
"""Of a longer text only the start is found: a tsvector holds a megabyte at most."""

ESCAPED = r"((?<!\\)(?:\\\\)*)"
"""What stands before an escape in JSON that is one: an even number of backslashes."""

SCHEMA = [
    # Texts may hold what JSON can write and PostgreSQL can't hold: NUL and halves of surrogate pairs.
    rf"""CREATE FUNCTION prefloop_json(json) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT CASE WHEN $1::text ~* '\\u(0000|d[89a-f])' THEN regexp_replace(regexp_replace(regexp_replace($1::text,
            '{ESCAPED}\\u0000', '\1 ', 'gi'),
            '{ESCAPED}\\ud[89ab][0-9a-f]{{2}}(?!\\ud[c-f][0-9a-f]{{2}})', '\1?', 'gi'),
            '(?<!\\ud[89ab][0-9a-f]{{2}}){ESCAPED}\\ud[c-f][0-9a-f]{{2}}', '\1?', 'gi')::jsonb
        ELSE $1::text::jsonb END $$""",
    # A field's text is all strings and numbers in it: one in a text field, in a chat its contents.
    """CREATE FUNCTION prefloop_body(record jsonb, dataset uuid, wanted text) RETURNS text LANGUAGE sql STABLE AS $$
        SELECT string_agg(atom #>> '{}', chr(10))
        FROM (SELECT name::text, prefloop_json(settings) ->> 'type' AS kind FROM fields WHERE dataset_id = dataset) f,
        LATERAL jsonb_path_query(
            CASE WHEN kind = 'chat' AND jsonb_typeof(record -> name) = 'array' THEN
                (SELECT jsonb_agg(CASE jsonb_typeof(turn) WHEN 'object' THEN turn - 'role' ELSE turn END)
                FROM jsonb_array_elements(record -> name) turn)
            ELSE record -> name END, 'strict $.**') atom
        WHERE wanted IN ('', name) AND kind <> 'image' AND jsonb_typeof(atom) IN ('string', 'number') $$""",
    f"""CREATE FUNCTION prefloop_plain(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
        SELECT regexp_replace(regexp_replace(lower(left($1, {INDEXED_CHARACTERS}) COLLATE "und-x-icu"),
            '[^[:alnum:]{UNSPACED}]+', ' ', 'g'), '([{UNSPACED}])', ' \\1 ', 'g') $$""",
    """CREATE FUNCTION prefloop_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('simple', coalesce(prefloop_plain($1), '')) $$""",
    """CREATE FUNCTION prefloop_phrase(text, prefix boolean) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT CASE WHEN prefix AND numnode(phrase) > 0 THEN (phrase::text || ':*')::tsquery ELSE phrase END
        FROM phraseto_tsquery('simple', prefloop_plain($1)) phrase $$""",
    """CREATE TABLE prefloop_text (
        record_id uuid NOT NULL REFERENCES records ON DELETE CASCADE, field text NOT NULL, words tsvector NOT NULL,
        PRIMARY KEY (record_id, field))""",
    """CREATE FUNCTION prefloop_index(record uuid, dataset uuid, document json) RETURNS void LANGUAGE sql AS $$
        INSERT INTO prefloop_text (record_id, field, words)
        SELECT record, wanted, prefloop_words(prefloop_body(prefloop_json(document), dataset, wanted))
        FROM (SELECT '' AS wanted UNION ALL SELECT name FROM fields WHERE dataset_id = dataset) wanted
        ON CONFLICT (record_id, field) DO UPDATE SET words = excluded.words $$""",
    """CREATE FUNCTION prefloop_text_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM prefloop_index(NEW.id, NEW.dataset_id, NEW.fields); RETURN NULL; END $$""",
    "SELECT prefloop_index(id, dataset_id, fields) FROM records",
    "CREATE INDEX prefloop_text_words ON prefloop_text USING gin (words) WITH (fastupdate = off)",
    """CREATE TRIGGER prefloop_text_inserted AFTER INSERT ON records
        FOR EACH ROW EXECUTE FUNCTION prefloop_text_changed()""",
    """CREATE TRIGGER prefloop_text_updated AFTER UPDATE OF fields ON records
        FOR EACH ROW EXECUTE FUNCTION prefloop_text_changed()""",
]
DROP = [
    "DROP TRIGGER IF EXISTS prefloop_text_inserted ON records",
    "DROP TRIGGER IF EXISTS prefloop_text_updated ON records",
    "DROP TABLE IF EXISTS prefloop_text",
    "DROP FUNCTION IF EXISTS prefloop_text_changed, prefloop_index, prefloop_phrase, prefloop_words, prefloop_plain, "
    "prefloop_body, prefloop_json",
]
TRIGGERS = 2
LOCK = int.from_bytes(b"prefloop")
"""The advisory lock of those who look after the index."""

_text = table("prefloop_text", column("record_id", Uuid()), column("field"), column("words"))


def on_connect(connection: Any, _record: Any) -> None:
    """A connection needs nothing."""


async def prepare(connection: AsyncConnection) -> None:
    """Create the full-text index, or make it anew where its definition has changed or a trigger is missing."""
    version = hashlib.sha256("".join(SCHEMA).encode()).hexdigest()
    # Two servers may start at once; the lock goes with the transaction.
    await connection.execute(sql("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    found = await connection.scalar(sql("SELECT obj_description(to_regclass('prefloop_text'), 'pg_class')"))
    triggers = await connection.scalar(
        sql(
            "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('records') AND tgenabled = 'O' "
            "AND tgname IN ('prefloop_text_inserted', 'prefloop_text_updated')"
        )
    )
    if found == version and triggers == TRIGGERS:
        return
    await connection.exec_driver_sql("LOCK TABLE records IN SHARE ROW EXCLUSIVE MODE")
    for statement in [*DROP, *SCHEMA, f"COMMENT ON TABLE prefloop_text IS '{version}'"]:
        await connection.exec_driver_sql(statement)


def matching(query: str, name: str | None) -> Subquery:
    """Return (record_id, score) of the records whose field `name`, or any field, matches; a higher score is better."""
    found_terms = alternatives(query)
    wanted = [reduce(func.tsquery_and, map(_holds, terms)) for terms in found_terms]
    matched = _text.c.words.op("@@")(reduce(func.tsquery_or, wanted)) if wanted else false()
    found = select(_text.c.record_id).where(_text.c.field == (name or ""), matched)
    scored = [_phrase(term) for terms in found_terms for term in terms if not term.without]
    # ts_rank, divided by the logarithm of the length: a long text says every word sometime.
    score = func.ts_rank(_text.c.words, reduce(func.tsquery_or, scored), 1) if scored else literal(1.0)
    return found.add_columns(cast(score, Float).label("score")).subquery()


def _holds(term: Term) -> ColumnElement[Any]:
    return func.tsquery_not(_phrase(term)) if term.without else _phrase(term)


def _phrase(term: Term) -> ColumnElement[Any]:
    return func.prefloop_phrase(literal(term.text, String), literal(term.prefix, Boolean))


def json_values(document: ColumnElement[Any], *path: str) -> TableValuedAlias:
    """Return the values at `path` as rows of one column `value`: those of a list, the one scalar, none if missing."""
    found: ColumnElement[Any] = func.prefloop_json(document, type_=JSONB)
    for step in path:
        found = found.op("->", return_type=JSONB())(literal(step, String))
    as_list = case((func.jsonb_typeof(found) == "array", found), (found.is_not(None), func.jsonb_build_array(found)))
    return func.jsonb_array_elements(as_list).table_valued(column("value", JSONB), joins_implicitly=True)


def text(value: ColumnElement[Any]) -> ColumnElement[str]:
    """Return such a value as text, compared byte by byte."""
    return value.op("#>>", return_type=String())(sql("'{}'")).collate("C")


def number(value: ColumnElement[Any]) -> ColumnElement[float]:
    """Return such a value if it is a number, else NULL."""
    return case((func.jsonb_typeof(value) == "number", cast(cast(value, Numeric), Float)))


def microseconds(time: ColumnElement[datetime]) -> ColumnElement[int]:
    """Return a time as microseconds since 1970."""
    return cast(extract("epoch", time) * 1_000_000, BigInteger)
