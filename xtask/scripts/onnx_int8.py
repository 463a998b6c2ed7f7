#!/usr/bin/env python3
"""Quantise an exported classifier of sentences to 8 bits, and compare it with itself in 32 bits.

    crosstune-text export RUN --format onnx --out tuned
    python3 xtask/scripts/onnx_int8.py tuned dev.tsv

It needs onnx, onnxruntime, transformers and numpy. The table has a sentence and its label in each line, with
a tab between them. Weights are quantised by onnxruntime's own tool
(`quantize_dynamic`), each channel by itself; what flows through the graph is quantised as it comes. Both
models answer in batches of 32 of one length each, with as many threads as --threads says; the faster of
three passes counts.
"""

import argparse
import json
import time
from pathlib import Path

import numpy
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import AutoTokenizer

BATCH = 32


def batches(folder, labels, table, inputs):
    """What the model is fed, the shortest sentences first, and the numbers of the right classes."""
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [line.rsplit("\t", 1) for line in lines]
    classes = {label: at for at, label in enumerate(labels)}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows.sort(key=lambda row: len(row[0]))
    for at in range(0, len(rows), BATCH):
        chosen = rows[at : at + BATCH]
        texts = [text for text, _ in chosen]
        fed = tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="np")
        fed = {name: fed[name].astype(numpy.int64) for name in inputs}
        yield fed, numpy.array([classes[label] for _, label in chosen])


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    whole, small = args.folder / "model.onnx", args.folder / "model_int8.onnx"
    quantize_dynamic(whole, small, per_channel=True, weight_type=QuantType.QInt8)
    sessions = {path.name: session(path, args.threads) for path in (whole, small)}
    inputs = [value.name for value in sessions[whole.name].get_inputs()]
    # `config.json` is there only where transformers has a class for the model.
    labels = json.loads(sessions[whole.name].get_modelmeta().custom_metadata_map["labels"])
    fed = list(batches(args.folder, labels, args.table, inputs))
    seconds = dict.fromkeys(sessions, float("inf"))
    right = {}
    # In turns, so that what else the machine does falls on both.
    for _ in range(3):
        for name, model in sessions.items():
            start = time.perf_counter()
            answers = [model.run(["logits"], inputs)[0].argmax(1) for inputs, _ in fed]
            seconds[name] = min(seconds[name], time.perf_counter() - start)
            right[name] = sum(int((a == b).sum()) for a, (_, b) in zip(answers, fed))
    count = sum(len(classes) for _, classes in fed)
    for name in sessions:
        size = (args.folder / name).stat().st_size / 1e6
        speed = count / seconds[name]
        accuracy = 100 * right[name] / count
        print(f"{name}: accuracy {accuracy:.2f} %, {speed:.0f} sentences a second, {size:.1f} MB")


if __name__ == "__main__":
    main()
