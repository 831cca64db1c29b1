"""Two small translators in PyTorch, with the names, shapes and equations of heed's Seq2Seq
(layers/seq2seq.h: GRU, Bahdanau's decoder with a readout layer) and TransformerSeq2Seq
(layers/transformer_seq2seq.h: pre-norm), and the file format that both sides read.

It is no library: only what make_fixtures.py and load_in_torch.py need. It needs numpy and torch
(Debian's python3-torch 1.13 or newer), and no safetensors package.
"""
import json
import math
import struct

import numpy as np
import torch
from torch import nn

PAD, BOS, EOS, WORDS = 0, 1, 2, 8
VOCABULARY = 3 + WORDS
LONGEST = 10  # words of a translation at most

# ---- safetensors: header length, header in JSON, numbers ----

DTYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64}


def save(path, tensors, metadata=None):
    header, blob = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, tensor in tensors.items():
        array = np.asarray(tensor.detach().numpy(), order="C")
        dtype = next(d for d, t in DTYPES.items() if t == array.dtype)
        end = len(blob) + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape),
                        "data_offsets": [len(blob), end]}
        blob += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + blob)


def load(path):
    """The tensors, and the metadata."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (start + offset for offset in entry["data_offsets"])
        array = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors, metadata


# ---- the models ----


def kept(lengths, steps):
    """[B, steps]: whether a position is inside of its sentence."""
    return torch.arange(steps)[None] < lengths[:, None]


class AdditiveAttention(nn.Module):
    def __init__(self, query, key, width):
        super().__init__()
        self.query = nn.Linear(query, width, bias=False)
        self.key = nn.Linear(key, width)
        self.v = nn.Parameter(torch.randn(width) / math.sqrt(width))

    def forward(self, query, keys, keep):
        scores = torch.tanh(self.query(query)[:, None] + self.key(keys)) @ self.v
        weights = scores.masked_fill(~keep, -math.inf).softmax(-1)
        return (weights[:, None] @ keys)[:, 0]


class Seq2Seq(nn.Module):
    def __init__(self, embedding, encoder_hidden, decoder_hidden, width, readout,
                 source_words=VOCABULARY, target_words=VOCABULARY):
        super().__init__()
        context = 2 * encoder_hidden
        self.source = nn.Embedding(source_words, embedding)
        self.target = nn.Embedding(target_words, embedding)
        self.encoder = nn.GRU(embedding, encoder_hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(context, decoder_hidden)
        self.attention = AdditiveAttention(decoder_hidden, context, width)
        self.decoder = nn.GRU(embedding + context, decoder_hidden, batch_first=True)
        self.readout = nn.Linear(decoder_hidden + context + embedding, readout)
        self.output = nn.Linear(readout, target_words)

    def forward(self, source, lengths, target_in):
        packed = nn.utils.rnn.pack_padded_sequence(self.source(source), lengths, batch_first=True,
                                                   enforce_sorted=False)
        encoded, last = self.encoder(packed)
        keys, _ = nn.utils.rnn.pad_packed_sequence(encoded, batch_first=True,
                                                   total_length=source.shape[1])
        keep = kept(lengths, source.shape[1])
        state = torch.tanh(self.bridge(torch.cat([last[0], last[1]], 1)))
        logits = []
        for word in self.target(target_in).unbind(1):
            context = self.attention(state, keys, keep)
            _, new = self.decoder(torch.cat([word, context], 1)[:, None], state[None])
            state = new[0]
            read = torch.tanh(self.readout(torch.cat([state, context, word], 1)))
            logits.append(self.output(read))
        return torch.stack(logits, 1)


class TransformerSeq2Seq(nn.Module):
    def __init__(self, model, heads, feed_forward, layers=1,
                 source_words=VOCABULARY, target_words=VOCABULARY):
        super().__init__()
        options = dict(d_model=model, nhead=heads, dim_feedforward=feed_forward, dropout=0.0,
                       activation="gelu", batch_first=True, norm_first=True)
        self.source = nn.Embedding(source_words, model)
        self.target = nn.Embedding(target_words, model)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(**options), layers,
                                             nn.LayerNorm(model), enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**options), layers,
                                             nn.LayerNorm(model))
        self.output = nn.Linear(model, target_words)
        with torch.no_grad():
            self.source.weight /= math.sqrt(model)
            self.target.weight /= math.sqrt(model)

    @staticmethod
    def placed(words):
        steps, size = words.shape[1:]
        angle = torch.arange(steps)[:, None] / 10000 ** (torch.arange(0, size, 2) / size)
        positions = torch.stack([angle.sin(), angle.cos()], 2).reshape(steps, size)
        return math.sqrt(size) * words + positions

    def forward(self, source, lengths, target_in):
        padding = ~kept(lengths, source.shape[1])
        steps = target_in.shape[1]
        future = torch.ones(steps, steps, dtype=torch.bool).triu(1)
        memory = self.encoder(self.placed(self.source(source)), src_key_padding_mask=padding)
        y = self.decoder(self.placed(self.target(target_in)), memory, tgt_mask=future,
                         memory_key_padding_mask=padding)
        return self.output(y)


def model_of(weights, metadata):
    """The module that these weights by name belong to."""
    shape = {name: list(tensor.shape) for name, tensor in weights.items()}
    words = dict(source_words=shape["source.weight"][0], target_words=shape["target.weight"][0])
    embedding = shape["source.weight"][1]
    if "attention.v" in shape:
        model = Seq2Seq(embedding, shape["encoder.weight_hh_l0"][1],
                        shape["decoder.weight_hh_l0"][1], shape["attention.v"][0],
                        shape["readout.weight"][0], **words)
    else:
        layers = sum(name.endswith("multihead_attn.in_proj_weight") for name in shape)
        model = TransformerSeq2Seq(embedding, int(metadata["heads"]),
                                   shape["encoder.layers.0.linear1.weight"][0], layers, **words)
    model.load_state_dict(weights)  # strict: every name, and no other
    return model


@torch.no_grad()
def translate(model, source, lengths):
    """The likeliest next word until EOS: [B, LONGEST], PAD after the end."""
    words = torch.full((len(source), 1), BOS)
    done = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(LONGEST):
        best = model(source, lengths, words)[:, -1].argmax(-1)
        done |= best == EOS
        words = torch.cat([words, best.masked_fill(done, PAD)[:, None]], 1)
    return words[:, 1:]
