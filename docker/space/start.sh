#!/usr/bin/env bash
# Starts the embedded Argilla of a Space on its persistent storage, and stays until the Space stops or the server ends.
set -euo pipefail
data=${SPACE_DATA:-/data}
folder=$data/argilla

fail() {
  printf '\n%s\n' "$@" >&2
  exit 2
}

if [ ! -w "$data" ]; then
  fail "$data can't be written: this Space has no persistent storage. Give it some under Settings."
fi
# Without persistent storage /data is a folder of the image, on the same device as everything else.
if [ "$(stat -c %d "$data")" = "$(stat -c %d /)" ]; then
  if [ "${ALLOW_FORGETTING:-}" != yes ]; then
    fail "THIS SPACE HAS NO PERSISTENT STORAGE: every vote would be lost at its next restart." \
      "Give it some under Settings, or, to try things out, set the variable ALLOW_FORGETTING to yes."
  fi
  echo "WITHOUT PERSISTENT STORAGE: EVERY VOTE IS LOST AT THE NEXT RESTART" >&2
fi
password=${OWNER_PASSWORD:-} key=${OWNER_API_KEY:-}
if [ "${#password}" -lt 12 ] || [ "${#key}" -lt 32 ]; then
  fail "Set the secrets OWNER_PASSWORD (12 characters at least) and OWNER_API_KEY (32 at least) under Settings."
fi

if [ -f "$folder/argilla.db" ]; then
  mkdir -p -m 700 "$data/backups"
  prefloop server backup --folder "$folder" "$data/backups/argilla-$(date -u +%Y-%m-%dT%H-%M-%S).tar.gz"
  find "$data/backups" -name 'argilla-*.tar.gz' | sort -r | tail -n +8 | xargs -r rm --
fi

# The secrets are what counts, also where they were changed.
python - "$folder" <<'PYTHON'
import os
import sys
from dataclasses import asdict, replace
from pathlib import Path

from prefloop.collect.embedded.credentials import credentials_file, ensure_credentials
from prefloop.runs import write_json

folder = Path(sys.argv[1])
folder.mkdir(mode=0o700, exist_ok=True)
secrets = {"password": os.environ["OWNER_PASSWORD"], "api_key": os.environ["OWNER_API_KEY"]}
write_json(credentials_file(folder), asdict(replace(ensure_credentials(folder), **secrets)), mode=0o600)
PYTHON
unset OWNER_PASSWORD OWNER_API_KEY password key

stopping=
trap 'stopping=1' TERM INT
# The Space's proxy brings requests, with TLS taken off, to this port on all interfaces.
prefloop server start --folder "$folder" --host 0.0.0.0 --port "${SPACE_PORT:-7860}"
while [ -z "$stopping" ] && prefloop server status --folder "$folder" >/dev/null; do
  sleep "${PREFLOOP_WATCH_SECONDS:-10}" &
  wait $! || true
done
if [ -z "$stopping" ]; then
  echo "the server has ended; its last lines:" >&2
  prefloop server logs --folder "$folder" >&2
  exit 1
fi
prefloop server stop --folder "$folder"
