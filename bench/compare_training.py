#!/usr/bin/env python3
"""Training speed against PyTorch: one GPT-2 shape, the same first weights, optimizer, clipping,
batch and threads, in turn.

    bench/compare_training.py [--only char] [--rounds 5] [--threads 2] [--build build/release]
    [--sides heed-bf16 ...] [--json FILE]

heed runs in f32 and with --bf16, PyTorch eager and through torch.compile, each in f32 and under
bf16 autocast; judged is the best of ours against the best of theirs. PyTorch computes attention
with scaled_dot_product_attention and updates with torch.optim.AdamW(fused=True). A round times
--steps updates of every side after some that do not count. Before the rounds both sides train
five updates from the same weights on the same tokens, and their losses are compared update by
update. Needs torch, numpy and safetensors.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rounds

SHAPES = {
    "char": dict(title="training char GPT 4x128, context 64, 12 rows", layers=4, width=128, heads=4,
                 context=64, batch=12, vocabulary=65, steps=60, warm=10, minimum=1.4, target=2.0),
    "6x384": dict(title="training 6x384, context 256, 12 rows", layers=6, width=384, heads=6,
                  context=256, batch=12, vocabulary=65, steps=5, warm=2, minimum=1.1, target=1.35),
    "gpt2": dict(title="training GPT-2 124M, 4 x 256", layers=12, width=768, heads=12, context=256,
                 batch=4, vocabulary=50257, steps=3, warm=2, minimum=1.0, target=1.25),
}
PERIOD, CHECKED = 8, 5  # tokens after which the text of the comparison repeats; updates compared
RATE, BETAS, DECAY = 1e-3, (0.9, 0.95), 0.1
THEIRS = ["torch eager f32", "torch eager bf16", "torch compiled f32", "torch compiled bf16"]
OURS = ["heed f32", "heed bf16"]
# Relative, of the first loss and of the five. Where gradients are near 0, Adam's first steps have
# the sign of their rounding: losses part from there on.
TOLERANCE = {"f32": (1e-5, 2e-3), "bf16": (2e-3, 2e-2)}


def tokens(shape, repeating):
    """Ids of share/shakespeare as letters, or pairs of letters spread over a large vocabulary;
    repeating: one short run of them again and again."""
    import numpy as np
    text = open("share/shakespeare/train.txt", "rb").read()[:400000]
    letters = sorted(set(text))
    ids = np.array([letters.index(c) for c in text], dtype=np.int64)
    if shape["vocabulary"] > 256:
        ids = (ids[0::2] * 67 + ids[1::2]) * 11 % shape["vocabulary"]
    return np.tile(ids[:PERIOD], 100 * shape["batch"] * shape["context"] //
                   PERIOD) if repeating else ids


# ---- the peer: a process of its own ----


def build_model(shape):
    import torch
    import torch.nn.functional as F
    L, D, H, T, V = (shape[k] for k in ("layers", "width", "heads", "context", "vocabulary"))

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.n1, self.n2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)
            self.qkv, self.out = torch.nn.Linear(D, 3 * D), torch.nn.Linear(D, D)
            self.up, self.down = torch.nn.Linear(D, 4 * D), torch.nn.Linear(4 * D, D)

        def forward(self, x):
            B, T, _ = x.shape
            q, k, v = (part.view(B, T, H, D // H).transpose(1, 2)
                       for part in self.qkv(self.n1(x)).split(D, dim=2))
            a = F.scaled_dot_product_attention(q, k, v,
                                               is_causal=True).transpose(1, 2).reshape(B, T, D)
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

        def forward(self, x, y):
            h = self.tokens(x) + self.places.weight
            for block in self.blocks:
                h = block(h)
            return F.cross_entropy(self.head(self.norm(h)).view(-1, V), y.view(-1))

    return Model()


def save_weights(model, shape, folder):
    """As GPT-2's files name and store them: matrices (in, out)."""
    from safetensors.torch import save_file
    tensors = {
        "wte.weight": model.tokens.weight, "wpe.weight": model.places.weight,
        "ln_f.weight": model.norm.weight, "ln_f.bias": model.norm.bias
    }
    for i, block in enumerate(model.blocks):
        for name, module in (("ln_1", block.n1), ("ln_2", block.n2), ("attn.c_attn", block.qkv),
                             ("attn.c_proj", block.out), ("mlp.c_fc", block.up), ("mlp.c_proj",
                                                                                  block.down)):
            tensors[f"h.{i}.{name}.weight"] = module.weight.T if module.weight.dim(
            ) == 2 else module.weight
            tensors[f"h.{i}.{name}.bias"] = module.bias
    save_file({name: tensor.detach().contiguous().clone()
               for name, tensor in tensors.items()}, os.path.join(folder, "model.safetensors"),
              metadata={"format": "pt"})
    json.dump(
        {
            "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"],
            "vocab_size": shape["vocabulary"], "n_layer": shape["layers"], "n_embd": shape["width"],
            "n_head": shape["heads"], "n_positions": shape["context"], "n_ctx": shape["context"],
            "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0
        }, open(os.path.join(folder, "config.json"), "w"))


def peer(name, threads, folder):
    import contextlib
    import numpy as np
    import torch
    shape = SHAPES[name]
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = build_model(shape)
    save_weights(model, shape, folder)
    first = {key: value.clone() for key, value in model.state_dict().items()}
    compiled = torch.compile(model)
    state = {}

    def begin():
        """First weights and fresh moments, the matrices decaying as heed's do."""
        with torch.no_grad():
            for key, value in model.state_dict().items():
                value.copy_(first[key])
        groups = [{"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": DECAY},
                  {"params": [p for p in model.parameters() if p.dim() == 1], "weight_decay": 0}]
        state["optimizer"] = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=1e-8, fused=True)
        state["random"] = np.random.default_rng(1)

    def update(how, x, y):
        autocast = torch.autocast(
            "cpu", torch.bfloat16) if how.endswith("bf16") else contextlib.nullcontext()
        with autocast:
            loss = (compiled if "compiled" in how else model)(x, y)
        state["optimizer"].zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        state["optimizer"].step()
        return loss

    ids, B, T = tokens(shape, False), shape["batch"], shape["context"]

    def batch(places, source=ids):
        return (torch.from_numpy(np.stack([source[p + d:p + d + T] for p in places]))
                for d in (0, 1))

    def handle(side, steps=0, warm=0, first=None):
        begin()
        # losses of the first updates on the repeating text, from where its loss is nearest to
        # `first`
        if first is not None:
            repeated = tokens(shape, True)
            with torch.no_grad():
                distances = [
                    abs(model(*batch([place] * B, repeated)).item() - first)
                    for place in range(PERIOD)
                ]
            place = min(range(PERIOD), key=distances.__getitem__)
            return {
                "losses": [
                    update(side, *batch([place] * B, repeated)).item() for _ in range(CHECKED)
                ]
            }
        for step in range(warm + steps):
            if step == warm:
                start = time.perf_counter()
            loss = update(side, *batch(state["random"].integers(0, len(ids) - T - 1, B)))
        return {"rate": steps * B * T / (time.perf_counter() - start), "loss": loss.item()}

    rounds.serve(handle)


# ---- ours ----


def train(heed, side, shape, weights, data, steps, threads):
    """Log lines of one training."""
    out = tempfile.mkdtemp()
    try:
        command = [
            heed, "train", "--data", data, "--out",
            os.path.join(out, "run"), "--init", weights, "--context", shape["context"],
            "--batch-size", shape["batch"], "--max-steps", steps, "--learning-rate", RATE,
            "--lr-scheduler-type", "constant", "--warmup-steps", 0, "--adam-beta1", BETAS[0],
            "--adam-beta2", BETAS[1], "--weight-decay", DECAY, "--dropout", 0, "--eval-steps", 0,
            "--save-steps", 0, "--seed", 1, "--quiet", "-t", threads
        ] + (["--bf16"] if side.endswith("bf16") else [])
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"heed train: exit {done.returncode}: {done.stderr.strip()}")
        lines = [json.loads(line) for line in open(os.path.join(out, "run", "log.jsonl"))]
        return [line for line in lines if "loss" in line]
    finally:
        shutil.rmtree(out)


def rate_of(lines, shape, warm):
    own = shape["batch"] * shape["context"]
    return own * len(lines[warm:]) / sum(own / line["tokens_per_second"] for line in lines[warm:])


def compare_losses(heed, side, worker, shape, weights, data, threads, tolerance):
    """Update by update, against PyTorch in the same precision; where the text begins, f32 tells
    best."""
    losses = {
        how: [line["loss"] for line in train(heed, how, shape, weights, data, CHECKED, threads)]
        for how in {side, "heed f32"}
    }
    ours = losses[side]
    theirs = worker.ask(side="torch eager " + side.split()[1],
                        first=losses["heed f32"][0])["losses"]
    apart = [abs(a - b) / b for a, b in zip(ours, theirs)]
    return apart[0] <= tolerance[0] and max(apart) <= tolerance[1], (
        f"{side.split()[1]}: losses of {CHECKED} updates from the same weights ({theirs[0]:.3f} "
        f"to {theirs[-1]:.3f}): the first within {apart[0]:.1e}, all within {max(apart):.1e}")


def path_of(name, chosen):
    def path(setup):
        shape = SHAPES[name]
        sides = {
            side: None
            for side in OURS + THEIRS if not chosen or side.replace(" ", "-") in chosen
        }
        with tempfile.TemporaryDirectory() as folder:
            data = {
                repeating: os.path.join(folder, f"tokens{repeating:d}.bin")
                for repeating in (False, True)
            }
            for repeating, file in data.items():
                tokens(shape, repeating).astype("uint16").tofile(file)
            command = [
                sys.executable, __file__, "--peer", name, "--threads", setup.threads, "--folder",
                folder
            ]
            with rounds.Worker(command, setup.threads) as worker:
                checks = [
                    compare_losses(setup.heed, side, worker, shape, folder, data[True],
                                   setup.threads, TOLERANCE[side.split()[1]]) for side in OURS
                    if side in sides
                ]
                for side in sides:
                    if side in OURS:
                        sides[side] = lambda side=side: rate_of(
                            train(setup.heed, side, shape, folder, data[False], shape["warm"] +
                                  shape["steps"], setup.threads), shape, shape["warm"])
                    else:
                        sides[side] = lambda side=side: worker.ask(side=side, steps=shape["steps"],
                                                                   warm=shape["warm"])["rate"]
                result = rounds.interleave(sides, setup.rounds, warm=0)
        ours = max((side for side in sides if side in OURS), key=result.median)
        for side in sides:
            print(
                f"    {side:20} {rounds.figure(result.median(side)):>8} tokens/s, spread "
                f"{100 * result.spread(side):.0f} %", file=sys.stderr)
        best = rounds.Result({
            ours: result.values[ours], **{
                side: values
                for side, values in result.values.items() if side != ours and side in THEIRS
            }
        })
        yield rounds.Row(
            shape["title"], "tokens/s", best, minimum=shape["minimum"], target=shape["target"],
            agrees=all(check[0] for check in checks), agreement="; ".join(check[1]
                                                                          for check in checks),
            command=f"bench/compare_training.py --only {name}",
            note="; ".join(f"{side} {rounds.figure(result.median(side))}" for side in sides))

    return path


PATHS = {"training-" + name: path_of(name, None) for name in SHAPES}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--peer")
    parser.add_argument("--folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sides", nargs="+")
    own, rest = parser.parse_known_args()
    if own.peer:
        peer(own.peer, own.threads, own.folder)
    else:
        rounds.main({name: path_of(name, own.sides)
                     for name in SHAPES}, __doc__,
                    rest + ["--threads", str(own.threads)])
