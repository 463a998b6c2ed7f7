#!/usr/bin/env python3
"""Tokenising texts in Python, for `cargo xtask bench --only text` to set ours against.

    inputs_text.py MODEL FILE.tsv...

It calls transformers' tokenizer once with all texts of the first column, with truncation, padding and
tensors, and prints what `crates/text/examples/tokenize.rs` prints. It needs torch and transformers.
"""

import json
import statistics
import sys
import time

from transformers import AutoTokenizer
from transformers.utils import logging

TIMES = 5  # beside once to warm up
LONGEST = 256  # tokens


def main(model, *files):
    logging.set_verbosity_error()
    texts = [line.split("\t")[0] for file in files for line in open(file, encoding="utf-8").read().splitlines()]
    tokenizer = AutoTokenizer.from_pretrained(model)
    times = []
    for _ in range(TIMES + 1):
        start = time.perf_counter()
        batch = tokenizer(texts, truncation=True, max_length=LONGEST, padding=True, return_tensors="pt")
        times.append(time.perf_counter() - start)
    ids, mask = batch["input_ids"], batch["attention_mask"]
    result = {
        "shape": list(ids.shape),
        "tokens": mask.sum().item(),
        "sum": (ids * mask).sum().item(),
        "seconds": statistics.median(times[1:]),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
