"""What a training runs on, in a few words for its record and the model card."""

import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def describe_hardware(device: "torch.device", processes: int) -> str:
    """Return what does the work: `2 x NVIDIA H200 (139.8 GiB each)`, or `2 cores of Intel Xeon 8481C`.

    Args:
        device: That this process trains on.
        processes: How many train together; taken to be alike.
    """
    if device.type == "cuda":
        import torch

        found = torch.cuda.get_device_properties(device)
        return f"{processes} x {found.name} ({found.total_memory / 2**30:.1f} GiB each)"
    if device.type != "cpu":
        return f"{processes} x {device.type} on {_processor()}"
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cores = os.cpu_count() or 1
    together = f", {processes} processes" if processes > 1 else ""
    return f"{cores} {'core' if cores == 1 else 'cores'} of {_processor()}{together}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), flags=re.M) if cpuinfo.exists() else None
    name = named[1] if named else platform.processor() or platform.machine()
    return " ".join(re.sub(r"\((?:R|TM|r|tm)\)|@.*|\bCPU\b", " ", name).split())
