#!/usr/bin/env python3
"""Loading checkpoints in Python, for `cargo xtask bench` to set ours against.

    load.py make zip FILE                    a checkpoint of 50 f32 tensors, 500 MB; or `legacy`
    load.py safetensors FILE SHARE open      safetensors.torch.load_file
    load.py torch FILE SHARE sum             torch.load(weights_only=True); `mmap` has mmap=True too

The second and third print what `crates/core/examples/load.rs` prints, counted in the same way: the
first SHARE of the tensors in the order of their names are handed over, and with `sum` each is added
up. What Python reads beyond those is Python's to answer for, as a program cannot help it.
"""

import json
import math
import sys
import time

import safetensors.torch
import torch

COUNT, ELEMENTS = 50, 2_500_000


def make(form, path):
    torch.manual_seed(0)
    tensors = {f"blocks.{i:02}.weight": torch.rand(ELEMENTS // 1000, 1000) for i in range(COUNT)}
    torch.save(tensors, path, _use_new_zipfile_serialization=form == "zip")


LOADERS = {
    "safetensors": safetensors.torch.load_file,
    "torch": lambda path: torch.load(path, weights_only=True),
    "mmap": lambda path: torch.load(path, weights_only=True, mmap=True),
}


def memory(field):
    """A figure of this process in bytes, as Linux keeps it."""
    for line in open("/proc/self/status"):
        if line.startswith(field):
            return 1024 * int(line.split()[1])
    sys.exit(f"no {field} in /proc/self/status")


def load(how, path, share, work):
    torch.zeros(1 << 20).sum()  # starts the threads
    before = memory("VmRSS:"), memory("RssAnon:")

    start = time.perf_counter()
    checkpoint = LOADERS[how](path)
    names = sorted(checkpoint)[: math.ceil(share * len(checkpoint))]
    total = 0.0
    tensors = []
    for name in names:
        tensor = checkpoint[name]
        if work == "sum":
            total += tensor.sum().item()
        tensors.append(tensor)
    seconds = time.perf_counter() - start

    result = {
        "seconds": seconds,
        "tensors": len(tensors),
        "bytes": sum(t.numel() * t.element_size() for t in tensors),
        "sum": total,
        "threads": torch.get_num_threads(),
        "peak_growth_bytes": memory("VmHWM:") - before[0],
        "own_growth_bytes": memory("RssAnon:") - before[1],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", ("zip" | "legacy") as form, path]:
            make(form, path)
        case [how, path, share, ("open" | "sum") as work] if how in LOADERS:
            load(how, path, float(share), work)
        case _:
            sys.exit(__doc__)
