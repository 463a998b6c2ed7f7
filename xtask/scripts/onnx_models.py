#!/usr/bin/env python3
"""Check exported ONNX models, and compare onnxruntime's answers with ours.

    cargo xtask onnx --python python3

It needs onnx, onnxruntime, numpy and safetensors. The folder that it is given has a folder for each
model: `model.onnx`, and `N.safetensors` with inputs, by their names, and what we answer: `logits`, and
`logits_mask` where there is one. Each model must pass `onnx.checker` with shape inference in full, and
answer within 1e-5, as a share of the largest logit where that is above 1.
"""

import argparse
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-5


def compare(folder):
    """The largest difference of a model's answers, and how many there were."""
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = [value.name for value in session.get_inputs()]
    outputs = [value.name for value in session.get_outputs()]
    largest, cases = 0.0, sorted(folder.glob("*.safetensors"))
    for case in cases:
        tensors = load_file(case)
        answers = session.run(outputs, {name: tensors[name] for name in inputs})
        for name, got in zip(outputs, answers):
            want = tensors[name]
            if want.shape != got.shape:
                raise ValueError(f"{case.name}: {name} is {got.shape}, expected {want.shape}")
            if name == "logits_mask":
                if (want != got).any():
                    raise ValueError(f"{case.name}: the positions that hold data are others")
                continue
            far = numpy.abs(want - got)
            if "logits_mask" in tensors:
                # What stands at padding answers nothing.
                far = far[tensors["logits_mask"].astype(bool)]
                want = want[tensors["logits_mask"].astype(bool)]
            far = far.max() / max(1.0, numpy.abs(want).max())
            # Not `>`: NaN is no answer either.
            if not far <= TOLERANCE:
                raise ValueError(f"{case.name}: {name} is off by {far:.1e}")
            largest = max(largest, float(far))
    return largest, len(cases)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    largest, cases, failed = 0.0, 0, []
    models = sorted(path.parent for path in folder.glob("*/model.onnx"))
    for model in models:
        try:
            far, count = compare(model)
            largest, cases = max(largest, far), cases + count
        except Exception as error:
            failed.append(model.name)
            print(f"{model.name}: {str(error).splitlines()[0]}")
    print(f"{len(models)} models, {cases} batches, off by at most {largest:.1e}, {len(failed)} failed")
    return 1 if failed or not models else 0


if __name__ == "__main__":
    sys.exit(main())
