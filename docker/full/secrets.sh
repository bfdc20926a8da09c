#!/usr/bin/env bash
# Makes the secrets that compose.yaml names, once: random, in a folder (default: secrets) that only you may enter.
# The files themselves can be read by all, because each container reads them as another user.
set -euo pipefail
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"
for name in postgres_password auth_secret_key owner_password owner_api_key; do
  if [ -s "$folder/$name" ]; then
    echo "$folder/$name is kept" >&2
    continue
  fi
  # Letters and digits only: it stands in no URL, but in other people's scripts.
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$name"
  chmod 444 "$folder/$name"
  echo "$folder/$name is new" >&2
done
