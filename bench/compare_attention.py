#!/usr/bin/env python3
"""Attention of heed and of PyTorch's scaled_dot_product_attention, forward and forward with
backward: lengths 512 to 8192, head widths 64 and 128, causal and not, two heads of one sequence;
both sides in f32 and with bf16 operands, the same numbers, threads in turn.

    bench/compare_attention.py [--only 'attention both 64*'] [--rounds 5] [--threads 2]
        [--build build/release] [--json FILE]

Rates are in GFLOP/s: two matmuls forward, five backward, causal counts half. The peer of each
row is the faster of PyTorch's f32 and bf16 (bf16 tensors, its best use of the processor); heed's
side is its bf16 operands, and a second row has its f32 against PyTorch's f32. Outputs and
gradients of all sides are compared with PyTorch's f32. Needs torch and numpy, and
bench_attention (cmake --build ... --target bench)."""
import os, sys, tempfile, time

import rounds

HEADS = 2


def peer(arguments):
    """PyTorch's side, a process of its own: loads the same file, runs when asked, leaves its
    results in FILE.torch-DTYPE."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    path, length, width, causal, threads = arguments[0], *map(int, arguments[1:5])
    torch.set_num_threads(threads)
    data = torch.from_numpy(np.fromfile(path, dtype=np.float32,
                                        count=4 * length * HEADS * width)).view(
                                            4, length, HEADS, width)
    sides = {}
    for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        q, k, v, dy = (x.transpose(0, 1)[None].contiguous().to(dtype) for x in data)
        sides[name] = [x.requires_grad_(True) for x in (q, k, v)] + [dy]

    def once(side, backward):
        q, k, v, dy = sides[side]
        with torch.set_grad_enabled(backward):
            start = time.perf_counter()
            y = F.scaled_dot_product_attention(q, k, v, is_causal=bool(causal))
            gradients = torch.autograd.grad(y, (q, k, v), dy) if backward else ()
            return time.perf_counter() - start, (y, *gradients)

    def handle(side, backward, repeats=1, keep=False):
        seconds = 0
        for _ in range(repeats):
            one, results = once(side, backward)
            seconds += one
        if keep:
            np.concatenate([
                x.detach().float()[0].transpose(0, 1).reshape(-1).numpy() for x in results
            ]).tofile(f"{path}.torch-{side}")
        return {"seconds": seconds}

    rounds.serve(handle)


def differences(found, expected, parts):
    """Largest difference of y (and dq, dk, dv), relative to the largest element of each."""
    import numpy as np
    worst = []
    for a, b in zip(np.split(found, parts), np.split(expected, parts)):
        worst.append(float(np.abs(a - b).max() / np.abs(b).max()))
    return max(worst)


def compare(setup, width, causal, length, backward):
    import numpy as np
    work = (7 if backward else 2) * 2.0 * length * length * width * HEADS / (2 if causal else 1)
    parts = 4 if backward else 1
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: os.path.join(folder, name) for name in ("f32", "bf16")}
        numbers = np.random.default_rng(1).standard_normal((4, length, HEADS * width),
                                                           dtype=np.float32)
        for path in paths.values():
            numbers.tofile(path)
        program = os.path.join(setup.build, "bench", "bench_attention")
        mask = "causal" if causal else "none"
        ours = {
            name: rounds.Worker([
                program, "-f", path, "-t", setup.threads, "-l", length, "-w", width, "-m", mask,
                "-b",
                int(backward), "-p", name
            ], setup.threads)
            for name, path in paths.items()
        }
        theirs = rounds.Worker([
            sys.executable, __file__, "--peer", paths["f32"], length, width,
            int(causal), setup.threads
        ], setup.threads)
        repeats = max(1, round(4e10 / work))  # a round takes a fifth of a second or more

        def rate(worker, **request):
            time.sleep(0.3)  # until the other side's threads have stopped to spin
            return work * repeats / worker.ask(repeats=repeats, **request)["seconds"] / 1e9

        sides = {
            "heed bf16": lambda: rate(ours["bf16"]), "heed f32": lambda: rate(ours["f32"]),
            "PyTorch f32": lambda: rate(theirs, side="f32", backward=backward),
            "PyTorch bf16": lambda: rate(theirs, side="bf16", backward=backward)
        }
        result = rounds.interleave(sides, setup.rounds)
        for side in ("f32", "bf16"):
            theirs.ask(side=side, backward=backward, keep=True)
        for worker in (*ours.values(), theirs):
            worker.close()
        expected = np.fromfile(paths["f32"] + ".torch-f32", dtype=np.float32)
        offset = 4 * 4 * length * HEADS * width
        away = {
            name: differences(np.fromfile(path, dtype=np.float32, offset=offset), expected, parts)
            for name, path in paths.items()
        }
        peer_away = differences(np.fromfile(paths["f32"] + ".torch-bf16", dtype=np.float32),
                                expected, parts)
    agreement = (f"away from PyTorch f32, of the largest element: heed f32 {away['f32']:.1e}, "
                 f"heed bf16 {away['bf16']:.1e}, PyTorch bf16 {peer_away:.1e}")
    agrees = away["f32"] < 2e-5 and away["bf16"] < max(2 * peer_away, 1e-2)
    name = f"attention {'both' if backward else 'forward'} {width} {mask} {length}"
    command = f"bench/compare_attention.py --only '{name}'"
    values = result.values
    peaks = setup.peaks()
    fast = rounds.Result(
        {side: values[side]
         for side in ("heed bf16", "PyTorch f32", "PyTorch bf16")})
    exact = rounds.Result({side: values[side] for side in ("heed f32", "PyTorch f32")})
    share = lambda side, key: {
        "share": 1e9 * result.median(side) / peaks[key], "share_of": f"{side[5:]} peak"
    } if peaks.get(key) else {}
    yield rounds.Row(name, "GFLOP/s", fast, minimum=1.2, target=1.8, agreement=agreement,
                     agrees=agrees, command=command, **share("heed bf16", "bf16_flops_per_second"))
    yield rounds.Row(name + " f32", "GFLOP/s", exact, minimum=1.2, target=1.8, agrees=agrees,
                     command=command, **share("heed f32", "flops_per_second"))


PATHS = {
    f"attention {'both' if backward else 'forward'} {width} {'causal' if causal else 'none'} "
    f"{length}": (lambda setup, w=width, c=causal, n=length, b=backward: compare(setup, w, c, n, b))
    for backward in (True, False)
    for width in (64, 128)
    for causal in (True, False)
    for length in (512, 1024, 2048, 4096, 8192)
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2:])
    else:
        rounds.main(PATHS, __doc__)
