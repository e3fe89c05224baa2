#!/usr/bin/env python3
"""Compares `heed forward` on models of type "heed", whose config.json chooses every kind, with a
plain PyTorch implementation of those kinds: outputs, loss and gradients of random
configurations.

    python3 tools/oracle/check_heed_family.py [--heed build/release/heed] [--count 60] [--seed 0]
    [--only NUMBER] [--write tests/fixtures]

Tolerance as in check_forward.py. Needs torch, transformers (for its activations) and
safetensors."""
import argparse, json, math, os, random, subprocess, sys, tempfile
import torch
from safetensors.torch import load_file, save_file
from transformers.activations import ACT2FN


class Weights(dict):
    """Makes a weight the first time it is asked for."""
    def __init__(self, seed):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def get(self, name, *shape):
        if name not in self:
            r = torch.randn(shape, generator=self.generator)
            norm = "norm" in name
            w = (1 + .3 * r if name.endswith("weight") else .3 *
                 r) if norm else .4 * r if "embed" in name else .3 * r if len(
                     shape) == 1 else r / shape[-1]**.5
            self[name] = w.requires_grad_()
        return self[name]


class Model:
    def __init__(self, config, weights, double):
        self.c, self.w, self.double = config, weights, double

    def weight(self, name, *shape):
        w = self.w.get(name, *shape)
        return w.double() if self.double else w

    def linear(self, x, name, out, bias):
        y = x @ self.weight(name + ".weight", out, x.shape[-1]).T
        return y + self.weight(name + ".bias", out) if bias else y

    def norm(self, x, name):
        c, D = self.c, x.shape[-1]
        gain = self.weight(name +
                           ".weight", D) + c["norm_offset"] if c["norm"] == "rms" else self.weight(
                               name + ".weight", D)
        if c["norm"] == "rms":
            return x / (x.pow(2).mean(-1, keepdim=True) + c["norm_eps"]).sqrt() * gain
        y = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) +
                                              c["norm_eps"]).sqrt() * gain
        return y + self.weight(name + ".bias", D) if c["norm_bias"] else y

    def rotate(self, x):
        """x (B,H,T,E)"""
        E, T = x.shape[-1], x.shape[-2]
        turned = int(E * self.c["partial_rotary_factor"]) // 2 * 2
        angle = torch.arange(T, dtype=x.dtype)[:, None] * self.c["rope_theta"]**(
            -torch.arange(0, turned, 2, dtype=torch.float64) / turned).to(x.dtype)
        cos, sin = angle.cos(), angle.sin()
        head, rest = x[..., :turned], x[..., turned:]
        if self.c["rotary_interleaved"]:
            a, b = head[..., 0::2], head[..., 1::2]
            head = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
        else:
            a, b = head[..., :turned // 2], head[..., turned // 2:]
            head = torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
        return torch.cat((head, rest), -1)

    def attention(self, x, memory, mask, name, side, layer, causal):
        c = self.c
        H, K, E = (c[f"{side}_attention_heads"], c[f"{side}_key_value_heads"]
                   or c[f"{side}_attention_heads"], c[f"{side}_head_dim"]
                   or c["hidden_size"] // c[f"{side}_attention_heads"])
        cross = memory is not None
        source = memory if cross else x

        def heads(y, n):
            return y.reshape(y.shape[0], y.shape[1], n, E).transpose(1, 2)

        q, k, v = self.linear(x, name + ".q_proj", H * E, c["attention_bias"]), self.linear(
            source, name + ".k_proj", K * E,
            c["attention_bias"]), self.linear(source, name + ".v_proj", K * E, c["attention_bias"])
        if not cross and c["query_key_norm"] == "all":
            q, k = (self.head_norm(q, name + ".q_norm"), self.head_norm(k, name + ".k_norm"))
        q, k, v = heads(q, H), heads(k, K), heads(v, K)
        if not cross and c["query_key_norm"] == "head":
            q, k = (self.head_norm(q, name + ".q_norm"), self.head_norm(k, name + ".k_norm"))
        if not cross and c["position"] == "rotary":
            q, k = self.rotate(q), self.rotate(k)
        k, v = k.repeat_interleave(H // K, 1), v.repeat_interleave(H // K, 1)
        scale = c["attention_scale"] or (E**-.5 if c["scale_attention"] else 1.)
        if c["scale_attention_by_layer"]:
            scale /= layer + 1
        scores = q @ k.transpose(-1, -2) * scale
        if c["attention_soft_cap"]:
            scores = c["attention_soft_cap"] * torch.tanh(scores / c["attention_soft_cap"])
        T, S = scores.shape[-2:]
        see = mask[:, None, None, :].expand(-1, -1, T, -1).clone()
        far = torch.arange(T)[:, None] - torch.arange(S)[None]
        if causal:
            see &= far >= 0
        if not cross and c["sliding_window"]:
            see &= far.abs() < c["sliding_window"]
        p = scores.masked_fill(~see, float("-inf")).softmax(-1).nan_to_num(0.)
        y = (p @ v).transpose(1, 2).flatten(2)
        return self.linear(y, name + ".o_proj", c["hidden_size"], c["attention_output_bias"])

    def head_norm(self, x, name):
        c = self.c
        if c["norm"] == "rms":
            return x / (x.pow(2).mean(-1, keepdim=True) + c["norm_eps"]).sqrt() * (
                self.weight(name + ".weight", x.shape[-1]) + c["norm_offset"])
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) +
                                                 c["norm_eps"]).sqrt() * self.weight(
                                                     name + ".weight", x.shape[-1])

    def ffn(self, x, name, side):
        c, act = self.c, ACT2FN[self.c["activation"]]
        F = c[f"{side}_intermediate_size"]
        up = self.linear(x, name + ".up_proj", F, c["mlp_bias"])
        inner = act(self.linear(x, name +
                                ".gate_proj", F, c["mlp_bias"])) * up if c["gated"] else act(up)
        return self.linear(inner, name + ".down_proj", c["hidden_size"], c["mlp_bias"])

    def sublayer(self, x, name, f):
        place = self.c["norm_place"]
        y = f(self.norm(x, name + "_norm") if place in ("pre", "sandwich") else x)
        if place == "sandwich":
            y = self.norm(y, name + "_post_norm")
        if place == "output":
            y = self.norm(y, name + "_norm")
        return self.norm(x + y, name + "_norm") if place == "post" else x + y

    def table(self, T, D):
        """sinusoids"""
        pos = torch.arange(T, dtype=torch.float64)[:, None] / 10000**(
            torch.arange(0, D, 2, dtype=torch.float64) / D)
        s, c = pos.sin(), pos.cos()[:, :D // 2]
        if self.c["sinusoid_order"] == "halves":
            t = torch.cat((s, c), 1)
        else:
            t = torch.zeros(T, D, dtype=torch.float64)
            t[:, 0::2], t[:, 1::2] = s, c
        return t.float().to(torch.float64 if self.double else torch.float32)

    def stack(self, side, ids, types, mask, memory, memory_mask, hidden):
        c, D, T = self.c, self.c["hidden_size"], ids.shape[1]
        own = c["source_vocab_size"] > 0
        V = c["source_vocab_size"] if own and side == "encoder" else c["vocab_size"]
        x = self.weight(f"{side}.embed_tokens.weight" if own else "embed_tokens.weight", V,
                        D)[ids] * c["embedding_scale"]
        main = side == "decoder" or c["arrangement"] != "encoder-decoder"
        if c["type_vocab_size"] and main:
            x = x + self.weight(f"{side}.embed_types.weight", c["type_vocab_size"], D)[types]
        if c["position"] == "learned":
            x = x + self.weight(f"{side}.embed_positions.weight", c["max_position_embeddings"],
                                D)[:T]
        if c["position"] == "sinusoidal":
            x = x + self.table(T, D)
        if c["embedding_norm"]:
            x = self.norm(x, f"{side}.embed_norm")
        causal = c["causal"] and main
        name = "hidden_states" if c["arrangement"] != "encoder-decoder" else f"{side}_hidden_states"
        for i in range(c[f"{side}_layers"]):
            hidden[f"out.{name}.{i}"] = x
            at = f"{side}.layers.{i}."
            attend = lambda y: self.attention(y, None, mask, at + "self_attn", side, i, causal)
            if c["residual"] != "serial":
                a = self.norm(x, at + "attention_norm")
                b = a if c["residual"] == "parallel" else self.norm(x, at + "mlp_norm")
                x = x + attend(a) + self.ffn(b, at + "mlp", side)
                continue
            x = self.sublayer(x, at + "attention", attend)
            if memory is not None:
                x = self.sublayer(
                    x, at + "cross", lambda y: self.attention(y, memory, memory_mask, at +
                                                              "cross_attn", side, i, False))
            x = self.sublayer(x, at + "mlp", lambda y: self.ffn(y, at + "mlp", side))
        if c["final_norm"]:
            x = self.norm(x, f"{side}.norm")
        hidden[f"out.{name}.{c[f'{side}_layers']}"] = x
        return x

    def forward(self, inputs):
        c, D, V, hidden = self.c, self.c["hidden_size"], self.c["vocab_size"], {}
        mask = inputs["attention_mask"].bool()
        types = inputs.get("token_type_ids", torch.zeros_like(inputs["input_ids"]))
        if c["arrangement"] == "encoder-decoder":
            memory = self.stack("encoder", inputs["input_ids"], None, mask, None, None, hidden)
            ids = inputs["decoder_input_ids"]
            x = self.stack("decoder", ids, torch.zeros_like(ids),
                           torch.ones_like(ids).bool(), memory, mask, hidden)
        else:
            x = self.stack(c["arrangement"], inputs["input_ids"], types, mask, None, None, hidden)
        if c["lm_head_transform"]:
            x = self.norm(ACT2FN[c["activation"]](self.linear(x, "lm_transform.dense", D, True)),
                          "lm_transform.norm")
        side = "encoder" if c["arrangement"] == "encoder" else "decoder"
        matrix = self.weight(
            f"{side}.embed_tokens.weight" if c["source_vocab_size"] else "embed_tokens.weight", V,
            D) if c["tie_word_embeddings"] else self.weight("lm_head.weight", V, D)
        logits = x @ matrix.T
        if c["lm_head_bias"]:
            logits = logits + self.weight("lm_head.bias", V)
        if c["logits_bias"]:
            b = self.w.get("logits_bias", V).detach()
            logits = logits + (b.double() if self.double else b)
        if c["logit_soft_cap"]:
            logits = c["logit_soft_cap"] * torch.tanh(logits / c["logit_soft_cap"])
        hidden["out.logits"] = logits
        labels, shown = inputs["labels"], logits
        if c["architectures"][0] == "HeedForCausalLM" and c["arrangement"] != "encoder-decoder":
            labels, shown = labels[:, 1:], logits[:, :-1]
        hidden["loss"] = torch.nn.functional.cross_entropy(shown.reshape(-1, V),
                                                           labels.reshape(-1)).reshape(1)
        return hidden


def draw(rng):
    flip = lambda p=.5: rng.random() < p
    arrangement = rng.choice(["decoder", "decoder", "encoder", "encoder-decoder"])
    position = rng.choice(["none", "learned", "sinusoidal", "rotary", "rotary"])
    c = dict(model_type="heed", arrangement=arrangement, vocab_size=rng.randrange(20, 50),
             source_vocab_size=0, hidden_size=rng.choice([12, 16, 24]), max_position_embeddings=16,
             type_vocab_size=rng.choice([0, 0, 2]), norm=rng.choice(["rms", "layer"]),
             norm_place=rng.choice(["pre", "post", "sandwich", "output"]), residual="serial",
             query_key_norm=rng.choice(["none", "none", "head", "all"]), norm_eps=1e-3,
             norm_offset=0., norm_bias=flip(), embedding_norm=flip(.3), final_norm=flip(.7),
             activation=rng.choice(["silu", "gelu", "relu", "gelu_new", "relu2", "tanh",
                                    "linear"]), gated=flip(), position=position,
             sinusoid_order=rng.choice(["halves", "interleaved"]), rotary_interleaved=flip(),
             rope_theta=rng.choice([100., 10000.]), partial_rotary_factor=rng.choice([1., .5]),
             causal=arrangement != "encoder", scale_attention=flip(.8), attention_scale=rng.choice(
                 [0., 0., .3]), scale_attention_by_layer=flip(.2), sliding_window=rng.choice(
                     [0, 0, 3]), attention_soft_cap=0., logit_soft_cap=rng.choice([0., 0., 3.]),
             attention_bias=flip(), attention_output_bias=flip(), mlp_bias=flip(),
             lm_head_bias=flip(.3), lm_head_transform=flip(.2), embedding_scale=rng.choice([
                 1., 3.5
             ]), logits_bias=flip(.2), tie_word_embeddings=flip(), use_cache=True, pooler=False)
    if c["norm"] == "rms":
        c["norm_bias"], c["norm_offset"] = False, rng.choice([0., 1.])
    if arrangement == "encoder-decoder":
        c["source_vocab_size"] = rng.choice([0, 31])
    elif flip(.3):
        c["residual"], c["norm_place"] = rng.choice(["parallel", "parallel_two_norms"]), "pre"
    for side in ("encoder", "decoder"):
        used = arrangement in (side, "encoder-decoder")
        H = rng.choice([1, 2, 4]) if used else 0
        c.update({
            f"{side}_layers": rng.choice([1, 2, 3]) if used else 0, f"{side}_attention_heads": H,
            f"{side}_key_value_heads": rng.choice([0, 1, H // 2 or 1]) if used else 0,
            f"{side}_head_dim": rng.choice([4, 6, 8]) if used else 0,
            f"{side}_intermediate_size": rng.choice([10, 32]) if used else 0
        })
    c["architectures"] = ["HeedForMaskedLM" if arrangement == "encoder" else "HeedForCausalLM"]
    return c


def inputs_of(c, rng):
    g = torch.Generator().manual_seed(rng.randrange(1 << 30))
    T = 11
    source = c["source_vocab_size"] or c["vocab_size"]
    x = torch.randint(0, source, (3, T), generator=g)
    mask = torch.ones(3, T, dtype=torch.long)
    mask[1, 8:] = 0
    if rng.random() < .5:
        mask[2, 3:5] = 0
    found = dict(input_ids=x, attention_mask=mask)
    if c["arrangement"] == "encoder-decoder":
        found["decoder_input_ids"] = torch.randint(0, c["vocab_size"], (3, 7), generator=g)
        found["labels"] = torch.randint(0, c["vocab_size"], (3, 7), generator=g)
    else:
        found["labels"] = torch.where(mask == 0, -100,
                                      torch.randint(0, c["vocab_size"], (3, T), generator=g))
        found["labels"][:, 5] = -100  # after a hole nothing may be seen through a narrow window
        if c["type_vocab_size"]:
            found["token_type_ids"] = torch.randint(0, 2, (3, T), generator=g)
    return found


def run(heed, number, seed, folder, write=False):
    rng = random.Random(seed * 100003 + number)
    c = draw(rng)
    inputs, weights = inputs_of(c, rng), Weights(seed * 7 + number)
    want = Model(c, weights, False).forward(inputs)
    want["loss"].backward()
    grads = {
        k: (torch.zeros_like(v) if v.grad is None else v.grad.clone())
        for k, v in weights.items()
    }
    for v in weights.values():
        v.grad = None
    exact = Model(c, weights, True).forward(inputs)
    exact["loss"].backward()
    json.dump(c, open(os.path.join(folder, "config.json"), "w"), indent=1)
    save_file({k: v.detach().contiguous()
               for k, v in weights.items()}, os.path.join(folder, "model.safetensors"),
              metadata={"format": "pt"})
    if write:
        tensors, noise = {"in." + k: v.contiguous() for k, v in inputs.items()}, {}
        for name, value in list(want.items()) + [("grad." + k, v)
                                                 for k, v in grads.items() if k != "logits_bias"]:
            other = exact[name] if name in exact else weights[name[5:]].grad if weights[
                name[5:]].grad is not None else value
            tensors[name] = value.detach().clone().contiguous()
            noise[name] = [(value.double() - other.double()).abs().max().item(),
                           value.abs().max().item()]
        save_file(tensors, os.path.join(folder, "oracle.safetensors"))
        json.dump(
            {
                "family": "heed", "note": "plain PyTorch, tools/oracle/check_heed_family.py",
                "noise": noise
            }, open(os.path.join(folder, "oracle.json"), "w"), indent=1)
        return c, []
    x, y = os.path.join(folder, "x.safetensors"), os.path.join(folder, "y.safetensors")
    save_file({"in." + k: v.contiguous() for k, v in inputs.items()}, x)
    done = subprocess.run([heed, "forward", folder, "--in", x, "--out", y, "--grad"],
                          capture_output=True, text=True)
    if done.returncode:
        return c, [done.stderr.strip()]
    got, problems = load_file(y), []
    largest = max(v.abs().max().item() for v in grads.values())
    mask = inputs["attention_mask"].bool()
    for name, value in list(want.items()) + [("grad." + k, v)
                                             for k, v in grads.items() if k != "logits_bias"]:
        if name not in got:
            problems.append(name + " is missing")
            continue
        other = exact[name] if name in exact else weights[name[5:]].grad if weights[
            name[5:]].grad is not None else value
        a, b, e = value.detach().double(), got[name].reshape(
            value.shape).double(), other.detach().double()
        if name.startswith("out.") and a.shape[:2] == mask.shape and "decoder" not in name:
            a, b, e = a[mask], b[mask], e[mask]
        tolerance = max(30 * (a - e).abs().max().item(), 1e-5 * a.abs().max().item(),
                        1e-6 * largest if name.startswith("grad.") else 0)
        off = (a - b).abs().max().item()
        if not off <= tolerance:
            problems.append(f"{name} is off by {off:.3g}, tolerance {tolerance:.3g}, largest "
                            f"{a.abs().max().item():.3g}")
    return c, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int)
    parser.add_argument("--write",
                        help="instead of comparing, write FOLDER/heed-NUMBER as fixtures")
    options = parser.parse_args()
    failed = 0
    numbers = [options.only] if options.only is not None else range(options.count)
    for number in numbers:
        if options.write:
            folder = os.path.join(options.write, f"heed-{number}")
            os.makedirs(folder, exist_ok=True)
            run(None, number, options.seed, folder, True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            config, problems = run(options.heed, number, options.seed, folder)
        failed += bool(problems)
        if problems:
            print(
                f"FAILED {number}: {'; '.join(problems[:3])} ({len(problems)} in all)\n  "
                f"{json.dumps(config)}", flush=True)
    if not options.write:
        print(f"{len(numbers) - failed} of {len(numbers)} random configurations agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
