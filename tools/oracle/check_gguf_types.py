#!/usr/bin/env python3
"""Block types that heed reads and does not write: random blocks, decoded by gguf-py and by `heed
convert`; and the types that it refuses.

    python3 tools/oracle/check_gguf_types.py build/release/heed

Needs gguf and numpy."""
import os, subprocess, sys, tempfile
import gguf, numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type

READ = [Type.IQ4_XS, Type.TQ1_0, Type.TQ2_0, Type.MXFP4]
REFUSED = [Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ3_XXS, Type.IQ3_S]
SCALE_AT = {Type.IQ4_XS: 0, Type.TQ1_0: -2, Type.TQ2_0: -2}  # of the block's f16 scale


def write(path, kind, rng, vocabulary=64, width=512):
    """A llama of one layer whose matrices are random bytes with finite scales; returns those
    bytes by name."""
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(64), out.add_embedding_length(width), out.add_block_count(
        1), out.add_feed_forward_length(width), out.add_head_count(8), out.add_head_count_kv(8)
    out.add_layer_norm_rms_eps(1e-5), out.add_vocab_size(vocabulary), out.add_tokenizer_model(
        "no_vocab")
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        out.add_tensor(name + ".weight", np.ones(width, np.float32))
    length, size = GGML_QUANT_SIZES[kind]
    matrices = {}
    for name in ("token_embd", "output") + tuple("blk.0." + n for n in (
            "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")):
        blocks = rng.integers(0, 256,
                              ((width if "blk" in name else vocabulary) * width // length, size),
                              dtype=np.uint8)
        if kind == Type.MXFP4:
            blocks[:, 0] = rng.integers(100, 140, len(blocks))
        else:
            # an exponent bit of f16 less: neither infinite nor NaN
            blocks[:, SCALE_AT.get(kind, 0) % size + 1] &= 0xBB
        matrices[name + ".weight"] = blocks.reshape(-1, width // length * size)
        out.add_tensor(name + ".weight", matrices[name + ".weight"], raw_dtype=kind)
    out.write_header_to_file(), out.write_kv_data_to_file(), out.write_tensors_to_file(), out.close(
    )
    return matrices


def main():
    rng, wrong = np.random.default_rng(1), 0
    for kind in READ + REFUSED:
        with tempfile.TemporaryDirectory() as folder:
            source, plain = os.path.join(folder, "source.gguf"), os.path.join(folder, "plain.gguf")
            matrices = write(source, kind, rng)
            done = subprocess.run(
                [sys.argv[1], "convert", source, "--out", plain, "--dtype", "f32"],
                capture_output=True, text=True)
            if kind in REFUSED:
                said = done.returncode == 1 and f"has element type {kind.name}" in done.stderr
                wrong += not said
                print(f"{kind.name}: {'refused by name' if said else 'FAILED ' + done.stderr}")
                continue
            assert done.returncode == 0, done.stderr
            decoded = {t.name: t.data.ravel() for t in gguf.GGUFReader(plain).tensors}
            unequal = sum(
                int((gguf.dequantize(blocks, kind).ravel() != decoded[name]).sum())
                for name, blocks in matrices.items())
            wrong += unequal > 0
            print(f"{kind.name}: {sum(decoded[name].size for name in matrices)} values, {unequal} "
                  f"differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
