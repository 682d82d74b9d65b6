#!/usr/bin/env python3
"""Make tiny models with random weights and record what llama.cpp computes for them.

    python make_tiny_goldens.py

writes into tests/golden/inference/engine/tiny (or --out), for each of the MODELS below:

NAME.gguf   the model: one or two layers, no tokenizer.
NAME.json   "ids", the tokens it was given; "own", how far llama.cpp's other WAYS of computing are
            from its first.
NAME.bin    the first way's logits after each of the ids: [ids][vocabulary], little-endian f32.

They stand for the architectures, options and weight types of which no real file is at hand. Models
in F32 say whether the engine computes the right function; the others, whether it reads the type and
rounds as llama.cpp does. A distance is the largest difference of two logits at one place, and the
root of the mean square of all ("largest", "typical").

Needs llama-cpp-python (the goldens in the repository: 0.3.36, native build), gguf and numpy. The
weights are the same on every run.
"""

import argparse
import json
import pathlib

import gguf
import llama_cpp
import numpy as np

from gguf import GGMLQuantizationType as Type

VOCABULARY = 96
POSITIONS = 80
F32, F16 = 0, 1  # ggml's numbers of the types.

WAYS = {
    "at once": {},
    "one by one": {"piece": 1},
    "F16 keys and values": {"cache": F16},
    "flash attention": {"flash": True, "cache": F16},
}


class Model:
    """What a model is made of. Keys of the metadata are given without the architecture."""

    def __init__(self, name, architecture, type=Type.F32, embedding=64, layers=1, heads=4, kv_heads=2,
                 head_dim=16, feed_forward=96, tied=True, keys=None, factors=None):
        self.name = name
        self.architecture = architecture
        self.type = type
        self.embedding = embedding
        self.layers = layers
        self.heads = heads
        self.kv_heads = kv_heads
        self.head_dim = head_dim
        self.feed_forward = feed_forward
        self.tied = tied
        self.keys = keys or {}
        self.factors = factors

    def has(self, option):
        return option in {
            "llama": (),
            "qwen2": ("bias",),
            "qwen3": ("head norms",),
            "gemma3": ("head norms", "post norms"),
        }[self.architecture]


GEMMA = {
    "rope.freq_base": 1e6,
    "rope.scaling.type": "linear",
    "rope.scaling.factor": 8.0,
    "attention.sliding_window": 20,
}
MODELS = [
    Model("llama-f32", "llama", layers=2, tied=False),
    Model("llama-rope-factors", "llama", keys={"rope.freq_base": 5e5}, factors=[1, 1, 2, 3, 5, 8, 8, 8]),
    Model("llama-linear-rope", "llama", keys={"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}),
    Model("llama-yarn", "llama", head_dim=32, keys={"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                                                    "rope.scaling.original_context_length": 128}),
    Model("qwen2-f32", "qwen2", layers=2),
    Model("qwen3-f32", "qwen3", layers=2, head_dim=32, keys={"rope.freq_base": 1e6}),
    # Six layers, so that the fifth has a window and the sixth none.
    Model("gemma3-f32", "gemma3", layers=6, embedding=32, heads=2, kv_heads=1, head_dim=32, feed_forward=32,
          keys=GEMMA),
    Model("gemma3-softcap", "gemma3", head_dim=32, keys=GEMMA | {"final_logit_softcapping": 4.0}),
    Model("qwen3-q8_0", "qwen3", Type.Q8_0, layers=2, head_dim=32),
    Model("gemma3-q8_0", "gemma3", Type.Q8_0, layers=2, head_dim=32, keys=GEMMA),
] + [
    Model("llama-" + type.name.lower(), "llama", type, layers=2)
    for type in (Type.F16, Type.BF16, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0)
] + [
    # Blocks of 256.
    Model("llama-" + type.name.lower(), "llama", type, embedding=256, head_dim=64, feed_forward=256)
    for type in (Type.Q4_K, Type.Q5_K, Type.Q6_K)
]


def half(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def random_blocks(rng, type, rows, columns):
    """Rows of blocks of random bits whose scales keep the numbers within ±0.2 or so."""
    elements, size = gguf.GGML_QUANT_SIZES[type]
    blocks = rng.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    # Where the scale and the minimum (or the scale of the minimums) lie, and how many steps of the
    # scale make a number near the largest.
    scale_at, minimum_at, steps = {Type.Q4_K: (0, 2, 32 * 8), Type.Q5_K: (0, 2, 32 * 16),
                                   Type.Q6_K: (208, None, 64 * 32)}[type]
    for block in blocks:
        scale = (0.5 + rng.random()) * 0.12
        block[scale_at : scale_at + 2] = half(scale / steps)
        if minimum_at is not None:
            block[minimum_at : minimum_at + 2] = half(scale / 32)
    return blocks.reshape(rows, columns // elements * size)


class Writer:
    def __init__(self, model, path):
        self.model = model
        self.rng = np.random.default_rng(20240229)
        self.file = gguf.GGUFWriter(path, model.architecture)

    def write(self):
        model = self.model
        self.keys()
        self.matrix("token_embd.weight", model.embedding, VOCABULARY)
        for index in range(model.layers):
            self.layer(f"blk.{index}.")
        self.vector("output_norm.weight", model.embedding)
        if not model.tied:
            self.matrix("output.weight", model.embedding, VOCABULARY)
        if model.factors:
            self.file.add_tensor("rope_freqs.weight", np.array(model.factors, np.float32))
        self.file.write_header_to_file()
        self.file.write_kv_data_to_file()
        self.file.write_tensors_to_file()
        self.file.close()

    def keys(self):
        model, file = self.model, self.file
        file.add_block_count(model.layers)
        file.add_context_length(512)
        file.add_embedding_length(model.embedding)
        file.add_feed_forward_length(model.feed_forward)
        file.add_head_count(model.heads)
        file.add_head_count_kv(model.kv_heads)
        file.add_key_length(model.head_dim)
        file.add_value_length(model.head_dim)
        file.add_layer_norm_rms_eps(1e-5)
        file.add_vocab_size(VOCABULARY)
        file.add_string("tokenizer.ggml.model", "no_vocab")
        for key, value in model.keys.items():
            add = {int: file.add_uint32, float: file.add_float32, str: file.add_string}[type(value)]
            add(f"{model.architecture}.{key}", value)

    def vector(self, name, size, middle=1.0):
        values = middle + self.rng.integers(-32, 33, size) / 64
        self.file.add_tensor(name, values.astype(np.float32))

    def matrix(self, name, columns, rows):
        if self.model.type in (Type.Q4_K, Type.Q5_K, Type.Q6_K):
            data = random_blocks(self.rng, self.model.type, rows, columns)
            self.file.add_tensor(name, data, raw_dtype=self.model.type)
            return
        # Few bits a number, which git stores well; exact in every float.
        values = (self.rng.integers(-60, 61, (rows, columns)) / 512).astype(np.float32)
        if self.model.type == Type.F32:
            self.file.add_tensor(name, values)
        else:
            data = gguf.quants.quantize(values, self.model.type)
            self.file.add_tensor(name, data, raw_dtype=self.model.type)

    def layer(self, at):
        model = self.model
        queries, keys = model.heads * model.head_dim, model.kv_heads * model.head_dim
        self.vector(at + "attn_norm.weight", model.embedding)
        self.matrix(at + "attn_q.weight", model.embedding, queries)
        self.matrix(at + "attn_k.weight", model.embedding, keys)
        self.matrix(at + "attn_v.weight", model.embedding, keys)
        if model.has("bias"):
            self.vector(at + "attn_q.bias", queries, 0)
            self.vector(at + "attn_k.bias", keys, 0)
            self.vector(at + "attn_v.bias", keys, 0)
        if model.has("head norms"):
            self.vector(at + "attn_q_norm.weight", model.head_dim)
            self.vector(at + "attn_k_norm.weight", model.head_dim)
        self.matrix(at + "attn_output.weight", queries, model.embedding)
        self.vector(at + "ffn_norm.weight", model.embedding)
        self.matrix(at + "ffn_gate.weight", model.embedding, model.feed_forward)
        self.matrix(at + "ffn_up.weight", model.embedding, model.feed_forward)
        self.matrix(at + "ffn_down.weight", model.feed_forward, model.embedding)
        if model.has("post norms"):
            self.vector(at + "post_attention_norm.weight", model.embedding)
            self.vector(at + "post_ffw_norm.weight", model.embedding)


def logits_of(path, ids, piece=1 << 20, cache=F32, flash=False):
    """[ids][vocabulary], by llama.cpp."""
    model = llama_cpp.llama_model_load_from_file(
        str(path).encode(), llama_cpp.llama_model_default_params()
    )
    if not model:
        raise SystemExit(f"{path}: llama.cpp could not load it")
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = 512
    settings.n_threads = settings.n_threads_batch = 1
    settings.flash_attn_type = 1 if flash else 0
    settings.type_k = settings.type_v = cache
    context = llama_cpp.llama_init_from_model(model, settings)
    rows = []
    for begin in range(0, len(ids), piece):
        part = ids[begin : begin + piece]
        batch = llama_cpp.llama_batch_init(len(part), 0, 1)
        batch.n_tokens = len(part)
        for i, token in enumerate(part):
            batch.token[i] = token
            batch.pos[i] = begin + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = True
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit(f"{path}: llama_decode failed")
        for i in range(len(part)):
            row = llama_cpp.llama_get_logits_ith(context, i)
            rows.append(np.ctypeslib.as_array(row, (VOCABULARY,)).copy())
        llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.array(rows)


def distance(a, b):
    apart = a.astype(np.float64) - b
    return {"largest": float(f"{np.abs(apart).max():.4g}"),
            "typical": float(f"{np.sqrt((apart**2).mean()):.4g}")}


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path,
                        default=here.parent / "golden" / "inference" / "engine" / "tiny")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    silence = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(silence, None)
    ids = [int(i) for i in np.random.default_rng(7).integers(0, VOCABULARY, POSITIONS)]
    for model in MODELS:
        path = out / f"{model.name}.gguf"
        Writer(model, path).write()
        logits = {name: logits_of(path, ids, **way) for name, way in WAYS.items()}
        first = logits["at once"]
        (out / f"{model.name}.bin").write_bytes(first.astype("<f4").tobytes())
        own = {name: distance(row, first) for name, row in logits.items() if name != "at once"}
        lines = [f'{{"reference": "llama-cpp-python {llama_cpp.__version__}"', f' "ids": {json.dumps(ids)}',
                 f' "own": {json.dumps(own)}}}\n']
        (out / f"{model.name}.json").write_text(",\n".join(lines))
        print(model.name, path.stat().st_size, "bytes; largest logit", np.abs(first).max(), own)


if __name__ == "__main__":
    main()
