#!/usr/bin/env python3
"""Training speed of heed and of PyTorch, eager, f32: the same GPT-2 shape, batch, optimiser and threads, in turn.

    bench/compare_training.py [--heed build/release/heed] [--shape char|gpt2] [--rounds 5] [--threads 2]

Each round runs heed, then PyTorch, each for as many updates as --steps says after two that are not counted, and takes the tokens per
second of both; printed are the medians, the spread and the ratio round by round. PyTorch computes attention with
scaled_dot_product_attention and updates with torch.optim.AdamW(fused=True); its loss after the same number of updates on the same
kind of data is printed beside heed's, so that both can be seen to learn. Needs torch and numpy.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

SHAPES = {
    "char": dict(layers=4, width=128, heads=4, context=64, batch=12, vocabulary=65, steps=200),
    "gpt2": dict(layers=12, width=768, heads=12, context=256, batch=4, vocabulary=50257, steps=3),
}


def peer(shape, steps, threads, data):
    """Runs in a process of its own; prints tokens per second and the last loss."""
    import numpy as np
    import torch
    import torch.nn.functional as F
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    L, D, H, T, B, V = (shape[k] for k in ("layers", "width", "heads", "context", "batch", "vocabulary"))

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.n1, self.n2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)
            self.qkv, self.out = torch.nn.Linear(D, 3 * D), torch.nn.Linear(D, D)
            self.up, self.down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)

        def forward(self, x):
            q, k, v = (part.view(B, T, H, D // H).transpose(1, 2) for part in self.qkv(self.n1(x)).split(D, dim=2))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(B, T, D)
            x = x + self.out(a)
            return x + self.down(F.gelu(self.up(self.n2(x)), approximate="tanh"))

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.places = torch.nn.Embedding(V, D), torch.nn.Embedding(T, D)
            self.blocks = torch.nn.ModuleList(Block() for _ in range(L))
            self.norm, self.head = torch.nn.LayerNorm(D), torch.nn.Linear(D, V, bias=False)
            for parameter in self.parameters():
                if parameter.dim() > 1:
                    torch.nn.init.normal_(parameter, 0, 0.02)
            self.head.weight = self.tokens.weight

        def forward(self, ids):
            x = self.tokens(ids) + self.places.weight
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    ids = np.fromfile(data, dtype=np.uint16).astype(np.int64)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    generator = np.random.default_rng(1)
    start = None
    for step in range(steps + 2):
        if step == 2:
            start = time.perf_counter()
        places = generator.integers(0, len(ids) - T - 1, B)
        x = torch.from_numpy(np.stack([ids[p:p + T] for p in places]))
        y = torch.from_numpy(np.stack([ids[p + 1:p + T + 1] for p in places]))
        loss = F.cross_entropy(model(x).view(-1, V), y.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    print(json.dumps({"tokens_per_second": steps * B * T / (time.perf_counter() - start), "loss": loss.item()}))


def ours(heed, shape, steps, threads, data):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "run")
        command = [heed, "train", "--data", data, "--out", out, "--family", "gpt2", "--layers", shape["layers"], "--d-model", shape["width"],
                   "--heads", shape["heads"], "--context", shape["context"], "--batch-size", shape["batch"], "--max-steps", steps + 2,
                   "--learning-rate", 1e-3, "--lr-scheduler-type", "constant", "--dropout", 0, "--eval-steps", 0, "--save-steps", 0, "--quiet",
                   "-t", threads]
        config = os.path.join(folder, "config.json")
        json.dump({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": shape["vocabulary"], "n_layer": shape["layers"],
                   "n_embd": shape["width"], "n_head": shape["heads"], "n_positions": shape["context"], "n_ctx": shape["context"]}, open(config, "w"))
        command[command.index("--family"):command.index("--family") + 2] = ["--config", config]
        for flag in ("--layers", "--d-model", "--heads"):
            at = command.index(flag)
            del command[at:at + 2]
        subprocess.run([str(part) for part in command], check=True, stderr=subprocess.DEVNULL)
        lines = [json.loads(line) for line in open(os.path.join(out, "log.jsonl"))]
        lines = [line for line in lines if "loss" in line]
        seconds = sum(shape["batch"] * shape["context"] / line["tokens_per_second"] for line in lines[2:])
        return {"tokens_per_second": len(lines[2:]) * shape["batch"] * shape["context"] / seconds, "loss": lines[-1]["loss"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--shape", choices=SHAPES, default="char")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    steps = arguments.steps or shape["steps"]
    if arguments.peer:
        return peer(shape, steps, arguments.threads, arguments.peer)
    with tempfile.TemporaryDirectory() as folder:
        import numpy as np
        data = os.path.join(folder, "tokens.bin")
        text = open("share/shakespeare/train.txt", "rb").read()
        letters = sorted(set(text))
        ids = np.array([letters.index(c) for c in text[:400000]], dtype=np.uint16)
        if shape["vocabulary"] > 256:  # pairs of letters spread over the vocabulary
            ids = ((ids[0::2].astype(np.int64) * 67 + ids[1::2]) * 11 % shape["vocabulary"]).astype(np.uint16)
        ids.tofile(data)
        heed, torch = [], []
        for number in range(arguments.rounds):
            a = ours(arguments.heed, shape, steps, arguments.threads, data)
            b = json.loads(subprocess.run([sys.executable, __file__, "--shape", arguments.shape, "--steps", str(steps), "--threads",
                                           str(arguments.threads), "--peer", data], check=True, capture_output=True, text=True).stdout)
            heed.append(a["tokens_per_second"])
            torch.append(b["tokens_per_second"])
            print(f"round {number + 1}: heed {a['tokens_per_second']:9.0f} tokens/s (loss {a['loss']:.3f})   PyTorch {b['tokens_per_second']:9.0f} "
                  f"(loss {b['loss']:.3f})   ratio {a['tokens_per_second'] / b['tokens_per_second']:.2f}", flush=True)
        ratios = [a / b for a, b in zip(heed, torch)]
        spread = lambda values: (max(values) - min(values)) / statistics.median(values)
        print(f"median : heed {statistics.median(heed):9.0f} (spread {100 * spread(heed):.0f} %)   PyTorch {statistics.median(torch):9.0f} "
              f"(spread {100 * spread(torch):.0f} %)   ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
