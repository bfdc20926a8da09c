#!/usr/bin/env bash
# Installs prefloop and the Argilla server's own environment below a folder:  install.sh /opt/prefloop
# Expects the source in <folder>/source. TORCH_INDEX: the package index to take torch from, if not pip's own.
set -euo pipefail
folder=$1
source=$folder/source

suitable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }

# CUDA base images bring no Python.
if ! suitable python3; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates
  rm -rf /var/lib/apt/lists/*
  suitable python3 || { echo "this base image has no Python 3.11 to 3.13, and its packages neither: choose another BASE" >&2; exit 1; }
fi

python3 -m venv "$folder/venv"
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
"$folder/venv/bin/pip" install -c "$source/constraints.txt" ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
"$folder/venv/bin/pip" install -c "$source/constraints.txt" "$source[all]"

# From another folder than the source, whose evaluate/ would stand before Hugging Face's.
cd /
PREFLOOP_HOME=$folder/home "$folder/venv/bin/python" -c \
  'import sys; from prefloop.collect.embedded.environment import ensure_environment; ensure_environment(lambda line: print(line, file=sys.stderr))'
