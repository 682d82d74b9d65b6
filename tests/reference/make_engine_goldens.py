#!/usr/bin/env python3
"""Record what llama.cpp computes for a model, as golden files for the engine's tests.

    python make_engine_goldens.py MODEL.gguf --name smollm2-135m [--exact-too]

writes into tests/golden/inference/engine (or --out):

NAME.continuations.json   for each of 20 prompts the greedy continuation of 48 tokens (fewer where
                          the model ends), and at each step the margin: how far the best logit lies
                          above the second.
NAME.distributions.bin    for each position of some texts the 32 most probable next ids with their
                          log-probabilities. Little-endian: "TWDIST01", u32 texts, u32 top; then for
                          each text u32 positions, its ids as u32, and for each position `top` ids
                          as u32 followed by `top` log-probabilities as f32, most probable first.

A KL divergence here and in the engine's test is taken over 33 outcomes: the 32 listed ids, and all
others as one. Merging outcomes can only lower it, and does so alike for all that are compared.

With --exact-too, NAME.exact.* hold the same for the model without rounding: llama.cpp turns the
weights into F32 (the very numbers that the quantised ones stand for) and computes with F32 keys and
values. Rounding activations to 8 bits makes a model chaotic: a sum in another order moves some
activation over a rounding boundary, and the layers amplify that. Without it, two right programs
agree almost to the last digit, so the exact files say whether a program computes the right
function, and the others how it rounds.

How chaotic the rounding is, llama.cpp tells itself: it sums in another order when a prompt is read
at once or in pieces, or with flash attention. The first of the WAYS is llama-cpp-python's own
default and the one recorded; "own" in the JSON says of each other way how it differs from the
first, by the rules that the engine's test applies to the engine:

    equal, ties   prompts whose 48 tokens are equal; that differ first at a margin of 0.01 or less
    kl            mean KL divergence from the first way over the texts' positions
    same_best     positions where the most probable token is the same
    widest        the largest margin at which it is not

"from_exact" has kl, same_best and widest of each way (the first too) measured from the exact model.

Needs llama-cpp-python (the goldens in the repository: 0.3.36, native build) and numpy. --exact-too
needs four bytes a weight on disk and in memory.
"""

import argparse
import json
import pathlib
import struct
import sys
import tempfile

import llama_cpp
import numpy as np

from engine_texts import PROMPTS, TEXTS

CONTINUATION_TOKENS = 48
TOP = 32
TIE = 1e-2
F32, F16 = 0, 1  # ggml's numbers of the types.

WAYS = {
    "at once": {},
    "one thread": {"threads": 1},
    "in pieces of 16": {"piece": 16},
    "one by one": {"piece": 1},
    "flash attention": {"flash": True},
    "flash attention, one by one": {"flash": True, "piece": 1},
}
EXACT_WAYS = {"F32 keys and values": {"cache": F32}, "F16 keys and values": {"cache": F16}}


def load(path):
    model = llama_cpp.llama_model_load_from_file(
        str(path).encode(), llama_cpp.llama_model_default_params()
    )
    if not model:
        sys.exit(f"{path}: llama.cpp could not load it")
    return model


def write_exact(source, target):
    """The same model with every weight as F32."""
    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = llama_cpp.LLAMA_FTYPE_ALL_F32
    settings.allow_requantize = True
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), settings) != 0:
        sys.exit(f"{source}: llama.cpp could not turn it into F32")


class Reference:
    """A model in one of llama.cpp's ways of computing."""

    def __init__(self, model, threads=2, flash=False, piece=1 << 20, cache=F16):
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = 2048
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = 1 if flash else 0
        settings.type_k = settings.type_v = cache
        self.context = llama_cpp.llama_init_from_model(model, settings)
        self.vocab = llama_cpp.llama_model_get_vocab(model)
        self.size = llama_cpp.llama_vocab_n_tokens(self.vocab)
        self.piece = piece

    def close(self):
        llama_cpp.llama_free(self.context)

    def tokenize(self, text):
        data = text.encode()
        ids = (llama_cpp.llama_token * (len(data) + 8))()
        # With a BOS where the model expects one: Gemma gives noise without it.
        count = llama_cpp.llama_tokenize(self.vocab, data, len(data), ids, len(ids), True, True)
        return list(ids[:count])

    def begin(self):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        self.length = 0

    def feed(self, ids, every=False):
        """Appends ids; the logits after the last of them, or after each."""
        pieces = [ids[i : i + self.piece] for i in range(0, len(ids), self.piece)]
        rows = [row for piece in pieces for row in self.feed_piece(piece, every)]
        return rows if every else rows[-1]

    def feed_piece(self, ids, every):
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = self.length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = every or i + 1 == len(ids)
        if llama_cpp.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")
        self.length += len(ids)
        rows = range(len(ids)) if every else [len(ids) - 1]
        logits = [
            np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.context, i), (self.size,)).copy()
            for i in rows
        ]
        llama_cpp.llama_batch_free(batch)
        return logits

    def ends(self, token):
        return llama_cpp.llama_vocab_is_eog(self.vocab, token)


def continuation(ways, prompt):
    """Greedy tokens of the first way, and at which step each other way would choose differently.

    The others are fed the first way's tokens, which are their own until they first differ.
    """
    prompt_ids = ways[0].tokenize(prompt)
    for way in ways:
        way.begin()
    logits = [way.feed(prompt_ids) for way in ways]
    ids, margins = [], []
    differs = [None] * len(ways)
    while True:
        second, first = (int(i) for i in np.argsort(logits[0], kind="stable")[-2:])
        for i, row in enumerate(logits):
            if differs[i] is None and int(np.argmax(row)) != first:
                differs[i] = len(ids)
        ids.append(first)
        margins.append(round(float(logits[0][first]) - float(logits[0][second]), 5))
        if len(ids) == CONTINUATION_TOKENS or ways[0].ends(first):
            return {"prompt_ids": prompt_ids, "ids": ids, "margins": margins}, differs[1:]
        logits = [way.feed([first]) for way in ways]


def logprobs(logits):
    logits = logits.astype(np.float64)
    largest = logits.max()
    return logits - largest - np.log(np.exp(logits - largest).sum())


class Distribution:
    """The most probable ids at one position, most probable first, and all others as one outcome."""

    def __init__(self, logits):
        row = logprobs(logits)
        self.ids = np.argsort(-row, kind="stable")[:TOP]
        self.logprobs = row[self.ids]
        self.margin = self.logprobs[0] - self.logprobs[1]

    def divergence(self, logits):
        """KL(self || logits)"""
        other = logprobs(logits)[self.ids]
        p, q = np.exp(self.logprobs), np.exp(other)
        sum_ = float((p * (self.logprobs - other)).sum())
        rest, other_rest = 1 - p.sum(), 1 - q.sum()
        return sum_ + rest * np.log(rest / other_rest) if min(rest, other_rest) > 1e-9 else sum_


class Comparison:
    """How far logits are from distributions, position by position."""

    def __init__(self):
        self.divergences, self.margins = [], []

    def add(self, distribution, logits):
        self.divergences.append(distribution.divergence(logits))
        if int(np.argmax(logits)) != distribution.ids[0]:
            self.margins.append(float(distribution.margin))

    def result(self):
        return {
            "kl": float(f"{np.mean(self.divergences):.4g}"),
            "same_best": len(self.divergences) - len(self.margins),
            "widest": round(max(self.margins, default=0), 4),
        }


def record(model, ways, stem, exact=None):
    """Writes a model's two files. `exact`: the exact model's distributions, text by text, if known.

    Returns this model's distributions.
    """
    names = list(ways)
    ways = [Reference(model, **way) for way in ways.values()]
    own = {name: Comparison() for name in names[1:]}
    from_exact = {name: Comparison() for name in names}
    recorded = []
    data = b"TWDIST01" + struct.pack("<II", len(TEXTS), TOP)
    for number, text in enumerate(TEXTS):
        ids = ways[0].tokenize(text)
        expected = None
        for name, way in zip(names, ways):
            way.begin()
            rows = way.feed(ids, every=True)
            expected = expected or [Distribution(row) for row in rows]
            for i, row in enumerate(rows):
                if name in own:
                    own[name].add(expected[i], row)
                if exact:
                    from_exact[name].add(exact[number][i], row)
        recorded.append(expected)
        data += struct.pack(f"<I{len(ids)}I", len(ids), *ids)
        for each in expected:
            data += each.ids.astype("<u4").tobytes() + each.logprobs.astype("<f4").tobytes()
    pathlib.Path(f"{stem}.distributions.bin").write_bytes(data)

    continuations = []
    counts = {name: {"equal": 0, "ties": 0} for name in names[1:]}
    for prompt in PROMPTS:
        item, differs = continuation(ways, prompt)
        continuations.append(item)
        for name, step in zip(names[1:], differs):
            counts[name]["equal"] += step is None
            counts[name]["ties"] += step is not None and item["margins"][step] <= TIE
    lines = [
        '{"reference": "llama-cpp-python %s"' % llama_cpp.__version__,
        ' "own": ' + json.dumps({name: counts[name] | own[name].result() for name in own}),
        ' "continuations": [\n  ' + ",\n  ".join(map(json.dumps, continuations)) + "\n]}\n",
    ]
    if exact:
        lines.insert(2, ' "from_exact": ' + json.dumps({n: c.result() for n, c in from_exact.items()}))
    pathlib.Path(f"{stem}.continuations.json").write_text(",\n".join(lines))
    positions = sum(len(text) for text in recorded)
    print(f"{stem}: {len(PROMPTS)} continuations, {positions} distributions")
    print("\n".join(lines[1:-1]), flush=True)
    for way in ways:
        way.close()
    return recorded


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--name", required=True, help="the golden files' first word")
    parser.add_argument("--out", type=pathlib.Path, default=here.parent / "golden/inference/engine")
    parser.add_argument("--exact-too", action="store_true", help="record the model in F32 as well")
    options = parser.parse_args()

    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / options.name
    exact = None
    if options.exact_too:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "exact.gguf"
            write_exact(options.model, path)
            model = load(path)
            exact = record(model, EXACT_WAYS, f"{stem}.exact")
            llama_cpp.llama_model_free(model)
    record(load(options.model), WAYS, stem, exact)


if __name__ == "__main__":
    main()
