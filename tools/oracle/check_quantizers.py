#!/usr/bin/env python3
"""Block types that heed writes, beside llama.cpp's quantizer without importance matrix: what
rounding leaves of the weights.

    python3 tools/oracle/check_quantizers.py build/release/heed [--real FOLDER] [--types q4_k
    ...]

A llama whose matrices come from a source - normal numbers, Student's t with 4 degrees of
freedom, single outliers, real weights (all-MiniLM-L6-v2 as published, SmolLM2-135M out of its
Q4_1 file; tools/fetch_real_weights.py) - is written by `heed convert --dtype TYPE` and by
llama.cpp's llama_model_quantize (pure: one type for all tensors). Both files are decoded by
gguf-py; the error of a type is the root of the mean square of what is lost over that of the
weights. Needs gguf, numpy, safetensors and llama-cpp-python. Fails where heed loses over 1 %
more."""
import argparse, ctypes, os, subprocess, sys, tempfile
import gguf, llama_cpp, numpy as np
from safetensors.numpy import load_file

WIDTH, LAYERS, VOCABULARY = 512, 2, 256
MATRICES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
TYPES = dict(q4_0="Q4_0", q4_1="Q4_1", q5_0="Q5_0", q5_1="Q5_1", q8_0="Q8_0", q2_k="Q2_K",
             q3_k="Q3_K_M", q4_k="Q4_K_M", q5_k="Q5_K_M", q6_k="Q6_K", iq4_nl="IQ4_NL")
COUNT = (LAYERS * len(MATRICES) * WIDTH + 2 * VOCABULARY) * WIDTH


def outliers(rng):
    x = rng.normal(0, .02, COUNT)
    x[rng.integers(0, COUNT, COUNT // 500)] *= 20
    return x


def minilm(folder):
    """Rows of all linear layers, end to end."""
    tensors = load_file(os.path.join(folder, "minilm", "model.safetensors"))
    return np.concatenate(
        [v.ravel() for k, v in sorted(tensors.items()) if ".layer." in k and v.ndim == 2])


def smollm2(folder):
    """The matrices whose rows are whole blocks of 256 numbers."""
    reader = gguf.GGUFReader(os.path.join(folder, "smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"))
    return np.concatenate([
        gguf.dequantize(t.data, t.tensor_type).ravel() for t in reader.tensors
        if "ffn_down" in t.name
    ])


def write(path, numbers):
    out = gguf.GGUFWriter(path, "llama")
    out.add_context_length(64), out.add_embedding_length(WIDTH), out.add_block_count(
        LAYERS), out.add_feed_forward_length(WIDTH), out.add_head_count(8), out.add_head_count_kv(8)
    out.add_layer_norm_rms_eps(1e-5), out.add_vocab_size(VOCABULARY), out.add_tokenizer_model(
        "no_vocab"), out.add_rope_dimension_count(WIDTH // 8)
    at = 0
    for name, rows in [("token_embd", VOCABULARY),
                       ("output", VOCABULARY)] + [(f"blk.{i}.{m}", WIDTH) for i in range(LAYERS)
                                                  for m in MATRICES]:
        out.add_tensor(name + ".weight",
                       numbers[at:at + rows * WIDTH].reshape(rows, WIDTH).astype(np.float32))
        at += rows * WIDTH
    for name in ["output_norm"
                 ] + [f"blk.{i}.{m}" for i in range(LAYERS) for m in ("attn_norm", "ffn_norm")]:
        out.add_tensor(name + ".weight", np.ones(WIDTH, np.float32))
    out.write_header_to_file(), out.write_kv_data_to_file(), out.write_tensors_to_file(), out.close(
    )


def matrices(path):
    return {
        t.name: (gguf.dequantize(t.data,
                                 t.tensor_type).ravel().astype(np.float64), t.tensor_type.name)
        for t in gguf.GGUFReader(path).tensors if "norm" not in t.name
    }


def by_llama_cpp(plain, path, kind):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + TYPES[kind])
    parameters.pure, parameters.nthread = True, 2
    assert llama_cpp.llama_model_quantize(plain.encode(), path.encode(),
                                          ctypes.byref(parameters)) == 0


def loss(plain, rounded, kind):
    lost = held = 0
    for name, (values, _) in plain.items():
        assert rounded[name][1] == kind.upper(), (name, rounded[name][1], kind)
        lost, held = lost + ((values - rounded[name][0])**2).sum(), held + (values**2).sum()
    return (lost / held)**.5


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("heed")
    parser.add_argument("--real", default=os.path.expanduser("~/.cache/heed/real"))
    parser.add_argument("--types", nargs="+", default=list(TYPES))
    options = parser.parse_args()
    rng = np.random.default_rng(5)
    sources = {
        "normal": rng.normal(0, .02, COUNT), "t, 4 degrees": .02 * rng.standard_t(4, COUNT),
        "outliers": outliers(rng), "MiniLM": minilm(options.real), "SmolLM2": smollm2(options.real)
    }
    llama_cpp.llama_log_set(quiet, None)
    worse = 0
    print(f"{'type':8}" + "".join(f"{name:>32}" for name in sources) + "\n" + " " * 8 +
          f"{'heed, llama.cpp, ratio':>32}" * len(sources))
    for kind in options.types:
        line = f"{kind:8}"
        for name, numbers in sources.items():
            with tempfile.TemporaryDirectory() as folder:
                plain, own, theirs = (os.path.join(folder, f)
                                      for f in ("plain.gguf", "heed.gguf", "llama.gguf"))
                write(plain, numbers)
                subprocess.run([options.heed, "convert", plain, "--out", own, "--dtype", kind],
                               check=True, capture_output=True)
                by_llama_cpp(plain, theirs, kind)
                exact = matrices(plain)
                a, b = loss(exact, matrices(own), kind), loss(exact, matrices(theirs), kind)
            ratio = a / b if b else 1. if a == 0 else np.inf
            worse += ratio > 1.01
            line += f"{f'{a:.6f} {b:.6f} {ratio:.4f}':>32}"
        print(line, flush=True)
    print(f"{worse} are worse by over 1 %")
    return 1 if worse else 0


@llama_cpp.llama_log_callback
def quiet(level, text, data):
    pass


if __name__ == "__main__":
    sys.exit(main())
