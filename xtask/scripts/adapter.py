#!/usr/bin/env python3
"""Open an adapter with PEFT: it must give the logits of the same run's TorchScript export.

    crosstune-text export RUN --format peft --out adapter
    crosstune-text export RUN --format torchscript --out tuned.pt
    python3 xtask/scripts/adapter.py adapter tuned.pt

It needs torch 2.11, transformers 5 and peft 0.21. The base is the one that the adapter names, or
--base; it is opened with the Auto class of its kind and the classes of the adapter's config.json.
Inputs are those of export.py. The largest difference must be at most 1e-5; the base without the
adapter must differ by more than ten times that, and the adapter merged by PEFT must not.
"""

import argparse
import sys
from pathlib import Path

import peft
import torch
import transformers

from export import AUTO, TOLERANCE, compare, speech


def base_model(folder, base):
    """The pretrained model with a fresh head for the classes of the adapter."""
    config = transformers.AutoConfig.from_pretrained(folder)
    name = config.architectures[0]
    kind = "AudioClassification" if speech(config) else name.split("For")[1].removesuffix("WithTeacher")
    fields = {"id2label": config.id2label, "label2id": config.label2id}
    if kind == "SequenceClassification":
        fields["pad_token_id"] = config.pad_token_id  # GPT-2 is published without
    model = AUTO[kind].from_pretrained(base, ignore_mismatched_sizes=True, **fields)
    assert type(model).__name__ == name, f"{type(model).__name__}, not {name}"
    return model.eval()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="what export wrote as peft")
    parser.add_argument("torchscript", type=Path, help="what export wrote as torchscript")
    parser.add_argument("--base", help="the pretrained model, if it is no longer where it was")
    parser.add_argument("--length", type=int, help="samples of a waveform")
    args = parser.parse_args()

    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    config = peft.PeftConfig.from_pretrained(args.folder)
    model = base_model(args.folder, args.base or config.base_model_name_or_path)
    traced = torch.jit.load(args.torchscript)
    model = peft.PeftModel.from_pretrained(model, args.folder).eval()
    layers = [name for name, _ in model.named_modules() if name.endswith(".lora_A.default")]
    print(f"{type(model).__name__}: {len(layers)} adapters")
    with torch.no_grad():
        worst = compare(model, traced, args.folder, args.length)
        with model.disable_adapter():
            without = compare(model, traced, args.folder, args.length)
        merged = compare(model.merge_and_unload(), traced, args.folder, args.length)
    print(f"at most {worst:.1e} apart; merged {merged:.1e}; without the adapter {without:.1e}")
    if max(worst, merged) > TOLERANCE or without < 10 * TOLERANCE:
        sys.exit("the adapter is not what was trained")


if __name__ == "__main__":
    main()
