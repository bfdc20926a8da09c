#!/usr/bin/env bash
# What one NVIDIA GPU does with prefloop and with plain TRL: LoRA and QLoRA steps on random weights in the shapes of
# Qwen2.5-1.5B and Llama-3.1-8B, as a Markdown table on stdout. Under ten minutes; no network.
#
#   bash benchmarks/gpu.sh [WHEELS] [--tiny] [--seconds N] [--only NAME]
#
# torch with CUDA is expected on the machine, for its python3 (or name another: PYTHON=…). What is missing beside it comes
# from WHEELS, a folder filled beforehand on a machine with a network and installed here into a folder of its own:
#
#   pip download --no-deps --only-binary=:all: --python-version 3.12 --platform manylinux_2_28_x86_64 -d WHEELS \
#     trl==1.16.* transformers peft accelerate datasets bitsandbytes tokenizers safetensors huggingface_hub \
#     pydantic pydantic_core annotated_types typing_inspection pyyaml rich typer httpx
#
# (and what pip says each of them lacks there). Every check is a process of its own with a time limit: whatever fails, the
# rows of the others are printed. Without a GPU, `--tiny` shows that the script itself works.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python3}
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT

if [[ $# -gt 0 && -d $1 ]]; then
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$1"/*.whl >&2
  shift
fi
# The package's root is the repository's, so a link is an installation.
ln -sfn "$root" "$site/prefloop"
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
export PREFLOOP_HOME=$site/home # a reference that an earlier call left would make the first run look faster
export HF_HUB_OFFLINE=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1

cd "$site" # at the repository's root, evaluate/ would shadow Hugging Face's
"$python" "$root/benchmarks/gpu.py" "$@"
