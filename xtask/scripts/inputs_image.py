#!/usr/bin/env python3
"""Preparing pictures in Python, for `cargo xtask bench` to set ours against.

    inputs_image.py torchvision FOLDER SIZE WORKERS    decode_jpeg, and v2's Resize on tensors
    inputs_image.py pillow FOLDER SIZE WORKERS         Pillow, and v2's Resize on Pillow pictures

It does what `crates/image/examples/prepare.rs` does and prints what that prints. Its workers are
processes, as a DataLoader's are; they have started before the clock does.
"""

import json
import sys
import time
from multiprocessing import get_context
from pathlib import Path

import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg, read_file
from torchvision.transforms import v2

BATCH = 16
HALVES = [0.5, 0.5, 0.5]


def transform(size, first):
    scale = [v2.Resize(size, antialias=True), v2.CenterCrop(size)]
    normalise = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(HALVES, HALVES)]
    return v2.Compose(scale + first + normalise)


def torchvision(path):
    return decode_jpeg(read_file(str(path)), mode=ImageReadMode.RGB)


def pillow(path):
    return Image.open(path).convert("RGB")


READERS = {"torchvision": (torchvision, []), "pillow": (pillow, [v2.PILToTensor()])}


def prepare(how, size, files):
    read, first = READERS[how]
    make = transform(size, first)
    total = 0.0
    for start in range(0, len(files), BATCH):
        paths = files[start : start + BATCH]
        batch = torch.stack([make(read(path)) for path in paths])
        total += batch.mean().item() * len(paths)
    return total


def work(how, size, files, ready, go, sums):
    torch.set_num_threads(1)
    prepare(how, size, files[:BATCH])
    ready.put(None)
    go.wait()
    start = time.process_time()
    total = prepare(how, size, files)
    sums.put((total, time.process_time() - start))


def main(how, folder, size, workers):
    files = sorted(Path(folder).rglob("*.jpg"))
    context = get_context("fork")
    ready, go, sums = context.Queue(), context.Event(), context.Queue()
    processes = [
        context.Process(target=work, args=(how, size, files[i::workers], ready, go, sums))
        for i in range(workers)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        ready.get()
    start = time.perf_counter()
    go.set()
    parts = [sums.get() for _ in processes]
    seconds = time.perf_counter() - start
    total, cpu = (sum(part) for part in zip(*parts))
    for process in processes:
        process.join()
    result = {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "pictures": len(files),
        "mean": total / len(files),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    match sys.argv[1:]:
        case [how, folder, size, workers] if how in READERS:
            main(how, folder, int(size), int(workers))
        case _:
            sys.exit(__doc__)
