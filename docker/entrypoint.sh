#!/usr/bin/env bash
# What the container runs: `prefloop …`. A server stays in the foreground, since a container lives as long as its first process.
set -euo pipefail

# A volume on $PREFLOOP_HOME hides what the image was built with: the server's environment, made at build time, is linked in.
if [ -n "${PREFLOOP_BUILT:-}" ] && [ ! -e "$PREFLOOP_HOME/server-env" ]; then
  mkdir -p "$PREFLOOP_HOME"
  ln -sfn "$PREFLOOP_BUILT/server-env" "$PREFLOOP_HOME/server-env"
fi

if [ "${1:-} ${2:-}" != "server start" ]; then
  exec prefloop "$@"
fi
for argument in "${@:3}"; do
  if [ "$argument" = --help ]; then exec prefloop "$@"; fi
done

# Other verbs must find the same folder again: what `server start` was told of it, status and stop are told too.
folder=()
for ((index = 3; index <= $#; index++)); do
  if [ "${!index}" = --folder ]; then next=$((index + 1)); folder=(--folder "${!next:-}"); fi
done

stopping=
trap 'stopping=1' TERM INT
# All interfaces, since a container's loopback can't be published; which of the host's is `docker run -p`'s business.
prefloop server start --host 0.0.0.0 --port 6900 "${@:3}"
while [ -z "$stopping" ] && prefloop server status "${folder[@]}" >/dev/null; do
  sleep "${PREFLOOP_WATCH_SECONDS:-10}" &
  wait $! || true
done
if [ -z "$stopping" ]; then
  echo "the server has ended; its last lines:" >&2
  prefloop server logs "${folder[@]}" >&2
  exit 1
fi
prefloop server stop "${folder[@]}"
