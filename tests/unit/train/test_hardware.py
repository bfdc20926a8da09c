"""What a training ran on is told in words that a card can show."""

import os

import torch
from prefloop.train.hardware import describe_hardware


def test_a_processor_is_named_with_its_cores() -> None:
    told = describe_hardware(torch.device("cpu"), 1)
    cores = len(os.sched_getaffinity(0))
    assert told.startswith(f"{cores} core")
    assert "(R)" not in told
    assert "  " not in told
    assert "processes" not in told


def test_several_processes_are_told() -> None:
    assert describe_hardware(torch.device("cpu"), 2).endswith(", 2 processes")
