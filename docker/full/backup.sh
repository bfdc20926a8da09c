#!/usr/bin/env bash
# Writes everything in a composed Argilla's database into one file, while it runs:
#   docker/full/backup.sh argilla-2026-11-21.dump [compose.lean.yaml]
# Elasticsearch and Redis hold nothing that can't be made from it. The secrets folder is yours to keep beside it.
set -euo pipefail
file=${1:?name the file to write} compose=${2:-compose.yaml}
if [ -e "$file" ]; then
  echo "$file exists and is not overwritten" >&2
  exit 2
fi
umask 077
trap 'rm -f "$file.part"' EXIT
docker compose -f "$compose" exec -T postgres \
  pg_dump --username=argilla --format=custom --no-owner --no-privileges argilla >"$file.part"
mv "$file.part" "$file"
echo "backed up to $file"
