#!/usr/bin/env python3
"""Matmuls of heed and of PyTorch (MKL for f32, oneDNN for bf16) in turn: the same
operands, the same threads, both processes loaded once.

    bench/compare_matmuls.py [--only 'f32*' ...] [--rounds 5] [--threads 2]
        [--build build/release] [--json FILE]

Ours: a (M,K) f32 times W^T; W as a model holds it (panels packed beforehand, bf16 squares in
bf16) or, "unpacked", as rows that every matmul packs for itself, as in training. PyTorch:
torch.nn.functional.linear on rows; torch.matmul with a transposed copy too, the faster one
counting. bf16: heed rounds f32 operands itself and writes f32. PyTorch gets bf16 operands and
writes bf16; where weights are f32 it does what its autocast does: activations come in bf16,
weights are rounded within the time, their gradient is widened to f32. Matmuls with one row walk
through copies of W larger than the caches and are judged by their share of the read bandwidth
that `heed bench --machine` measures in turn with them: on a shared machine it halves and doubles
from one minute to the next. Needs torch
and numpy; build the target `bench` first."""
import os, shutil, sys, tempfile, time

import rounds

SQUARES, FEW, SIDES = (1024, 2048, 4096), (2, 4, 8, 16, 32, 64), (768, 2048, 4096)
COLD_BYTES = 256 << 20


def torch_side(threads):
    """The worker's loop: holds one matmul, times it when asked."""
    import statistics
    import numpy as np
    import torch
    torch.set_num_threads(threads)
    held = {}

    def handle(do, **request):
        if do == "load":
            m, n, k, gradient, dtype = (request[name]
                                        for name in ("m", "n", "k", "gradient", "dtype"))
            read = lambda name, shape: torch.from_numpy(
                np.fromfile(os.path.join(request["folder"], name), dtype=np.float32).reshape(shape)
            ).to(getattr(torch, dtype))
            a = read("a.bin", (k, m) if gradient == "weight" else (m, k))
            w = read("b.bin", (k, n) if gradient else (n, k))
            held["ways"] = [lambda: torch.matmul(a.T if gradient == "weight" else a, w)
                            ] if gradient else [lambda: torch.nn.functional.linear(a, w)]
            if request["autocast"]:
                single = w.float()
                held["ways"] = {
                    "weight": [lambda: torch.matmul(a.T, w).float()],
                    "input": [lambda: torch.matmul(a, single.to(w.dtype))],
                    "": [lambda: torch.nn.functional.linear(a, single.to(w.dtype))]
                }[gradient]
            elif not gradient:
                transposed = w.T.contiguous()
                held["ways"].append(lambda: torch.matmul(a, transposed))
            result = held["ways"][0]().float().numpy()
            ours = np.fromfile(os.path.join(request["folder"], "c.bin"),
                               dtype=np.float32).reshape(m, n)
            return {"difference": float(np.abs(result - ours).max() / np.abs(result).max())}
        best = None
        for way in held["ways"]:
            way()
            times, begin = [], time.perf_counter()
            while len(times) < 3 or time.perf_counter() - begin < request["seconds"]:
                start = time.perf_counter()
                way()
                times.append(time.perf_counter() - start)
            best = min(statistics.median(times), best or 1e9)
        return {"seconds": best}

    rounds.serve(handle, {"torch": torch.__version__})


class Sides:
    """Both workers and a folder for operands; one matmul at a time."""
    def __init__(self, setup):
        self.setup = setup
        self.folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.heed = rounds.Worker(
            [os.path.join(setup.build, "bench/bench_matmuls"), setup.threads], setup.threads)
        self.torch = rounds.Worker(
            [sys.executable, os.path.abspath(__file__), "--torch", setup.threads], setup.threads)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.heed.close()
        self.torch.close()
        shutil.rmtree(self.folder)

    def operands(self, m, n, k):
        import numpy as np
        random = np.random.default_rng(1)
        random.standard_normal(m * k, dtype=np.float32).tofile(os.path.join(self.folder, "a.bin"))
        random.standard_normal(n * k, dtype=np.float32).tofile(os.path.join(self.folder, "b.bin"))

    def compare(self, name, m, n, k, minimum, target, rounded=False, layout="panels", gradient="",
                seconds=0.4, weight="f32"):
        """A row: GFLOP/s of both, in turn; the outputs compared with a tolerance of their
        rounding."""
        self.operands(m, n, k)
        self.heed.ask(do="load", m=m, n=n, k=k, b=weight, layout=layout, rounded=rounded,
                      gradient=gradient, folder=self.folder)
        there = self.torch.ask(do="load", m=m, n=n, k=k, dtype="bfloat16" if rounded else "float32",
                               gradient=gradient, autocast=rounded and weight == "f32",
                               folder=self.folder)
        flops = 2e-9 * m * n * k
        time_side = lambda worker: lambda: flops / worker.ask(do="time", seconds=seconds)["seconds"]
        result = rounds.interleave({"heed": time_side(self.heed), "PyTorch": time_side(self.torch)},
                                   self.setup.rounds)
        peaks = self.setup.peaks()
        peak = peaks.get("bf16_flops_per_second", 2 *
                         peaks["flops_per_second"]) if rounded else peaks["flops_per_second"]
        allowed = 2**-8 if rounded else 1e-5  # PyTorch's bf16 result itself is rounded to 8 bits
        return rounds.Row(
            name, "GFLOP/s", result, minimum, target, agreement=f"largest difference "
            f"{there['difference']:.1e} of the largest element", agrees=there["difference"]
            <= allowed, share=result.median("heed") * 1e9 / peak,
            share_of="bf16 peak" if rounded else "f32 peak")

    def bandwidth(self, name, n, k, dtype, minimum, target):
        """A row: GB/s of weights with one row of activations, as a share of what the machine
        reads."""
        self.operands(1, n, k)
        loaded = self.heed.ask(do="load", m=1, n=n, k=k, b=dtype, layout="panels",
                               copies=COLD_BYTES // (n * k * (4 if dtype == "f32" else 2)) + 1,
                               folder=self.folder)
        machine = lambda: rounds.heed_json(self.setup.heed, "bench", "--machine", threads=self.setup
                                           .threads)["memory_bytes_per_second"] / 1e9
        result = rounds.interleave(
            {
                "heed": lambda: loaded["bytes"] / 1e9 / self.heed.ask(do="time", seconds=0.4)[
                    "seconds"], "reading": machine
            }, self.setup.rounds)
        return rounds.Row(name, "GB/s", result, minimum, target, share=result.ratio,
                          share_of="read bandwidth", by_share=True)


def f32_square(setup):
    with Sides(setup) as sides:
        for size in SQUARES:
            yield sides.compare(f"f32 matmul {size}", size, size, size, 0.95, 1.05)
            if size < 4096:
                yield sides.compare(f"f32 matmul {size}, unpacked", size, size, size, 0.95, 1.05,
                                    layout="rows")


def f32_few(setup):
    with Sides(setup) as sides:
        for side in SIDES:
            for rows in FEW:
                yield sides.compare(f"f32 matmul {rows} x {side} x {side}", rows, side, side, 1.15,
                                    1.4, seconds=0.2)


def one_row(setup):
    with Sides(setup) as sides:
        for dtype in ("f32", "f16", "bf16"):
            for n, k in ((3072, 768), (4096, 4096), (50257, 768)):
                yield sides.bandwidth(f"one row {dtype} {n} x {k}", n, k, dtype, 0.85, 0.93)


def bf16_square(setup):
    with Sides(setup) as sides:
        for size in SQUARES:
            yield sides.compare(f"bf16 matmul {size}", size, size, size, 0.95, 1.0, rounded=True,
                                weight="bf16")
            yield sides.compare(f"bf16 matmul {size} of f32 weights, unpacked", size, size, size,
                                0.95, 1.0, rounded=True, layout="rows")


def bf16_train(setup):
    """Forward, gradient to the input and to the weights of the linear layers of GPT-2 124M with
    1,024 rows."""
    with Sides(setup) as sides:
        for out, width in ((2304, 768), (3072, 768), (768, 3072)):
            for gradient, (m, n, k) in (("", (1024, out, width)), ("input", (1024, width, out)),
                                        ("weight", (out, width, 1024))):
                kind = f"gradient to the {gradient}" if gradient else "forward"
                yield sides.compare(f"bf16 {kind} {m} x {n} x {k}", m, n, k, 0.95, 1.0,
                                    rounded=True, layout="rows", gradient=gradient)


PATHS = {
    "f32 matmul, square": f32_square, "f32 matmul, few rows": f32_few,
    "matmul with one row": one_row, "bf16 matmul, square": bf16_square,
    "bf16 matmul, training": bf16_train
}

if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--torch":
        torch_side(int(sys.argv[2]))
    else:
        rounds.main(PATHS, __doc__)
