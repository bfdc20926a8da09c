#!/usr/bin/env bash
# Runs a command with secrets from files: for every NAME_FILE in the environment, NAME is what that file holds.
# So no secret stands in compose.yaml or in what `docker inspect` shows.
set -euo pipefail
for variable in PGPASSWORD ARGILLA_AUTH_SECRET_KEY PASSWORD API_KEY; do
  file=${variable}_FILE
  if [ -n "${!file:-}" ]; then
    if [ ! -r "${!file}" ]; then
      echo "$file names ${!file}, which cannot be read: run docker/full/secrets.sh first" >&2
      exit 2
    fi
    export "$variable=$(<"${!file}")"
  fi
done
exec "$@"
