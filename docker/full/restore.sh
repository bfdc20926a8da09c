#!/usr/bin/env bash
# Puts a backup into a composed Argilla whose database is empty; the server must not have been started yet:
#   docker compose up -d --wait postgres && docker/full/restore.sh argilla-2026-11-21.dump [compose.lean.yaml]
# With Elasticsearch, then: docker compose up -d --wait && docker compose exec server python -m argilla_server search-engine reindex
set -euo pipefail
file=${1:?name the backup} compose=${2:-compose.yaml}
if [ ! -r "$file" ]; then
  echo "$file cannot be read" >&2
  exit 2
fi
inside() { docker compose -f "$compose" exec -T postgres "$@"; }
tables=$(inside psql --username=argilla --dbname=argilla --no-psqlrc --tuples-only --no-align \
  --command="SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = 'public'" </dev/null)
if [ "$tables" != 0 ]; then
  echo "the database has $tables tables already, which are not overwritten; restore into a new volume" >&2
  exit 2
fi
inside pg_restore --username=argilla --dbname=argilla --no-owner --no-privileges --exit-on-error --single-transaction <"$file"
echo "restored from $file"
