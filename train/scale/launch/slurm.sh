#!/bin/bash
# One recipe on several nodes under Slurm:  sbatch slurm.sh recipe.yaml ddp.yaml
# Checked with `bash -n` and shellcheck; never run on a cluster.
#
# Recipe, run folder, ~/.prefloop and the Hugging Face cache must lie on a file system that all nodes share.
#SBATCH --job-name=prefloop
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=12:00:00
#SBATCH --output=prefloop-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
# Three minutes before the time is up, this script (B) gets a SIGTERM: the training keeps its step, and is queued again.
#SBATCH --signal=B:TERM@180

set -euo pipefail

export RECIPE="${1:?the recipe}" CONFIG="${2:?ddp.yaml or fsdp2.yaml, from prefloop launch}"
export GPUS="${SLURM_GPUS_ON_NODE:-8}" NODES="$SLURM_NNODES" PORT="${PORT:-29500}"
HEAD="$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)"
export HEAD

# Expanded on each node, for its own SLURM_NODEID.
# shellcheck disable=SC2016
srun --kill-on-bad-exit=1 bash -c '
  exec accelerate launch --config_file "$CONFIG" \
    --num_machines "$NODES" --num_processes "$((NODES * GPUS))" --machine_rank "$SLURM_NODEID" \
    --main_process_ip "$HEAD" --main_process_port "$PORT" \
    "$(which prefloop)" train "$RECIPE" --processes "$((NODES * GPUS))"
' &
step=$!

stopped=no
trap 'stopped=yes; kill -TERM "$step"' TERM
code=0
wait "$step" || code=$?
if [ "$stopped" = yes ]; then
  wait "$step" || true # the first wait ended with the signal, not with the training
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
