#!/usr/bin/env python3
"""The same answers from FastAPI and PyTorch, for `cargo xtask bench --only serve` to set our server
against.

    serve_peer.py --modality text  --model MINILM       --run RUN [--batch 32]
    serve_peer.py --modality image --model MODEL.pt     --run RUN [--batch 32]
    serve_peer.py --modality audio --model MODEL.pt     --run RUN [--batch 32] [--autocast]

It needs torch, fastapi, uvicorn[standard] and, by modality, transformers (text), Pillow (image) or
torchaudio and transformers (audio). RUN is a run folder. Of a text model, the trunk is MINILM as
transformers has it, unchanged, with the mean over the mask and the head of RUN. The others are what
`export --format torchscript` wrote: ResNet-56 on pictures of 32 x 32, Whisper's encoder on recordings,
which are cut at the run's frames. --autocast computes in bf16.

POST /v1/models/m/predict takes {"inputs": ["text"]} or the bytes of a file, and answers with the three
most probable classes. With --batch above 1, requests that wait are put into one batch of at most so
many, after at most 3 ms; with 1, each is computed by itself in a thread of FastAPI's pool.

It listens at a free port, and says at which on stderr: `http://127.0.0.1:PORT`.
"""

import argparse
import asyncio
import io
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, Request


def head_of(run):
    from safetensors import safe_open

    with safe_open(Path(run) / "model.safetensors", "pt") as tensors:
        return tensors.get_tensor("head.weight"), tensors.get_tensor("head.bias")


class Text:
    def __init__(self, model, run):
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.trunk = AutoModel.from_pretrained(model).eval()
        self.head = head_of(run)

    def read(self, body):
        return json.loads(body)["inputs"][0]

    def logits(self, texts):
        inputs = self.tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="pt")
        hidden = self.trunk(**inputs).last_hidden_state
        mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.linear(pooled, *self.head)


class Image:
    def __init__(self, model, run):
        settings = json.loads((Path(run) / "preprocessing.json").read_text())
        scale = find(settings, "mean"), find(settings, "std")
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in scale)
        self.model = torch.jit.load(model)

    def read(self, body):
        import numpy
        from PIL import Image as Pillow

        pixels = numpy.asarray(Pillow.open(io.BytesIO(body)).convert("RGB"))
        x = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
        return (x - self.mean) / self.std

    def logits(self, pictures):
        return self.model(torch.stack(pictures))


class Audio:
    def __init__(self, model, run):
        from transformers import WhisperFeatureExtractor

        self.model = torch.jit.load(model)
        self.extractor = WhisperFeatureExtractor(chunk_length=30)
        self.frames = find(json.loads((Path(run) / "preprocessing.json").read_text()), "frames")
        self.samples = self.frames * self.extractor.hop_length

    def read(self, body):
        import wave

        import torchaudio

        with wave.open(io.BytesIO(body)) as recording:
            rate = recording.getframerate()
            samples = torch.frombuffer(bytearray(recording.readframes(1 << 30)), dtype=torch.int16)
        x = torchaudio.functional.resample(samples.float() / 32768, rate, 16000)[: self.samples]
        x = torch.nn.functional.pad(x, (0, self.samples - len(x)))
        frames = self.extractor(x.numpy(), sampling_rate=16000, padding=False, return_tensors="pt")
        return frames["input_features"][0].T[: self.frames]

    def logits(self, recordings):
        return self.model(torch.stack(recordings))


def find(settings, name):
    """The value of the first field of this name, however deep."""
    if isinstance(settings, dict):
        if settings.get(name) is not None:
            return settings[name]
        settings = list(settings.values())
    if isinstance(settings, list):
        for one in settings:
            found = find(one, name)
            if found is not None:
                return found
    return None


def answers(model, labels, autocast, inputs):
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        found = model.logits(inputs).float().softmax(-1).topk(min(3, len(labels)))
    rows = zip(found.indices.tolist(), found.values.tolist())
    return [
        {"labels": [{"label": labels[at], "probability": p} for at, p in zip(*row)]} for row in rows
    ]


class Queue:
    """Requests that wait, put into batches."""

    def __init__(self, most, work):
        self.most, self.work = most, work
        self.waiting = asyncio.Queue()
        self.thread = ThreadPoolExecutor(1)

    async def ask(self, one):
        answered = asyncio.get_running_loop().create_future()
        await self.waiting.put((one, answered))
        return await answered

    async def run(self):
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.waiting.get()]
            until = loop.time() + 0.003
            while len(batch) < self.most:
                try:
                    batch.append(self.waiting.get_nowait())
                except asyncio.QueueEmpty:
                    if loop.time() >= until:
                        break
                    await asyncio.sleep(0.0005)
            said = await loop.run_in_executor(self.thread, self.work, [one for one, _ in batch])
            for (_, answered), one in zip(batch, said):
                if not answered.done():
                    answered.set_result(one)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--modality", choices=["text", "image", "audio"], required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--autocast", action="store_true")
    args = parser.parse_args()
    model = {"text": Text, "image": Image, "audio": Audio}[args.modality](args.model, args.run)
    labels = json.loads((Path(args.run) / "labels.json").read_text())
    app = FastAPI()
    queue = Queue(args.batch, lambda inputs: answers(model, labels, args.autocast, inputs))

    if args.batch > 1:

        @app.on_event("startup")
        async def start():
            app.state.task = asyncio.create_task(queue.run())

        @app.post("/v1/models/m/predict")
        async def predict(request: Request):
            body = await request.body()
            one = await asyncio.get_running_loop().run_in_executor(None, model.read, body)
            return {"model": "m", "predictions": [await queue.ask(one)]}

    else:

        @app.post("/v1/models/m/predict")
        async def predict(request: Request):
            body = await request.body()
            work = lambda: answers(model, labels, args.autocast, [model.read(body)])
            said = await asyncio.get_running_loop().run_in_executor(None, work)
            return {"model": "m", "predictions": said}

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(1024)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}", file=sys.stderr, flush=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
