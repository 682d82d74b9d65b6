#!/usr/bin/env python3
"""Writes a GGUF model as a folder in the layout of Hugging Face, and as a GGUF of the same weights.

usage: gguf_to_safetensors.py SOURCE.gguf FOLDER TARGET.gguf [F32 | F16 | BF16]

Quantized matrices become the type given, F32 if none is; norms and biases stay F32. FOLDER gets
config.json, tokenizer.json, tokenizer_config.json, generation_config.json and model.safetensors;
TARGET.gguf the same numbers under the source's metadata. Needs numpy and gguf. Llama and Qwen2 with
byte-level BPE are known. To see that both compute the same bits:

  trialwright generate FOLDER --raw --json --logprobs 20 --prompt 'Once upon a time'
  trialwright generate TARGET.gguf --raw --json --logprobs 20 --prompt 'Once upon a time'
"""

import json
import pathlib
import struct
import sys

import gguf
import numpy as np

LAYER_NAMES = {
    "attn_norm.weight": "input_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_q.bias": "self_attn.q_proj.bias",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_k.bias": "self_attn.k_proj.bias",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_v.bias": "self_attn.v_proj.bias",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5


class Source:
    """A GGUF file's values and numbers."""

    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.architecture = self.value("general.architecture")

    def value(self, key, otherwise=None):
        field = self.reader.get_field(key)
        return otherwise if field is None else field.contents()

    def size(self, key, otherwise=None):
        return self.value(f"{self.architecture}.{key}", otherwise)


def halves(rows, heads):
    """Rows 0, 2, 4, ... of every head, then rows 1, 3, 5, ..."""
    count, columns = rows.shape
    return rows.reshape(heads, count // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows.shape)


def stored(values, kind):
    """A tensor's name of type, GGUF's number for it, and its bytes."""
    if kind == "F32":
        return "F32", gguf.GGMLQuantizationType.F32, values.astype(np.float32)
    if kind == "F16":
        return "F16", gguf.GGMLQuantizationType.F16, values.astype(np.float16)
    return "BF16", gguf.GGMLQuantizationType.BF16, gguf.quants.quantize(
        values.astype(np.float32), gguf.GGMLQuantizationType.BF16)


def tensors(source, kind):
    """Every tensor's name in GGUF, its type and its numbers, outermost dimension first."""
    for tensor in source.reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = np.asarray(values, dtype=np.float32).reshape(tuple(reversed(tensor.shape.tolist())))
        yield tensor.name, kind if values.ndim > 1 else "F32", values


def transformers_name(name):
    fixed = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
             "output.weight": "lm_head.weight"}
    if name in fixed:
        return fixed[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{LAYER_NAMES[rest]}"


def write_safetensors(path, source, kind):
    header, blocks, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, own_kind, values in tensors(source, kind):
        if source.architecture == "llama" and name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = "attention.head_count" if "attn_q" in name else "attention.head_count_kv"
            values = halves(values, source.size(heads))
        dtype, _, numbers = stored(values, own_kind)
        data = numbers.tobytes()
        header[transformers_name(name)] = {"dtype": dtype, "shape": list(values.shape),
                                           "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        blocks.append(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for block in blocks:
            out.write(block)


def write_gguf(path, source, kind):
    writer = gguf.GGUFWriter(path, source.architecture)
    for field in source.reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub_type)
    for name, own_kind, values in tensors(source, kind):
        _, number, data = stored(values, own_kind)
        writer.add_tensor(name, data, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def config(source):
    size = source.size
    embedding = next(t for t in source.reader.tensors if t.name == "token_embd.weight")
    return {
        "architectures": [CLASSES[source.architecture]],
        "num_hidden_layers": size("block_count"),
        "max_position_embeddings": size("context_length"),
        "hidden_size": size("embedding_length"),
        "intermediate_size": size("feed_forward_length"),
        "num_attention_heads": size("attention.head_count"),
        "num_key_value_heads": size("attention.head_count_kv"),
        "rms_norm_eps": size("attention.layer_norm_rms_epsilon"),
        "rope_theta": size("rope.freq_base", 10000.0),
        "hidden_act": "silu",
        "tie_word_embeddings": all(t.name != "output.weight" for t in source.reader.tensors),
        "vocab_size": int(embedding.shape[1]),
    }


def pre_tokenizer(name):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    if name == "smollm":
        steps = [{"type": "Digits", "individual_digits": True}, {**byte_level, "use_regex": True}]
    elif name in ("qwen2", "llama-bpe"):
        pattern = LLAMA3 if name == "llama-bpe" else LLAMA3.replace("{1,3}", "")
        steps = [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                 {**byte_level, "use_regex": False}]
    else:
        raise SystemExit(f"the pre-tokenizer {name} is not known here")
    return {"type": "Sequence", "pretokenizers": steps}


def tokenizer(source):
    tokens = source.value("tokenizer.ggml.tokens")
    kinds = source.value("tokenizer.ggml.token_type")
    pre = source.value("tokenizer.ggml.pre")
    added = [{"id": i, "content": tokens[i], "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": kinds[i] == CONTROL}
             for i in range(len(tokens)) if kinds[i] in (CONTROL, USER_DEFINED)]
    left_out = (CONTROL, USER_DEFINED, UNUSED)
    return {
        "version": "1.0", "added_tokens": added, "normalizer": None,
        "pre_tokenizer": pre_tokenizer(pre), "post_processor": None,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False,
                  "ignore_merges": pre == "llama-bpe",
                  "vocab": {t: i for i, t in enumerate(tokens) if kinds[i] not in left_out},
                  "merges": source.value("tokenizer.ggml.merges")},
    }


def tokenizer_config(source):
    tokens = source.value("tokenizer.ggml.tokens")
    settings = {"add_bos_token": bool(source.value("tokenizer.ggml.add_bos_token", False))}
    for role in ("bos", "eos"):
        token = source.value(f"tokenizer.ggml.{role}_token_id")
        if token is not None:
            settings[f"{role}_token"] = tokens[token]
    template = source.value("tokenizer.chat_template")
    if template is not None:
        settings["chat_template"] = template
    return settings


def main():
    if len(sys.argv) not in (4, 5):
        raise SystemExit(__doc__)
    source, folder, target = Source(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    kind = sys.argv[4] if len(sys.argv) == 5 else "F32"
    folder.mkdir(parents=True, exist_ok=True)
    files = {"config.json": config(source), "tokenizer.json": tokenizer(source),
             "tokenizer_config.json": tokenizer_config(source),
             "generation_config.json": {"eos_token_id": source.value("tokenizer.ggml.eos_token_id")}}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    write_safetensors(folder / "model.safetensors", source, kind)
    write_gguf(target, source, kind)


if __name__ == "__main__":
    main()
