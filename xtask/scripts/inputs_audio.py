#!/usr/bin/env python3
"""Recordings to log-mel frames with torchaudio, for `cargo xtask bench --only audio` to set ours against.

    inputs_audio.py FOLDER PROCESSES

prints what `crates/audio/examples/inputs.rs` prints. Each process computes on one thread and has an
equal share of the files; the clock starts when all are ready. WAV files are loaded by torchaudio if
it has a decoder (2.11 has none without torchcodec), or else by soundfile, or else by the standard
library's `wave`, whichever is there first.
"""

import json
import sys
import time
import wave
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torchaudio.transforms import MelSpectrogram

WARM = 100


def loader():
    """The name of a decoder, and its function from a path to samples [1, N] and their rate."""
    try:
        import torchaudio
        import torchcodec  # noqa: F401

        return "torchcodec", torchaudio.load
    except (ImportError, RuntimeError):
        pass
    try:
        import soundfile

        def load(path):
            samples, rate = soundfile.read(path, dtype="float32")
            return torch.from_numpy(samples)[None], rate

        return "soundfile", load
    except ImportError:

        def load(path):
            with wave.open(str(path)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)
                return torch.from_numpy(samples)[None] / 32768, file.getframerate()

        return "wave", load


def work(paths, ready, go, results):
    torch.set_num_threads(1)
    _, load = loader()
    _, rate = load(paths[0])
    mel = MelSpectrogram(sample_rate=rate, n_fft=32 * rate // 1000, hop_length=rate // 100, n_mels=40)

    def read(paths):
        with torch.inference_mode():
            return [(mel(load(path)[0]) + 1e-6).log()[0].T for path in paths]

    read(paths[:WARM])
    ready.release()
    go.wait()
    samples = read(paths)
    done = time.perf_counter()
    results.put((done, len(samples), sum(len(x) for x in samples), sum(x.double().sum().item() for x in samples)))


def main():
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    paths = sorted(folder.glob("*.wav"))
    context = get_context("spawn")
    ready, go, results = context.Semaphore(0), context.Event(), context.Queue()
    workers = [context.Process(target=work, args=(paths[i::count], ready, go, results)) for i in range(count)]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    start = time.perf_counter()  # of the same clock in all processes
    go.set()
    done, files, frames, sums = zip(*(results.get() for _ in workers))
    for worker in workers:
        worker.join()
    print(
        json.dumps(
            {
                "files": sum(files),
                "frames": sum(frames),
                "threads": count,
                "sum": sum(sums),
                "seconds": max(done) - start,
                "decoder": loader()[0],
            }
        )
    )


if __name__ == "__main__":
    main()
