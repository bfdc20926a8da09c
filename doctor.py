"""What this machine can do, what it can't, and how to mend that. Looks only: nothing is installed or changed."""

import importlib.metadata as metadata
import netrc
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from packaging.requirements import Requirement

from .collect.embedded import server_status
from .collect.embedded.environment import REQUIREMENTS, environment_name
from .home import home
from .models import SMALL_MODEL, small_model_folder

Status = Literal["ok", "warn", "fail", "unknown"]
PYTHON = ((3, 11), (3, 14))
"""The first version that works and the first that may not."""
EXTRAS = ("collect", "train", "qlora", "evaluate", "wandb")
TIMEOUT = 2.0
"""Seconds that one look at the network may take."""
DISK_GB, MEMORY_GB = 10.0, 8.0
"""What the demo needs with room to spare, in GiB: its packages, server, model and checkpoints; its training."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    status: Status
    found: str
    fix: str = ""
    """What to do about it; empty where there is nothing to do."""


def examine(runs: Path = Path("runs")) -> list[Finding]:
    """Look at everything a run may need, in a few seconds; what would wait for the network is asked at the same time.

    Args:
        runs: the folder that run folders are made in, for the free disk space.
    """
    asked: Sequence[Callable[[], Finding]] = (_hub, _argilla)
    with ThreadPoolExecutor(len(asked)) as pool:
        waiting = [pool.submit(ask) for ask in asked]
        local = [
            _python(sys.version_info[:3]),
            *_packages(),
            *_accelerator(),
            _processor(),
            _memory(),
            *_disks(runs),
            _small_model(),
            _server_environment(),
            _login(),
            _tracking(),
        ]
        return [*local, *(answer.result() for answer in waiting)]


def _python(version: tuple[int, ...]) -> Finding:
    found = f"{'.'.join(map(str, version))} ({sys.executable})"
    if PYTHON[0] <= version[:2] < PYTHON[1]:
        return Finding("Python", "ok", found)
    return Finding("Python", "fail", found, "prefloop needs Python 3.11, 3.12 or 3.13: make a new environment with one")


def _packages() -> list[Finding]:
    requirements = [Requirement(line) for line in metadata.requires("prefloop") or ()]
    base = [requirement for requirement in requirements if requirement.marker is None]
    return [_group("packages", base), *(_group(f"extra {extra}", _of_extra(requirements, extra)) for extra in EXTRAS)]


def _of_extra(requirements: Sequence[Requirement], extra: str) -> list[Requirement]:
    chosen = [row for row in requirements if row.marker and row.marker.evaluate({"extra": extra})]
    return [row for row in chosen if row.name != "prefloop"]


def _group(name: str, requirements: Sequence[Requirement]) -> Finding:
    """Say which packages of one extra are missing or of another version than prefloop is made for."""
    versions = {row.name: _version(row.name) for row in requirements}
    missing = sorted(package for package, version in versions.items() if version is None)
    wrong = [
        f"{row.name} {version} (needs {row.specifier})"
        for row in requirements
        if (version := versions[row.name]) is not None and not row.specifier.contains(version, prereleases=True)
    ]
    extra = name.removeprefix("extra ")
    install = 'pip install "prefloop"' if extra == name else f'pip install "prefloop[{extra}]"'
    if wrong:
        return Finding(name, "fail", f"another version: {', '.join(wrong)}", install)
    if len(missing) == len(requirements):
        return Finding(name, "warn", "not installed", install)
    if missing:
        return Finding(name, "fail", f"missing: {', '.join(missing)}", install)
    listed = ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))
    return Finding(name, "ok", listed)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _accelerator() -> list[Finding]:
    if _version("torch") is None:
        return [
            Finding("torch", "warn", "not installed: no training or evaluation here", 'pip install "prefloop[train]"')
        ]
    try:
        import torch
    except (ImportError, OSError) as error:
        # A build for another system or CUDA fails here, at the first import, with a linker's message.
        reason = str(error).strip().splitlines()[-1][:120]
        return [Finding("torch", "fail", f"installed, but does not load: {reason}", "reinstall torch for this machine")]
    if torch.cuda.is_available():
        return [_gpu(index) for index in range(torch.cuda.device_count())] + [_four_bit("cuda")]
    if torch.backends.mps.is_available():
        return [Finding("torch", "ok", f"{torch.__version__}, Apple GPU (mps)"), _four_bit("mps")]
    return [_cpu_arithmetic(), _four_bit("cpu")]


def _gpu(index: int) -> Finding:
    import torch

    free, total = torch.cuda.mem_get_info(index)
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    found = f"{torch.__version__}, {torch.cuda.get_device_name(index)}, {memory}, bf16 {'yes' if bf16 else 'no'}"
    return Finding(
        f"GPU {index}", "ok" if bf16 else "warn", found, "" if bf16 else "train with dtype float32 on this GPU"
    )


def _cpu_arithmetic() -> Finding:
    """Say whether the processor multiplies bf16 in hardware: the flags that Linux names, x86 and Arm."""
    version, cpuinfo = metadata.version("torch"), Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return Finding("torch", "unknown", f"{version}, no GPU; whether this CPU has fast bf16 is not known here")
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), flags=re.M)
    fast = sorted({"amx_bf16", "avx512_bf16", "bf16"} & set(flags[1].split() if flags else ()))
    if fast:
        return Finding("torch", "ok", f"{version}, no GPU, fast bf16 on the CPU ({', '.join(fast)})")
    found = f"{version}, no GPU, no fast bf16 on this CPU"
    return Finding("torch", "warn", found, "expect the demo to take several times longer, or use a machine with a GPU")


def _four_bit(device: Literal["cuda", "mps", "cpu"]) -> Finding:
    """Say whether QLoRA can run. The library is looked for, not loaded: loading takes seconds and prints."""
    name, version = "4-bit", _version("bitsandbytes")
    if version is None:
        return Finding(name, "warn", "bitsandbytes is not installed: no QLoRA", 'pip install "prefloop[qlora]"')
    files = [file.name for file in metadata.files("bitsandbytes") or () if file.name.startswith("libbitsandbytes_")]
    if not any(file.startswith(f"libbitsandbytes_{device}") for file in files):
        return Finding(name, "warn", f"bitsandbytes {version} has no library for {device}", "train without 4-bit here")
    return Finding(name, "ok", f"bitsandbytes {version} for {device}{', slow' if device == 'cpu' else ''}")


def _processor() -> Finding:
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cores = os.cpu_count() or 1
    found = f"{cores} cores, {platform.machine()}, {platform.system()}"
    if cores < 2:
        return Finding("processor", "warn", found, "the demo is measured with two cores; expect twice the time")
    return Finding("processor", "ok", found)


def _memory() -> Finding:
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    found, free = f"{total:.1f} GiB", total
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        available = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), flags=re.M)
        if available:
            free = int(available[1]) / 2**20
            found = f"{free:.1f} of {total:.1f} GiB free"
    if free < MEMORY_GB:
        fix = f"training the small model wants {MEMORY_GB:.0f} GiB: close something, or lower train.batch_size"
        return Finding("memory", "warn", found, fix)
    return Finding("memory", "ok", found)


def _disks(runs: Path) -> list[Finding]:
    places = {"disk for runs": runs.absolute(), "disk for models and the server": home()}
    return [_disk(name, path) for name, path in places.items()]


def _disk(name: str, path: Path) -> Finding:
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free / 2**30
    found = f"{free:.1f} GiB free at {path}"
    if not os.access(there, os.W_OK):
        return Finding(name, "fail", f"{found}, not writable", f"make {there} writable, or choose another folder")
    if free < DISK_GB:
        return Finding(name, "warn", found, f"the demo with everything it installs wants {DISK_GB:.0f} GiB")
    return Finding(name, "ok", found)


def _small_model() -> Finding:
    hub = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser() / "hub"
    snapshots = hub / f"models--{SMALL_MODEL.replace('/', '--')}" / "snapshots"
    if (small_model_folder() / "prefloop.json").exists():
        return Finding("small model", "ok", f"{SMALL_MODEL} is at {small_model_folder()}")
    if any(snapshots.glob("*/config.json")):
        return Finding("small model", "ok", f"{SMALL_MODEL} is in the Hub's cache")
    return Finding(
        "small model", "warn", "not here yet", "the first run fetches it (270 MB), from the Hub or a package"
    )


def _server_environment() -> Finding:
    name, lock = "Argilla's environment", REQUIREMENTS.read_text(encoding="utf-8")
    folder = home() / "server-env" / environment_name(lock)
    if (folder / ".complete").exists():
        return Finding(name, "ok", f"made, in {folder}")
    return Finding(name, "warn", "not made yet", "the first start makes it, in one to two minutes of downloads")


def _hub() -> Finding:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}:
        return Finding("Hugging Face Hub", "warn", "not asked: HF_HUB_OFFLINE is set", "unset it to fetch models")
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        answer = httpx.head(f"{address}/api/models", timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = "only needed for models and data from the Hub; behind a proxy, set HTTPS_PROXY or HF_ENDPOINT"
        return Finding("Hugging Face Hub", "warn", f"{address} can't be reached ({type(error).__name__})", fix)
    if answer.status_code < 400:
        return Finding("Hugging Face Hub", "ok", f"{address} answers")
    return Finding("Hugging Face Hub", "warn", f"{address} answers with HTTP {answer.status_code}", "check HF_ENDPOINT")


def _login() -> Finding:
    folder = Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()
    file = Path(os.environ.get("HF_TOKEN_PATH") or folder / "token").expanduser()
    if os.environ.get("HF_TOKEN"):
        return Finding("Hub login", "ok", "a token is in HF_TOKEN")
    if file.is_file():
        return Finding("Hub login", "ok", f"a token is in {file}")
    return Finding("Hub login", "warn", "no token", "only needed to push, and for gated models: hf auth login")


def _argilla() -> Finding:
    address, key = os.environ.get("ARGILLA_API_URL"), os.environ.get("ARGILLA_API_KEY")
    if not address:
        return _embedded()
    if not key:
        return Finding(
            "Argilla", "fail", f"{address}, but ARGILLA_API_KEY is not set", "copy the key from Argilla's user page"
        )
    try:
        answer = httpx.get(f"{address.rstrip('/')}/api/v1/me", headers={"X-Argilla-Api-Key": key}, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = "start it, or correct ARGILLA_API_URL"
        return Finding("Argilla", "fail", f"{address} can't be reached ({type(error).__name__})", fix)
    if answer.status_code == 401:
        return Finding(
            "Argilla", "fail", f"{address} refuses the key", "copy ARGILLA_API_KEY anew from Argilla's user page"
        )
    if answer.status_code != 200:
        fix = "is this the address of an Argilla 2 server?"
        return Finding("Argilla", "fail", f"{address} answers with HTTP {answer.status_code}", fix)
    return _argilla_user(address, answer)


def _embedded() -> Finding:
    status = server_status(home() / "argilla")
    if not status.running:
        return Finding(
            "Argilla", "ok", "no server runs; the demo starts its own, and `prefloop server start` one that stays"
        )
    if status.version is None:
        return Finding(
            "Argilla", "fail", f"the server of {status.folder} does not answer", "look at: prefloop server logs"
        )
    kept = f"{status.datasets} datasets, {status.records} records, {status.responses} responses"
    return Finding("Argilla", "ok", f"argilla-server {status.version} at {status.url}: {kept}")


def _argilla_user(address: str, answer: httpx.Response) -> Finding:
    try:
        user = answer.json()
        found = f"{address}, as {user['username']} ({user['role']})"
    except (ValueError, KeyError, TypeError):
        return Finding("Argilla", "fail", f"{address} is no Argilla server", "correct ARGILLA_API_URL")
    if user["role"] != "owner":
        return Finding("Argilla", "fail", found, "pulling everybody's votes takes the key of an owner")
    return Finding("Argilla", "ok", found)


def _tracking() -> Finding:
    version = _version("wandb")
    if version is None:
        return Finding("W&B", "ok", "not installed: runs are tracked in files")
    key = bool(os.environ.get("WANDB_API_KEY")) or _netrc_has("api.wandb.ai")
    return Finding("W&B", "ok", f"wandb {version}, {'key present' if key else 'no key: runs are tracked offline'}")


def _netrc_has(host: str) -> bool:
    path = Path(os.environ.get("NETRC") or "~/.netrc").expanduser()
    try:
        return host in netrc.netrc(path).hosts
    except (OSError, netrc.NetrcParseError):
        return False
