#!/usr/bin/env python3
"""Reading and writing tokens beside llama.cpp, the same GGUF files, threads and tokens.

    bench/compare_llama.py [--only PATH...] [--rounds 5] [--threads 2] [--build build/release]
    [--json FILE]

llama.cpp runs with flash attention and without, and counts with the better. After 8,192 tokens,
where attention decides, heed runs in its exact mode and with the matmuls of attention rounded
to bf16 (llama.cpp rounds keys, values, queries and weights to f16). Random models are written
once by `heed convert --random`. Outputs: logits after a prompt of 32 tokens (heed in its exact
mode, llama.cpp as it is), the distance as a share of their standard deviation; both round
activations to 8 bits, not at the same places, and half a rounding step may turn, so that
agreement is what two such computations can have (docs/worklog.md, 2026-11-24)."""
import json, os, subprocess, sys, tempfile
import rounds
from rounds import Row, Worker, interleave

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_key_value_heads": 8,
    "vocab_size": 32000, "max_position_embeddings": 16384, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": True
}
SHAPES = {
    "0.4b": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24,
                 num_attention_heads=16), "1b": dict(hidden_size=2048, intermediate_size=8192,
                                                     num_hidden_layers=16, num_attention_heads=32)
}
# root mean square of the difference of logits over their standard deviation: blocks of 4 bits, 16
# to 30 layers
LIMIT = 0.10


def made(setup, shape, dtype):
    """The random model, written when it is not there."""
    os.makedirs(setup.made, exist_ok=True)
    path = os.path.join(setup.made, f"llama-{shape}-{dtype}.gguf")
    if not os.path.exists(path):
        config = os.path.join(setup.made, f"llama-{shape}.json")
        with open(config, "w") as file:
            json.dump({**LLAMA, **SHAPES[shape]}, file)
        print(f"  writing {path}", file=sys.stderr, flush=True)
        partial = path[:-5] + ".partial.gguf"
        subprocess.run(
            [setup.heed, "convert", "--random", config, "--dtype", dtype, "--out", partial],
            check=True, stderr=subprocess.DEVNULL)
        os.rename(partial, path)
    return path


def peer(setup, model, flash, context, depth):
    return Worker([
        setup.python,
        os.path.join(HERE, "peer_llama.py"), model, "--threads", setup.threads, "--context",
        context, "--depth", depth
    ] + (["--flash-attention"] if flash else []), setup.threads)


def ours(setup, model, *arguments):
    return Worker(
        [setup.heed, "bench", "-m", model, "--on-request", "-t", setup.threads, *arguments],
        setup.threads)


# options of computing (those over blocks stay as they are), of the cache
EXACT, ROUNDED = ((), ()), (("--compute", "bf16"), ("--cache", "bf16"))


def agreement(setup, model, llama, options):
    """Logits of both after the same prompt, for which heed keeps no cache; llama.cpp's is empty
    afterwards."""
    import numpy as np
    ids = [(i * 7919 + 1) % 997 + 3 for i in range(32)]
    theirs = np.array(llama.ask(logits=ids)["logits"])
    with tempfile.TemporaryDirectory() as folder:
        from safetensors.numpy import load_file, save_file
        save_file({"in.input_ids": np.array([ids], dtype=np.int64)}, f"{folder}/in.safetensors")
        command = [
            setup.heed, "forward", model, "--in", f"{folder}/in.safetensors", "--out",
            f"{folder}/out.safetensors", "-t",
            str(setup.threads), *options
        ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        mine = load_file(f"{folder}/out.safetensors")["out.logits"][0, -1].astype(float)
    distance = float(np.sqrt(np.mean((mine - theirs)**2)) / theirs.std())
    likeliest = "the same" if mine.argmax() == theirs.argmax() else "another"
    return distance < LIMIT, (f"logits after 32 tokens differ by {distance:.3f} of their standard "
                              f"deviation (limit {LIMIT}), {likeliest} token is the likeliest")


def measure(setup, name, model, minimum, target, prompt=512, count=0, depth=0, modes=()):
    """A row for heed's exact mode and one for each further mode (name, options as in ROUNDED):
    reading `prompt` tokens after `depth` others, or with `count` writing so many after them."""
    context = depth + prompt + count + 64
    kind = "decode" if count else "prefill"
    modes = {"heed": EXACT, **dict(modes)}
    llamas = {
        f"llama.cpp{' fa' if flash else ''}": peer(setup, model, flash, context, depth)
        for flash in (False, True)
    }
    request = dict(decode=count, prompt=prompt) if count else dict(prefill=prompt)
    mine = {
        label: ours(setup, model, "-p", prompt, "-n", count, "--depth", depth, *computing, *cache)
        for label, (computing, cache) in modes.items()
    }
    sides = {
        label: lambda worker=worker: worker.ask()[f"{kind}_tokens_per_second"]
        for label, worker in mine.items()
    }
    sides.update({
        label: lambda worker=worker: worker.ask(**request)[kind]
        for label, worker in llamas.items()
    })
    values = interleave(sides, setup.rounds).values
    for worker in mine.values():
        worker.close()
    agreements = {
        label: agreement(setup, model, next(iter(llamas.values())), computing)
        for label, (computing, _) in modes.items()
    }
    for worker in llamas.values():
        worker.close()
    speed = rounds.heed_json(setup.heed, "bench", "-m", model, "-p", min(prompt, 64), "-n", 4,
                             "--rounds", 1, threads=setup.threads)
    peaks = speed["machine"]
    for label, (computing, cache) in modes.items():
        result = rounds.Result({side: values[side] for side in (label, *llamas)})
        agrees, how = agreements[label]
        row = Row(
            name + label[len("heed"):], "tokens/s", result, minimum, target, how, agrees,
            command=" ".join(
                [f"heed bench -m {os.path.basename(model)} -p {prompt} -n "
                 f"{count}"] + ([f"--depth {depth}"] if depth else []) + [*computing, *cache]))
        if count:
            row.share, row.share_of = result.median(label) * speed["bytes_per_token"] / peaks[
                "memory_bytes_per_second"], "read bandwidth"
        elif not depth:
            row.share, row.share_of = result.median(label) * speed[
                "prefill_operations_per_token"] / peaks["int8_ops_per_second"], "int8 peak"
        yield row


def smollm2(setup):
    return os.path.join(setup.real, "smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")


def decode_large(setup):
    """Judged by the ratio or by the share of the read bandwidth, whichever asks less."""
    row, = measure(setup, "decode, 1 B Q4_0", made(setup, "1b", "q4_0"), 1.1, None, prompt=32,
                   count=32)
    if row.verdict == "below minimum" and row.share is not None:
        row.by_share, row.minimum, row.target = True, 0.85, 0.93
    yield row


def one(name, model, *numbers, **how):
    def path(setup):
        yield from measure(setup, name, model(setup), *numbers, **how)

    return path


PATHS = {
    "prefill-smollm2": one("prefill 512, SmolLM2-135M Q4_1", smollm2, 3, 6),
    "decode-smollm2": one("decode, SmolLM2-135M Q4_1", smollm2, 1.5, 2.2, prompt=32, count=64)
}
for dtype in ("q4_0", "q8_0", "q4_k"):
    PATHS[f"prefill-{dtype.replace('_', '')}"] = one(
        f"prefill 512, 0.4 B {dtype.upper()}",
        lambda setup, dtype=dtype: made(setup, "0.4b", dtype), 1.5, 2.5)
PATHS["decode-1b"] = decode_large
PATHS["prefill-8k"] = one("prefill 512 at 8k depth, 1 B Q4_0",
                          lambda setup: made(setup, "1b", "q4_0"), 2, 3, depth=8192,
                          modes=[("heed, attention in bf16", ROUNDED)])

if __name__ == "__main__":
    rounds.main(PATHS, __doc__)
