#!/usr/bin/env python3
"""The same fine-tuning jobs in Python, for `cargo xtask bench` to set our binaries against.

    peer.py --job image --weights MINILM --data cifar10 --out result.json
    peer.py --job audio --weights MINILM --data fsdd    --out result.json --evaluate
    peer.py --job text  --weights MINILM --data train.tsv --eval-data dev.tsv --out result.json

It needs torch, transformers (5.x) and, by job, Pillow (image) or torchaudio (audio). MINILM is a
directory in Hugging Face layout: config.json, model.safetensors, tokenizer files.

A pretrained BERT encoder becomes the trunk of a classifier of another modality:

    image   32 x 32 colour, 4 x 4 patches -> Linear(48, width) + positions -> encoder -> mean -> head
    audio   8 kHz, log-mel of 64 frames x 40 bands -> Linear(40, width) + positions -> the same
    text    token ids, attention mask -> embeddings -> encoder -> mean over the mask -> head

The trunk is the encoder; the embedder (BERT's own for text) and the head train under any --freeze.
Training is AdamW (fused), linear warm-up over a tenth of the steps, then cosine, and gradients
clipped at norm 1. --steps shortens the training and its schedule with it. --autocast computes in bf16
where torch.autocast does, --compile runs the model through torch.compile. Under torchrun, each process
takes batches of its own, by DistributedDataParallel over Gloo.

Data: image, a folder per class in train/ and test/. Audio, a flat folder of
`<digit>_<speaker>_<index>.wav` where indices 0 to 4 are the test set. Text, lines of
`sentence<TAB>label` without a header.

The result is one JSON object. `first_batch_s` and `first_step_s` count from the start of the
process (or from --started-at), imports and loading included, a compiler's work in the first steps. Step times are wall times from one
step's end to the next, data included, without the first --warmup-steps; memory is this process's.
"""

import argparse
import itertools
import json
import os
import random
import resource
import statistics
import time
import wave
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler
from transformers import AutoTokenizer, BertModel, get_cosine_schedule_with_warmup
from transformers.utils import logging

# torchrun's variables.
PROCESSES, RANK = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))

IMAGE_SIDE, PATCH = 32, 4
RATE, BANDS, FRAMES, N_FFT, HOP = 8000, 40, 64, 256, 80


def age():
    """Seconds since the kernel created this process."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # after boot; field 22 counted from 1
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


# ------------------------------------------------------------------ models


class CrossModal(nn.Module):
    """Vectors [B, T, features] through a fresh projection into a pretrained encoder."""

    def __init__(self, encoder, features, length, width, classes):
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.02)
        self.encoder = encoder
        self.head = nn.Linear(width, classes)

    def forward(self, vectors):
        hidden = self.encoder(self.embed(vectors) + self.positions).last_hidden_state
        return self.head(hidden.mean(dim=1))


class Text(nn.Module):
    """Token ids [B, T] and their mask through a whole pretrained BERT."""

    def __init__(self, bert, width, classes):
        super().__init__()
        self.bert = bert
        self.head = nn.Linear(width, classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return self.head((hidden * mask).sum(dim=1) / mask.sum(dim=1))


def build(args, classes):
    options = {"add_pooling_layer": False, "attn_implementation": "sdpa", "dtype": torch.float32}
    if args.dropout is not None:
        options |= {"hidden_dropout_prob": args.dropout, "attention_probs_dropout_prob": args.dropout}
    bert = BertModel.from_pretrained(args.weights, **options)
    trunk, width = bert.encoder, bert.config.hidden_size
    if args.freeze != "nothing":
        trunk.requires_grad_(False)
    if args.freeze == "trunk-but-norms":
        for module in trunk.modules():
            if isinstance(module, nn.LayerNorm):
                module.requires_grad_(True)
    if args.job == "image":
        return CrossModal(trunk, 3 * PATCH**2, (IMAGE_SIDE // PATCH) ** 2, width, classes)
    if args.job == "audio":
        return CrossModal(trunk, BANDS, FRAMES, width, classes)
    return Text(bert, width, classes)


# ------------------------------------------------------------------ data: (samples, labels), collate


def images(args):
    """Pairs (path, label), decoded as batches are made."""
    import numpy as np
    from PIL import Image

    root = Path(args.data)
    classes = sorted(folder.name for folder in (root / "train").iterdir() if folder.is_dir())

    def split(name):
        folders = enumerate(root / name / c for c in classes)
        return [(path, label) for label, folder in folders for path in sorted(folder.iterdir())]

    def collate(pairs):
        pixels = np.stack([np.asarray(Image.open(path).convert("RGB")) for path, _ in pairs])
        x = torch.from_numpy(pixels).float() / 127.5 - 1  # [B, H, W, C]
        n = IMAGE_SIDE // PATCH
        x = x.view(-1, n, PATCH, n, PATCH, 3).transpose(2, 3).reshape(-1, n * n, 3 * PATCH**2)
        return {"vectors": x}, torch.tensor([label for _, label in pairs])

    return limit(split("train"), args), split("test"), collate, len(classes)


def clips(args):
    """Pairs (log-mel, label): small enough to be computed once, ahead."""
    from torchaudio.transforms import MelSpectrogram

    mel = MelSpectrogram(sample_rate=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS)

    def read(path):
        with wave.open(str(path), "rb") as file:
            pcm = torch.frombuffer(bytearray(file.readframes((FRAMES - 1) * HOP)), dtype=torch.int16)
        return nn.functional.pad(pcm.float() / 32768, (0, (FRAMES - 1) * HOP - len(pcm)))

    @torch.inference_mode()
    def features(paths):
        parts = [torch.stack([read(p) for p in paths[i : i + 256]]) for i in range(0, len(paths), 256)]
        return torch.cat([(mel(part) + 1e-6).log().transpose(1, 2) for part in parts])  # [N, T, BANDS]

    train, test = [], []
    for path in sorted(Path(args.data).glob("*.wav")):
        label, _, index = path.stem.split("_")
        (test if int(index) < 5 else train).append((path, int(label)))

    paths, labels = zip(*limit(train, args))
    x = features(paths)
    mean, std = x.mean(), x.std()
    train = list(zip((x - mean) / std, labels))
    if args.evaluate:
        paths, labels = zip(*test)
        test = list(zip((features(paths) - mean) / std, labels))

    def collate(pairs):
        return {"vectors": torch.stack([x for x, _ in pairs])}, torch.tensor([y for _, y in pairs])

    return train, test, collate, 10


def sentences(args):
    """Pairs (sentence, label), tokenised as batches are made, padded to the longest of a batch."""
    tokenizer = AutoTokenizer.from_pretrained(args.weights)

    def read(path):
        return [line.rsplit("\t", 1) for line in Path(path).read_text("utf-8").split("\n") if line]

    train, test = limit(read(args.data), args), read(args.eval_data) if args.eval_data else []
    index = {label: i for i, label in enumerate(sorted({label for _, label in train}))}

    def collate(pairs):
        texts, labels = zip(*pairs)
        size = {"padding": True, "truncation": True, "max_length": args.max_length}
        tokens = tokenizer(list(texts), return_tensors="pt", **size)
        inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        return inputs, torch.tensor([index[label] for label in labels])

    return train, test, collate, len(index)


def limit(pairs, args):
    """At most --limit-per-class pairs a class, chosen by the seed."""
    if not args.limit_per_class:
        return pairs
    by_class = defaultdict(list)
    for pair in random.Random(args.seed).sample(pairs, len(pairs)):
        by_class[pair[1]].append(pair)
    return [pair for label in sorted(by_class) for pair in by_class[label][: args.limit_per_class]]


# ------------------------------------------------------------------ training


@torch.inference_mode()
def accuracy(model, loader):
    model.eval()
    right = sum((model(**x).argmax(dim=1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


def run(args):
    since = age if args.started_at is None else lambda: time.time() - args.started_at
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)

    train, test, collate, classes = {"image": images, "audio": clips, "text": sentences}[args.job](args)
    workers = {"num_workers": args.workers, "persistent_workers": args.workers > 0}
    sampler = None
    if PROCESSES > 1:
        torch.distributed.init_process_group("gloo")
        sampler = DistributedSampler(train)
    order = {"shuffle": sampler is None, "sampler": sampler}
    batches = DataLoader(train, args.batch, collate_fn=collate, **order, **workers)
    model = build(args, classes).train()
    if PROCESSES > 1:
        model = DistributedDataParallel(model)
    trainable = [p for p in model.parameters() if p.requires_grad]
    steps = args.epochs * len(batches)
    steps = min(steps, args.steps) if args.steps else steps

    optimizer = torch.optim.AdamW(trainable, lr=args.lr, weight_decay=0.01, fused=True)
    schedule = get_cosine_schedule_with_warmup(optimizer, round(0.1 * steps), steps)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))

    result = {name: getattr(args, name) for name in ("job", "freeze", "batch", "workers", "compile", "autocast")}
    forward = torch.compile(model) if args.compile else model
    times, losses, last = [], [], time.perf_counter()
    for step, (x, y) in zip(range(steps), endless):
        if step == 0:
            result["first_batch_s"] = since()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.autocast):
            loss = nn.functional.cross_entropy(forward(**x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        now = time.perf_counter()
        times.append(now - last)
        last = now
        if step == 0:
            result["first_step_s"] = since()

    skipped = min(args.warmup_steps, len(times) - 1)
    result |= {
        "step_median_s": statistics.median(times[skipped:]),
        "step_mean_s": statistics.fmean(times[skipped:]),
        "steps": steps,
        "train_s": sum(times),
        "loss_first": losses[0],
        "loss_last_ten": statistics.fmean(losses[-10:]),
        "train_samples": len(train),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in trainable),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    if args.evaluate:
        result["test_samples"] = len(test)
        result["accuracy"] = accuracy(model, DataLoader(test, 64, collate_fn=collate))
    return result | {"total_s": since()}


def main():
    parser = argparse.ArgumentParser(description="Fine-tune MiniLM on a modality, and time it.")
    add = parser.add_argument
    add("--job", required=True, choices=["image", "audio", "text"])
    add("--weights", required=True, help="a directory in Hugging Face layout")
    add("--data", required=True, help="a folder (image, audio) or a TSV file (text)")
    add("--eval-data", help="text: the TSV file to test on")
    add("--out", help="where the JSON goes; standard output where absent")
    add("--freeze", default="nothing", choices=["nothing", "trunk", "trunk-but-norms"])
    add("--epochs", type=int, default=1)
    add("--steps", type=int, help="stop after so many")
    add("--batch", type=int, default=16)
    add("--lr", type=float, default=3e-4)
    add("--dropout", type=float, help="instead of the config's")
    add("--max-length", type=int, default=128, help="text: tokens a sentence at most")
    add("--limit-per-class", type=int, help="train on so many of each class")
    add("--seed", type=int, default=0)
    add("--threads", type=int, help="torch's own choice where absent")
    add("--workers", type=int, default=0, help="processes that make batches")
    add("--warmup-steps", type=int, default=3, help="left out of the step times")
    add("--compile", action="store_true", help="torch.compile the model")
    add("--autocast", action="store_true", help="autocast to bf16")
    add("--evaluate", action="store_true", help="accuracy on the test set afterwards")
    add("--started-at", type=float, help="Unix seconds to count from instead of the process's start")
    args = parser.parse_args()
    if args.evaluate and args.job == "text" and not args.eval_data:
        parser.error("--evaluate needs --eval-data for text")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    text = json.dumps(run(args), indent=2)
    if RANK > 0:
        return
    Path(args.out).write_text(text + "\n") if args.out else print(text)


if __name__ == "__main__":
    main()
