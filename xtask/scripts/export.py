#!/usr/bin/env python3
"""Compare the two exports of one run: transformers and TorchScript must give the same logits.

    crosstune-image export RUN --format hf --out tuned
    crosstune-image export RUN --format torchscript --out tuned.pt
    python3 xtask/scripts/export.py tuned tuned.pt

It needs torch 2.11, transformers 5 and, for --picture, Pillow. The folder is opened with the Auto
classes, and no parameter may be missing or left over. Both models get the same random
inputs, in batches of 1 and of 3, padded ones among them where the TorchScript takes a mask. The
largest difference must be at most 1e-5. wav2vec2 and its kin take waveforms, or frames, of the length
that `export` prints: give it as --length.

With an input of your own, the labels come from transformers alone, prepared by what lies in the
folder. Set them beside `crosstune-MODALITY predict RUN FILE --json`:

    python3 xtask/scripts/export.py tuned tuned.pt --picture digit.png
    python3 xtask/scripts/export.py tuned tuned.pt --wav digit.wav   # mono, 16-bit, at the model's rate
    python3 xtask/scripts/export.py tuned tuned.pt --text "five of them"
    python3 xtask/scripts/export.py tuned tuned.pt --text "five of them" --pair "and six others"

Of a model of sentences, transformers also gets what its tokenizer gives for a text and, where the
model tells two texts apart or there is a --pair, for two: as anyone would call it, with no word of
segments. The TorchScript gets the same tokens with their segments. The tokenizer must know the unknown
token by name, without which transformers' pipeline for tags has it instead of the text.
"""

import argparse
import json
import sys
import wave
from pathlib import Path

import torch
import transformers

TOLERANCE = 1e-5
TEXTS = ("five of them", "and six others, which differ")

AUTO = {
    "ImageClassification": transformers.AutoModelForImageClassification,
    "AudioClassification": transformers.AutoModelForAudioClassification,
    "SequenceClassification": transformers.AutoModelForSequenceClassification,
    "TokenClassification": transformers.AutoModelForTokenClassification,
}


WAVEFORMS = (
    "wav2vec2",
    "hubert",
    "wavlm",
    "unispeech",
    "unispeech-sat",
    "data2vec-audio",
    "wav2vec2-conformer",
)
# What their classes have and do not compute with.
UNREAD = {
    # CLIP's class for tasks has a norm that it does not use.
    "clip": ("vision_model.post_layernorm",),
    "wav2vec2-conformer": ("encoder.pos_conv_embed.", "embed_positions.inv_freq"),
    "unispeech-sat": ("masked_spec_embed",),
}


def speech(config):
    """Whether a model takes waveforms, or frames that stand two by two."""
    return config.model_type in WAVEFORMS or config.model_type == "wav2vec2-bert"


def tells_segments(config, traced):
    """Whether a TorchScript takes token ids and segments in one tensor."""
    if getattr(config, "type_vocab_size", 0) < 2:
        return False
    _, x, *_ = traced.inlined_graph.inputs()
    return any(use.user.kind() == "aten::select" for use in x.uses())


def stacked(config, x):
    """Inputs as transformers takes them."""
    if config.model_type != "wav2vec2-bert":
        return x
    whole = x.shape[1] // 2 * 2
    return x[:, :whole].reshape(len(x), whole // 2, -1)


def open_model(folder):
    """The model of a folder, by the Auto class of its kind, with every parameter accounted for."""
    config = transformers.AutoConfig.from_pretrained(folder)
    name = config.architectures[0]
    kind = "AudioClassification" if speech(config) else name.split("For")[1].removesuffix("WithTeacher")
    model, info = AUTO[kind].from_pretrained(folder, output_loading_info=True)
    unread = UNREAD.get(config.model_type, ())
    left = lambda found: [one for one in found if not any(part in str(one) for part in unread)]  # noqa: E731
    problems = {what: left(found) for what, found in info.items() if left(found)}
    assert not problems, problems
    assert type(model).__name__ == name, f"{type(model).__name__}, not {name}"
    return model.eval()


def inputs(config, folder, batch, length):
    """Random inputs: our `x`, and transformers' name and form of the same."""
    kind = config.model_type
    if speech(config):
        assert length, "--length: the number of samples that export printed"
        if config.model_type == "wav2vec2-bert":
            x = torch.randn(batch, length, config.feature_projection_input_dim // 2)
            return x, "input_features", stacked(config, x)
        x = torch.randn(batch, length)
        return x, "input_values", x
    if kind == "audio-spectrogram-transformer":
        x = torch.randn(batch, config.max_length, config.num_mel_bins)
        return x, "input_values", x
    if kind == "whisper":
        x = torch.randn(batch, 2 * config.max_source_positions, config.num_mel_bins)
        return x, "input_features", x.transpose(1, 2)
    if hasattr(config, "vocab_size") and config.model_type != "beit":
        length = json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"]
        x = torch.randint(0, config.vocab_size, (batch, length))
        # Padding is where the mask says so, and nowhere else.
        x[x == config.pad_token_id] = config.pad_token_id + 1
        return x, "input_ids", x
    crop = json.loads((folder / "preprocessor_config.json").read_text())["crop_size"]
    channels = getattr(config, "vision_config", config).num_channels
    x = torch.randn(batch, channels, crop["height"], crop["width"])
    return x, "pixel_values", x


def masks(x):
    """All places kept; and, in a batch, each input shorter than the one before."""
    keep = torch.ones(x.shape[:2], dtype=torch.bool)
    yield keep
    if len(x) > 1:
        lengths = x.shape[1] * torch.arange(len(x), 0, -1) // len(x)
        yield torch.arange(x.shape[1]) < lengths[:, None]


def far(what, got, want):
    """The largest difference of logits, which is printed."""
    assert got.shape == want.shape, f"{tuple(got.shape)}, not {tuple(want.shape)}"
    difference = (got - want).abs().max().item()
    print(f"{what}: {difference:.1e} of {want.abs().max():.2f}")
    return difference


def compare(model, traced, folder, length):
    """The largest difference of the two models' logits."""
    takes_mask = len(list(traced.forward.graph.inputs())) > 2
    tells = tells_segments(model.config, traced)
    worst = 0.0
    for batch in (1, 3):
        x, name, theirs = inputs(model.config, folder, batch, length)
        types = torch.randint(0, model.config.type_vocab_size, x.shape) if tells else None
        for keep in masks(x) if takes_mask else [None]:
            if keep is None:
                got, want = traced(x), model(**{name: theirs}).logits
            else:
                padding = getattr(model.config, "pad_token_id", 0) if x.dtype == torch.long else 0
                x = torch.where(keep[..., None] if x.dim() > 2 else keep, x, padding)
                got = traced(torch.stack([x, types], 1) if tells else x, keep)
                if speech(model.config):
                    # In a batch, the group norm of a base model counts the padding; ours does not.
                    alone = (stacked(model.config, x[at][None, keep[at]]) for at in range(len(x)))
                    want = torch.cat([model(one).logits for one in alone])
                else:
                    told = {"token_type_ids": types} if tells else {}
                    want = model(**{name: x}, **told, attention_mask=keep.long()).logits
                if tags(model.config):
                    # What stands at padding answers nothing.
                    got, want = got[keep], want[keep]
            padded = keep is not None and not keep.all()
            worst = max(worst, far(f"batch of {batch}{', padded' if padded else ''}", got, want))
    return worst


def tags(config):
    """Whether a model labels tokens."""
    return config.architectures[0].endswith("ForTokenClassification")


def compare_texts(model, traced, args):
    """The largest difference of the logits of texts, as the folder's tokenizer prepares them."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.folder)
    file = json.loads((args.folder / "tokenizer.json").read_text())
    unknown = file["model"].get("unk_token")
    if unknown in (token["content"] for token in file["added_tokens"] if token["special"]):
        assert tokenizer.unk_token == unknown, f"{tokenizer.unk_token}, not {unknown}"
    tells = tells_segments(model.config, traced)
    texts = [args.text or TEXTS[0]]
    cases = [texts]
    if args.pair or tells:
        cases.append(texts + [args.pair or TEXTS[1]])
    worst = 0.0
    for texts in cases:
        want = model(**tokenizer(*texts, truncation=True, return_tensors="pt")).logits
        whole = tokenizer(
            *texts,
            truncation=True,
            padding="max_length",
            return_token_type_ids=True,
            return_tensors="pt",
        )
        x, keep = whole["input_ids"], whole["attention_mask"].bool()
        got = traced(torch.stack([x, whole["token_type_ids"]], 1) if tells else x, keep)
        if tags(model.config):
            got, want = got[keep], want[0]
        worst = max(worst, far(("a text", "two texts")[len(texts) - 1], got, want))
    return worst


def prepared(args):
    """One input, prepared by what lies in the folder."""
    if args.picture:
        from PIL import Image

        processor = transformers.AutoImageProcessor.from_pretrained(args.folder)
        return processor(Image.open(args.picture), return_tensors="pt")
    if args.wav:
        with wave.open(str(args.wav)) as file:
            rate, data = file.getframerate(), bytearray(file.readframes(file.getnframes()))
        sound = torch.frombuffer(data, dtype=torch.int16).float() / 32768
        extractor = transformers.AutoFeatureExtractor.from_pretrained(args.folder)
        return extractor(sound.numpy(), sampling_rate=rate, return_tensors="pt")
    if args.text:
        tokenizer = transformers.AutoTokenizer.from_pretrained(args.folder)
        texts = [text for text in (args.text, args.pair) if text]
        return tokenizer(*texts, truncation=True, return_tensors="pt")
    return None


def answer(model, args):
    """What transformers says of an input of one's own."""
    if args.text and tags(model.config):
        tokenizer = transformers.AutoTokenizer.from_pretrained(args.folder)
        found = transformers.pipeline(
            "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple"
        )
        return [{**one, "score": round(float(one["score"]), 6)} for one in found(args.text)]
    if (own := prepared(args)) is None:
        return None
    probabilities = model(**own).logits.softmax(-1)[0].tolist()
    labels = (model.config.id2label[i] for i in range(len(probabilities)))
    ranked = sorted(zip(labels, probabilities), key=lambda pair: -pair[1])
    return {label: round(p, 6) for label, p in ranked}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="what export wrote as hf")
    parser.add_argument("torchscript", type=Path, help="what export wrote as torchscript")
    parser.add_argument("--length", type=int, help="samples of a waveform")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--picture", type=Path)
    one.add_argument("--wav", type=Path)
    one.add_argument("--text")
    parser.add_argument("--pair", help="the second text, with --text")
    args = parser.parse_args()
    if args.pair and not args.text:
        parser.error("--pair: the second text of two; --text has the first")

    torch.manual_seed(0)
    transformers.logging.set_verbosity_error()
    model, traced = open_model(args.folder), torch.jit.load(args.torchscript)
    with torch.no_grad():
        worst = compare(model, traced, args.folder, args.length)
        if (args.folder / "tokenizer.json").exists():
            worst = max(worst, compare_texts(model, traced, args))
        if (own := answer(model, args)) is not None:
            print(json.dumps(own, ensure_ascii=False))
    if worst > TOLERANCE:
        sys.exit(f"they differ by {worst:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
