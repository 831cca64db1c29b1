#!/usr/bin/env python3
"""The six training steps of `bench step`, in PyTorch, to be measured in the same sitting.

    python3 tests/bench/torch_steps.py                      # all six, one thread
    python3 tests/bench/torch_steps.py --config toy-gru --threads 2 --seconds 5
    python3 tests/bench/torch_steps.py --ops                # recorded tiny ops, forward and backward

One JSON object per line. Needs PyTorch (Debian: python3-torch); nothing else of heed needs it.
A step is forward, backward, clipping to norm 1 and Adam at 1e-3, on fixed random tokens without
padding. Models and sizes are those of tests/bench/workload.cpp.
"""
import argparse
import json
import math
import os
import statistics
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=["toy-gru", "toy-lstm", "toy-transformer", "small-gru",
                                             "small-lstm", "small-transformer"],
                        action="append", help="without: all six")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5, help="to measure each for")
    parser.add_argument("--ops", action="store_true")
    return parser.parse_args()


A = arguments()
# Before torch loads BLAS: OpenBLAS has threads of its own, which torch.set_num_threads does not
# reach, and with them "one thread" would be all cores.
os.environ["OPENBLAS_NUM_THREADS"] = str(A.threads)

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

TOY = dict(source=200, target=200, embedding=64, hidden=128, batch=32, read=10, written=11)
SMALL = dict(source=7853, target=5893, embedding=256, hidden=512, batch=128, read=14, written=14)
CONFIGS = {
    "toy-gru": dict(TOY, kind="gru"),
    "toy-lstm": dict(TOY, kind="lstm"),
    "toy-transformer": dict(TOY, kind="transformer", layers=2, heads=4),
    "small-gru": dict(SMALL, kind="gru"),
    "small-lstm": dict(SMALL, kind="lstm"),
    "small-transformer": dict(SMALL, kind="transformer", layers=3, heads=8),
}


class Bahdanau(nn.Module):
    """Bidirectional GRU, additive attention before the step, output of [state; context; word]."""

    def __init__(self, c):
        super().__init__()
        e, h = c["embedding"], c["hidden"]
        self.words_read = nn.Embedding(c["source"], e)
        self.words_written = nn.Embedding(c["target"], e)
        self.encoder = nn.GRU(e, h, bidirectional=True, batch_first=True)
        self.bridge = nn.Linear(2 * h, h)
        self.query = nn.Linear(h, h, bias=False)
        self.key = nn.Linear(2 * h, h)
        self.score = nn.Linear(h, 1, bias=False)
        self.cell = nn.GRUCell(e + 2 * h, h)
        self.output = nn.Linear(e + 3 * h, c["target"])

    def forward(self, read, written):
        states, last = self.encoder(self.words_read(read))
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))
        keys = self.key(states)  # once per sentence
        said = []
        for word in self.words_written(written).unbind(dim=1):
            scores = self.score(torch.tanh(keys + self.query(state).unsqueeze(1))).squeeze(2)
            weights = torch.softmax(scores, dim=1)
            context = torch.bmm(weights.unsqueeze(1), states).squeeze(1)
            state = self.cell(torch.cat([word, context], dim=1), state)
            said.append(torch.cat([state, context, word], dim=1))
        return self.output(torch.stack(said, dim=1))


class Luong(nn.Module):
    """LSTMs over whole sequences, general score, attention after the step, no input feeding."""

    def __init__(self, c):
        super().__init__()
        e, h = c["embedding"], c["hidden"]
        self.words_read = nn.Embedding(c["source"], e)
        self.words_written = nn.Embedding(c["target"], e)
        self.encoder = nn.LSTM(e, h, batch_first=True)
        self.decoder = nn.LSTM(e, h, batch_first=True)
        self.score = nn.Linear(h, h, bias=False)
        self.attended = nn.Linear(2 * h, h, bias=False)
        self.output = nn.Linear(h, c["target"])

    def forward(self, read, written):
        states, last = self.encoder(self.words_read(read))
        queries, _ = self.decoder(self.words_written(written), last)
        weights = torch.softmax(torch.bmm(self.score(queries), states.transpose(1, 2)), dim=2)
        both = torch.cat([torch.bmm(weights, states), queries], dim=2)
        return self.output(torch.tanh(self.attended(both)))


class Transformer(nn.Module):
    """Post-norm, `hidden` units between the layers, dropout 0.1."""

    def __init__(self, c):
        super().__init__()
        d = c["embedding"]
        self.words_read = nn.Embedding(c["source"], d)
        self.words_written = nn.Embedding(c["target"], d)
        self.register_buffer("positions", 0.1 * torch.randn(64, d))
        self.layers = nn.Transformer(d, c["heads"], c["layers"], c["layers"], c["hidden"],
                                     dropout=0.1, batch_first=True)
        self.output = nn.Linear(d, c["target"])
        self.scale = math.sqrt(d)

    def placed(self, words):
        return self.scale * words + self.positions[:words.shape[1]]

    def forward(self, read, written):
        later = torch.full((written.shape[1],) * 2, -math.inf).triu(1)
        return self.output(self.layers(self.placed(self.words_read(read)),
                                       self.placed(self.words_written(written)), tgt_mask=later))


MODELS = {"gru": Bahdanau, "lstm": Luong, "transformer": Transformer}


def measure(name, seconds, rounds=5):
    c = CONFIGS[name]
    model = MODELS[c["kind"]](c)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    read = torch.randint(c["source"], (c["batch"], c["read"]))
    written = torch.randint(c["target"], (c["batch"], c["written"]))
    gold = torch.randint(c["target"], (c["batch"], c["written"]))

    def step():
        adam.zero_grad(set_to_none=True)
        logits = model(read, written)
        F.cross_entropy(logits.flatten(0, 1), gold.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    for _ in range(3):
        step()
    rates, cpu, wall = [], time.process_time(), time.perf_counter()
    for _ in range(rounds):
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / rounds or steps == 0:
            step()
            steps += 1
        rates.append(steps * gold.numel() / (time.perf_counter() - start))
    return {"config": name, "torch": torch.__version__, "threads": torch.get_num_threads(),
            "parameters": sum(p.numel() for p in model.parameters()),
            "target_tokens_per_second": statistics.median(rates),
            "cpu_per_wall": (time.process_time() - cpu) / (time.perf_counter() - wall)}


def tiny_ops(seconds, chain=1000):
    """Nanoseconds per op of a chain of ops on 4x4, forward and backward: the best of many."""
    turn = torch.tensor([[0., 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [-1, 0, 0, 0]])
    ops = {"add": lambda y: y + turn, "tanh": torch.tanh, "matmul": lambda y: y @ turn}
    for name, op in ops.items():
        start_at, best = time.perf_counter(), math.inf
        while time.perf_counter() - start_at < seconds:
            x = torch.rand(4, 4, requires_grad=True)
            start, y = time.perf_counter(), x
            for _ in range(chain):
                y = op(y)
            y.sum().backward()
            best = min(best, time.perf_counter() - start)
        yield {"op": name, "torch": torch.__version__, "nanoseconds": 1e9 * best / chain}


def main():
    torch.set_num_threads(A.threads)
    torch.manual_seed(0)
    if A.ops:
        for figures in tiny_ops(A.seconds):
            print(json.dumps(figures), flush=True)
        return
    for name in A.config or CONFIGS:
        print(json.dumps(measure(name, A.seconds)), flush=True)


if __name__ == "__main__":
    main()
