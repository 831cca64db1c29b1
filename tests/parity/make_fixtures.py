#!/usr/bin/env python3
"""Writes fixtures/*.safetensors: what PyTorch computes, for the tests of this folder.

    apt-get install python3-torch python3-numpy
    /usr/bin/python3 tests/parity/make_fixtures.py

The fixtures are committed; building and testing heed never needs this script. A case NAME is

    NAME.safetensors      the module's state_dict, as PyTorch names it
    NAME.run.safetensors  in.x, out.y; cotangent.y, the random dL/dy; gradient.x, dL/dx of every
                          input and parameter

all in f64. Parameters (biases too), inputs and cotangents are drawn at random, from a seed that
depends on the case's name alone, and are numbers that f32 holds exactly: what an f32 layer
deviates by is its own arithmetic. The masks are written as "keep" (1) and not as PyTorch's
"masked" (True).
"""
import pathlib
import zlib

import torch
import torch.nn.functional as F
from torch import nn

from torch_models import (BOS, EOS, PAD, WORDS, Seq2Seq, TransformerSeq2Seq, kept, save, translate)

FOLDER = pathlib.Path(__file__).parent / "fixtures"
B, S, T = 3, 5, 4  # sentences, source and target steps
LENGTHS = torch.tensor([3, 5, 1])


def draw(*shape):
    return torch.randn(shape).float().double()


def seed(name):
    torch.manual_seed(zlib.crc32(name.encode()))


def randomise(module):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(0.5 * draw(*p.shape))
    return module


def prefixed(prefix, tensors):
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def case(name, make):
    """One forward and backward pass of what make() returns: module, inputs, function of both."""
    seed(name)
    module, inputs, run = make()
    randomise(module)
    leaves = {k: x.requires_grad_() for k, x in inputs.items() if x.is_floating_point()}
    leaves.update(module.named_parameters())
    outputs = run(module, **inputs)
    cotangents = {k: draw(*y.shape) for k, y in outputs.items()}
    sum((y * cotangents[k]).sum() for k, y in outputs.items()).backward()
    if module.state_dict():
        save(FOLDER / f"{name}.safetensors", module.state_dict())
    save(FOLDER / f"{name}.run.safetensors",
         {**prefixed("in", inputs), **prefixed("out", outputs),
          **prefixed("cotangent", cotangents),
          **prefixed("gradient", {k: x.grad for k, x in leaves.items()})})


# ---- recurrent layers: two layers, both directions, sentences of unequal length ----


def recurrent(kind):
    def run(f, x, lengths, h0, c0=None):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True,
                                                   enforce_sorted=False)
        y, last = f(packed, h0 if c0 is None else (h0, c0))
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=S)
        return {"y": y, "h": last} if c0 is None else {"y": y, "h": last[0], "c": last[1]}

    inputs = {"x": draw(B, S, 3), "lengths": LENGTHS, "h0": draw(4, B, 4)}
    if kind is nn.LSTM:
        inputs["c0"] = draw(4, B, 4)
    return kind(3, 4, num_layers=2, bidirectional=True, batch_first=True), inputs, run


# ---- attention and the Transformer ----


def attention_self():
    """Keys masked by the sentence's length and by the order of time."""
    def run(f, x, lengths):
        future = torch.ones(S, S, dtype=torch.bool).triu(1)
        y, weights = f(x, x, x, key_padding_mask=~kept(lengths, S), attn_mask=future,
                       average_attn_weights=False)
        return {"y": y, "weights": weights}

    return (nn.MultiheadAttention(8, 2, batch_first=True),
            {"x": draw(B, S, 8), "lengths": LENGTHS}, run)


def attention_cross():
    """Keys and values of other sizes than the queries."""
    def run(f, query, key, value, lengths):
        y, weights = f(query, key, value, key_padding_mask=~kept(lengths, S),
                       average_attn_weights=False)
        return {"y": y, "weights": weights}

    return (nn.MultiheadAttention(8, 2, kdim=3, vdim=6, batch_first=True),
            {"query": draw(B, T, 8), "key": draw(B, S, 3), "value": draw(B, S, 6),
             "lengths": LENGTHS}, run)


def attention_mask():
    """A mask of its own for every sentence and head, and padding."""
    def run(f, query, key, lengths, keep):
        y, weights = f(query, key, key, key_padding_mask=~kept(lengths, S),
                       attn_mask=keep.reshape(B * 2, T, S) == 0, average_attn_weights=False)
        return {"y": y, "weights": weights}

    keep = torch.randint(2, (B, 2, T, S))
    keep[..., 0] = 1  # no row without a key: PyTorch makes NaN of those
    return (nn.MultiheadAttention(8, 2, batch_first=True),
            {"query": draw(B, T, 8), "key": draw(B, S, 8), "lengths": LENGTHS, "keep": keep}, run)


def layer_options(pre_norm):
    return dict(d_model=8, nhead=2, dim_feedforward=12, dropout=0.0, batch_first=True,
                norm_first=pre_norm, activation="gelu" if pre_norm else "relu")


def encoder_layer(pre_norm):
    def run(f, x, lengths):
        keep = kept(lengths, S)
        return {"y": f(x, src_key_padding_mask=~keep) * keep[..., None]}

    return (nn.TransformerEncoderLayer(**layer_options(pre_norm)),
            {"x": draw(B, S, 8), "lengths": LENGTHS}, run)


def decoder_layer(pre_norm):
    def run(f, x, memory, lengths):
        future = torch.ones(T, T, dtype=torch.bool).triu(1)
        return {"y": f(x, memory, tgt_mask=future, memory_key_padding_mask=~kept(lengths, S))}

    return (nn.TransformerDecoderLayer(**layer_options(pre_norm)),
            {"x": draw(B, T, 8), "memory": draw(B, S, 8), "lengths": LENGTHS}, run)


# ---- small layers and losses ----


def layer_norm():
    x = draw(B, S, 6)
    x[0] /= 256  # variance near eps: both count
    return nn.LayerNorm(6), {"x": x}, lambda f, x: {"y": f(x)}


def embedding():
    ids = torch.randint(5, (B, S))  # some several times, 5 and 6 never
    return nn.Embedding(7, 4), {"ids": ids}, lambda f, ids: {"y": f(ids)}


def cross_entropy(**options):
    targets = torch.randint(9, (B, T))
    targets[0, 2:] = targets[2, 1] = options["ignore_index"]

    def run(_, logits, targets):
        y = F.cross_entropy(logits.reshape(-1, 9), targets.reshape(-1), **options)
        return {"loss": y.reshape(B, T) if options["reduction"] == "none" else y}

    return nn.Module(), {"logits": 2 * draw(B, T, 9), "targets": targets}, run


def clip():
    """Gradients a and b, shortened to 0.75 together, and left alone by a bound of 1000."""
    seed("clip")
    a, b = (torch.zeros(shape, requires_grad=True) for shape in [(4, 3), (5,)])
    given = {"a": draw(4, 3), "b": draw(5)}
    file = prefixed("in", given)
    for prefix, bound in [("clipped", 0.75), ("free", 1000.0)]:
        a.grad, b.grad = given["a"].clone(), given["b"].clone()
        file["norm"] = nn.utils.clip_grad_norm_([a, b], bound)
        file.update(prefixed(prefix, {"a": a.grad, "b": b.grad}))
    save(FOLDER / "clip.run.safetensors", file)


# ---- optimisers: the parameters of a layer after each of five steps ----


def optimiser(name, kind, **options):
    seed(name)
    f = randomise(nn.Linear(4, 3))
    x, target = draw(6, 4), draw(6, 3)
    save(FOLDER / f"{name}.safetensors", f.state_dict())
    file = {"in.x": x, "in.target": target}
    steps = kind(f.parameters(), **options)
    for step in range(5):
        steps.zero_grad()
        (f(x) - target).square().mean().backward()
        steps.step()
        file.update(prefixed(f"step{step}", {k: p.clone() for k, p in f.named_parameters()}))
    save(FOLDER / f"{name}.run.safetensors", file)


# ---- whole models, trained to reverse a sentence and to replace each word by another ----


def sentences(count):
    """source, lengths, target_in, target_out; PAD in the free places."""
    lengths = torch.randint(1, 7, (count,))
    source, target_in = torch.full((count, 6), PAD), torch.full((count, 7), PAD)
    target_out = target_in.clone()
    for row, n in enumerate(lengths.tolist()):
        words = torch.randint(WORDS, (n,))
        source[row, :n] = 3 + words
        target = 3 + (words.flip(0) + 3) % WORDS
        target_in[row, :n + 1] = torch.cat([torch.tensor([BOS]), target])
        target_out[row, :n + 1] = torch.cat([target, torch.tensor([EOS])])
    return source, lengths, target_in, target_out


def trained(name, make, steps, metadata=None):
    seed(name)
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(steps):
        source, lengths, target_in, target_out = sentences(64)
        optimizer.zero_grad()
        logits = model(source, lengths, target_in)
        F.cross_entropy(logits.flatten(0, 1), target_out.flatten(), ignore_index=PAD).backward()
        optimizer.step()
    source, lengths, target_in, target_out = sentences(24)
    with torch.no_grad():
        logits = model(source, lengths, target_in)
    words = translate(model, source, lengths)
    right = (words[:, :6] == target_in[:, 1:]).all(1) & (words[:, 6:] == PAD).all(1)
    print(f"{name}: {right.sum()} of 24 sentences right after {steps} steps")
    save(FOLDER / f"{name}.safetensors", model.state_dict(), metadata)
    save(FOLDER / f"{name}.run.safetensors",
         {"in.source": source, "in.lengths": lengths, "in.target_in": target_in,
          "in.target_out": target_out, "out.logits": logits, "out.translations": words})


def main():
    torch.set_default_dtype(torch.float64)
    FOLDER.mkdir(exist_ok=True)
    for name, kind in {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}.items():
        case(name, lambda: recurrent(kind))
    for make in [attention_self, attention_cross, attention_mask, layer_norm, embedding]:
        case(make.__name__, make)
    for place, pre in {"post": False, "pre": True}.items():
        case(f"encoder_layer_{place}_norm", lambda: encoder_layer(pre))
        case(f"decoder_layer_{place}_norm", lambda: decoder_layer(pre))
    for reduction in ["mean", "sum", "none"]:
        case(f"cross_entropy_{reduction}",
             lambda: cross_entropy(reduction=reduction, ignore_index=-100))
        case(f"cross_entropy_{reduction}_smoothed",
             lambda: cross_entropy(reduction=reduction, ignore_index=0, label_smoothing=0.125))
    clip()
    optimiser("sgd", torch.optim.SGD, lr=0.1, weight_decay=0.25)
    optimiser("sgd_momentum", torch.optim.SGD, lr=0.1, momentum=0.75, weight_decay=0.25)
    optimiser("sgd_nesterov", torch.optim.SGD, lr=0.1, momentum=0.75, nesterov=True,
              weight_decay=0.25)
    adam = dict(lr=0.1, betas=(0.75, 0.875), eps=1e-3, weight_decay=0.25)
    optimiser("adam", torch.optim.Adam, **adam)
    optimiser("adamw", torch.optim.AdamW, **adam)
    rmsprop = dict(lr=0.1, alpha=0.75, eps=1e-3, weight_decay=0.25)
    optimiser("rmsprop", torch.optim.RMSprop, **rmsprop)
    optimiser("rmsprop_centered", torch.optim.RMSprop, momentum=0.5, centered=True, **rmsprop)
    trained("seq2seq", lambda: Seq2Seq(8, 12, 20, 12, 16), 500)
    trained("transformer", lambda: TransformerSeq2Seq(12, 2, 24, layers=2), 600, {"heads": "2"})


if __name__ == "__main__":
    main()
