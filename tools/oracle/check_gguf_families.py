"""GGUF files of every family that llama.cpp knows, by models whose every tensor is random:
logits of the folder and of the file by heed, of the file by llama.cpp. Configurations are those
of the fixtures, changed where llama.cpp cannot say them.

    python tools/oracle/check_gguf_families.py build/release/heed tests/fixtures"""
import json
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
from safetensors.numpy import load_file, save_file

# What is changed in the fixture's config.json; the largest difference to llama.cpp that is
# accepted, as a share of the largest logit:
# llama.cpp looks GELU up in a table of 16-bit floats.
EXACT, TABLE = 1e-5, 2e-3
CASES = [("llama", {}, EXACT), ("qwen2", {}, EXACT), ("qwen3", {}, EXACT), ("gpt2", {}, TABLE),
         ("gemma", {}, TABLE), ("gemma2", {}, TABLE),
         ("gemma2", {"num_hidden_layers": 5, "layer_types": None}, TABLE), ("gemma3", {}, TABLE),
         ("gemma3", {"num_hidden_layers": 7, "layer_types": None,
                     "rope_local_base_freq": 300.0}, TABLE),
         ("gemma3", {"rope_scaling": {"rope_type": "linear", "factor": 8.0}}, TABLE),
         ("phi3", {}, EXACT),
         ("phi3", {
             "rope_parameters": {
                 "partial_rotary_factor": 0.5, "rope_theta": 10000.0, "rope_type": "default"
             }
         }, EXACT), ("phi3-longrope", {}, EXACT), ("mixtral", {}, EXACT),
         ("qwen2_moe", {"mlp_only_layers": []}, EXACT), ("qwen3_moe", {}, EXACT),
         ("olmo2", {}, EXACT), ("gpt_oss", {}, EXACT), ("cohere", {}, EXACT),
         ("cohere", {"use_qk_norm": True, "num_hidden_layers": 64}, EXACT),
         ("phi", {"qk_layernorm": False}, TABLE), ("starcoder2", {"sliding_window": None}, TABLE),
         ("gpt_bigcode", {}, TABLE), ("falcon", {}, TABLE), ("falcon-groups", {}, TABLE),
         ("bloom", {}, TABLE),
         ("bloom-6-heads", {"apply_residual_connection_post_layernorm": False}, TABLE),
         ("mpt-clip", {}, TABLE), ("gpt_neox", {}, TABLE),
         ("gpt_neox", {"use_parallel_residual": False}, TABLE)]


def run(*arguments):
    done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)


def make_folder(program, fixture, changes, work, rng):
    """A folder with random weights, gains and biases included."""
    config = json.loads(
        (fixture / "config.json").read_text()) | changes | {"initializer_range": 0.15}
    (work / "c.json").write_text(json.dumps(config))
    run(program, "convert", "--random", work / "c.json", "--out", work / "folder", "--dtype", "f32",
        "--seed", "1")
    path = next((work / "folder").glob("*.safetensors"))
    tensors = load_file(path)
    for name, tensor in tensors.items():
        tensors[name] = tensor + rng.normal(0, 0.2 if tensor.ndim == 1 else 0.02,
                                            tensor.shape).astype(np.float32)
    save_file(tensors, path, metadata={"format": "pt"})
    return config["vocab_size"]


def logits_of_heed(program, model, ids, work):
    save_file({"in.input_ids": np.array([ids], np.int64)}, work / "in.safetensors")
    run(program, "forward", model, "--in", work / "in.safetensors", "--out",
        work / "out.safetensors")
    return load_file(work / "out.safetensors")["out.logits"][0]


def logits_of_llama_cpp(path, ids):
    model = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True,
                            verbose=False, type_k=0, type_v=0, flash_attn=False)
    model.eval(ids)
    return np.array(model.scores[:len(ids)])


def check(program, fixture, changes, accepted, number):
    rng = np.random.default_rng(number)
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        vocabulary = make_folder(program, fixture, changes, work, rng)
        ids = rng.integers(3, vocabulary, 24).tolist()
        run(program, "convert", work / "folder", "--out", work / "m.gguf", "--dtype", "f32")
        folder, file = (logits_of_heed(program, work / of, ids, work)
                        for of in ("folder", "m.gguf"))
        other = logits_of_llama_cpp(work / "m.gguf", ids)[:, :file.shape[1]]
        own, theirs, largest = float(np.abs(folder - file).max()), float(
            np.abs(file - other).max()), float(np.abs(file).max())
        # Gains stored as g - 1 are rounded once more.
        good = own <= (1e-6 *
                       largest if "gemma" in fixture.name else 0) and theirs <= accepted * largest
        print(
            f"{'' if good else 'FAILED '}{fixture.name} {changes or ''}: folder and GGUF differ "
            f"by {own:.2g}, llama.cpp by {theirs:.2g} of {largest:.3g}", flush=True)
        return good


def main():
    program, fixtures, wrong = sys.argv[1], pathlib.Path(sys.argv[2]), 0
    for number, (fixture, changes, accepted) in enumerate(CASES):
        try:
            wrong += not check(program, fixtures / fixture, changes, accepted, number)
        except Exception as problem:  # noqa: BLE001 - a failed case must not hide the others
            wrong += 1
            print(
                f"FAILED {fixture} {changes or ''}: {type(problem).__name__} "
                f"{str(problem)[-300:]}", flush=True)
    print(f"{len(CASES) - wrong} of {len(CASES)} agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
