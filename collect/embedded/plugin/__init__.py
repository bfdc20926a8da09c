"""What turns a stock argilla-server into one without Elasticsearch and Redis.

This folder runs inside the server's own environment, where prefloop is not installed: `launch.py` loads it there under
the name `prefloop_argilla`. It imports argilla_server and what that brings, nothing of prefloop.

    launch.py      sets the server's environment variables, then starts app.py
    stock.py       the same for a server that Argilla's own image starts
    app.py         puts the parts together and serves
    engine.py      the search engine: Argilla's SearchEngine interface over Argilla's own database
    conditions.py  filters as SQL        ordering.py  sorts as SQL        vectors.py  similarity, by brute force
    words.py       the text query language        dialect.py  which database this is, and what each must be able to do
    sqlite.py      everything that is SQLite's alone: full-text index, JSON, hashing        postgres.py  PostgreSQL's
    database.py    connection pools, and how many requests work at once
    jobs.py        background jobs in this process        events.py  webhook events only where somebody listens
    private.py     routes of our own, and which features they make        access.py  who may use them
    plan.py        what the lead wants of a queue        queueing.py  an annotator's queue that follows it
    leases.py      exact overlap        privacy.py  what annotators must not learn
    bulk.py        many records in at once        changes.py  records and responses out, only what is new
    forms.py       a question's settings, read once        statuses.py  a record's status, written where it changes
    owner.py       tables and the owner's account
"""
