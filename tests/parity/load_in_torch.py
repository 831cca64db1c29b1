#!/usr/bin/env python3
"""Loads models that heed saved into PyTorch, by name, and compares what both make of them.

    python3 tests/parity/load_in_torch.py MODEL.safetensors...

Beside each MODEL.safetensors lies MODEL.run.safetensors with sentences, and heed's logits and
greedy translations of them; model_test.cpp writes both and says how to ask it to. One line per
model; the exit code is 1 when logits differ by more than 1e-5 (f64: 1e-10) of the largest, or any
translation differs. No test of heed runs this: it needs PyTorch (see torch_models.py).
"""
import sys

import torch

from torch_models import load, model_of, translate


def same(path):
    weights, metadata = load(path)
    run, _ = load(path.removesuffix(".safetensors") + ".run.safetensors")
    bound = 1e-10 if run["out.logits"].dtype == torch.float64 else 1e-5
    model = model_of(weights, metadata)
    with torch.no_grad():
        logits = model(run["in.source"], run["in.lengths"], run["in.target_in"])
    off = ((logits - run["out.logits"]).abs().max() / run["out.logits"].abs().max()).item()
    words = translate(model, run["in.source"], run["in.lengths"])
    equal = (words == run["out.translations"]).all(1).sum().item()
    print(f"{path}: {len(weights)} tensors by name, logits within {off:.1e} of the largest, "
          f"{equal} of {len(words)} translations the same")
    return off <= bound and equal == len(words)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_default_dtype(torch.float64)
    results = [same(path) for path in sys.argv[1:]]
    sys.exit(0 if all(results) else 1)
