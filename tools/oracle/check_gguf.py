"""GGUF files that heed writes, read by others: every tensor by gguf-py, in every element type,
and logits and ids by llama.cpp.

    python tools/oracle/check_gguf.py build/release/heed tests/fixtures/llama
    tests/fixtures/smollm2 ...

A config.json instead of a folder: the tensors of a model with random weights (llama.cpp wants a
vocabulary)."""
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from safetensors.numpy import load_file

TYPES = [
    "f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k",
    "q6_k", "iq4_nl"
]


def convert(program, *arguments):
    done = subprocess.run([program, "convert", *map(str, arguments)], capture_output=True,
                          text=True)
    assert done.returncode == 0, (arguments, done.stderr)


def compare_tensors(program, folder, work, dtype):
    """What gguf-py decodes from a file against what heed decodes: None when the rows do not fit
    the blocks of this type."""
    path = work / f"{dtype}.gguf"
    source = ["--random", folder] if folder.endswith(".json") else [folder]
    done = subprocess.run([program, "convert", *source, "--out",
                           str(path), "--dtype", dtype], capture_output=True, text=True)
    if done.returncode:
        assert "multiple of" in done.stderr, done.stderr
        return None
    convert(program, path, "--out", work / f"{dtype}.f32.gguf", "--dtype", "f32")
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    decoded = {t.name: t for t in gguf.GGUFReader(work / f"{dtype}.f32.gguf").tensors}
    assert tensors.keys() == decoded.keys()
    worst, blocks = 0.0, 0
    for name, t in tensors.items():
        blocks += t.tensor_type.name.lower() == dtype
        a, b = gguf.dequantize(t.data,
                               t.tensor_type).ravel(), decoded[name].data.ravel().astype(np.float32)
        assert a.shape == b.shape, name
        worst = max(worst, float(np.abs(a - b).max()))
    return worst if blocks else None


def compare_logits(program, folder, work):
    import llama_cpp
    path = work / "f32.gguf"
    if not path.exists():
        convert(program, folder, "--out", path, "--dtype", "f32")
    oracle = load_file(f"{folder}/oracle.safetensors")
    ids = oracle["in.input_ids"][0].tolist()
    if "in.attention_mask" in oracle:
        ids = ids[:int(oracle["in.attention_mask"][0].sum())]
    model = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True,
                            verbose=False, type_k=0, type_v=0, flash_attn=False)
    model.eval(ids)
    wanted = oracle["out.logits"][0][:len(ids)]
    found = np.array(model.scores[:len(ids)])[:, :wanted.shape[1]]
    return float(np.abs(found - wanted).max()), float(np.abs(wanted).max())


def main():
    program, wrong = sys.argv[1], 0
    for folder in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as name:
            work = pathlib.Path(name)
            found = {dtype: compare_tensors(program, folder, work, dtype) for dtype in TYPES}
            decoded = [dtype for dtype, worst in found.items() if worst is not None]
            unequal = [dtype for dtype in decoded if found[dtype] != 0]
            wrong += len(unequal)
            if folder.endswith(".json"):
                print(
                    f"{folder}: {len(decoded)} element types, {len(unequal)} decoded "
                    f"differently {unequal or ''}", flush=True)
                continue
            try:
                distance, largest = compare_logits(program, folder, work)
                wrong += distance > 1e-4 * largest
                logits = f"logits of llama.cpp within {distance:.2g} of {largest:.2g}"
            except Exception as problem:  # noqa: BLE001 - llama.cpp does not know every family
                logits = f"llama.cpp: {type(problem).__name__} {problem}"
            print(
                f"{folder}: {len(decoded)} element types "
                f"({' '.join(d for d in TYPES if d not in decoded) or 'none'} do not fit its "
                f"rows), "
                f"{len(unequal)} decoded differently {unequal or ''}; {logits}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
