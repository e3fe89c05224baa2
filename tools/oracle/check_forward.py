#!/usr/bin/env python3
"""Compares `heed forward` with transformers on random tiny models in many configurations, and
with batches of every kind.

    python3 tools/oracle/check_forward.py [--heed build/release/heed] [--only WORD]
        [--keep FOLDER] [--isa generic avx2 avx512 reference] [--random N [--seed S]]

Each case builds a model of tests' size with random weights, writes it, runs both on the same
inputs and compares outputs, loss and all gradients. With --random: N models of the core's
families whose sizes, options and batches are all drawn, longer than a tile too,
torch.nn.Transformer among them. The bound: max(30 x |float32 - float64|, 1e-5 x max|value|), for
gradients also 1e-6 x the largest gradient of the model. Counted beside it: tensors within max(4
x |float32 - float64|, 3e-6 x max|value|). Where float64 fails: 1e-4 x max|value|. Models without
a loss are given cotangents. Needs torch, transformers and safetensors; heed itself needs none of
them."""
import argparse, json, os, random, subprocess, sys, tempfile, warnings
import torch, transformers
from safetensors.torch import load_file, save_file
from transformers.activations import ACT2FN

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
warnings.filterwarnings("ignore", message="enable_nested_tensor")


def randomize(model, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            r = torch.randn(p.shape, generator=g)
            # computed, not learned
            if "embed_positions" in name and not type(model).__name__.startswith("OPT"):
                continue
            if "norm" in name.lower() or ".ln_" in name:
                p.copy_(1 + .3 * r if name.endswith("weight") else .3 * r)
            elif p.dim() == 1:
                p.copy_(.3 * r)
            elif "embed" in name or "wte" in name or "wpe" in name or "shared" in name:
                p.copy_(.4 * r)
            else:
                p.copy_(r * 1.25 /
                        p.shape[0 if type(model).__name__.startswith("GPT2") and p.dim() ==
                                2 and "c_" in name else -1]**.5)
        for name, b in model.named_buffers():
            if name == "final_logits_bias":
                b.copy_(.3 * torch.randn(b.shape, generator=g))


class TorchTransformer(torch.nn.Transformer):
    """torch.nn.Transformer with the manners of a model of transformers. Masks: 1 is padding,
    none is scored; memory has its source's mask."""
    def __init__(self, config):
        self.config = type("Config", (), {})()
        settings = {k: v for k, v in config.items() if k != "model_type"}
        super().__init__(**settings)
        self.written = config

    def tie_weights(self):
        pass

    def save_pretrained(self, folder):
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(self.written, file)
        save_file({k: v.contiguous()
                   for k, v in self.state_dict().items()},
                  os.path.join(folder, "model.safetensors"))

    def forward(self, src, tgt, w=None, src_key_padding_mask=None, tgt_key_padding_mask=None, **_):
        source, target = (None if m is None else m.bool()
                          for m in (src_key_padding_mask, tgt_key_padding_mask))
        memory = self.encoder(src, src_key_padding_mask=source)
        causal = torch.full((tgt.shape[1], tgt.shape[1]), True).triu(1)
        y = self.decoder(tgt, memory, tgt_mask=causal, tgt_key_padding_mask=target,
                         memory_key_padding_mask=source)
        found = {"last_hidden_state": y, "memory": memory}
        return dict(found, loss=(y * w).sum()) if w is not None else found


def make(cls, config, seed):
    if cls == "TorchTransformer":
        model = TorchTransformer(config)
        randomize(model, seed)
        # without dropout; the fused inference path of PyTorch drops padded rows
        return model.train()
    config._attn_implementation = "eager"
    model = getattr(transformers, cls)(config)
    randomize(model, seed)
    model.tie_weights()
    return model.eval()


def flatten(out):
    found = {}
    for key, value in out.items():
        if torch.is_tensor(value) and key != "loss":
            found["out." + key] = value
        elif isinstance(value, tuple) and key.endswith(("hidden_states", "attentions")):
            for i, v in enumerate(value):
                found[f"out.{key}.{i}"] = v
    return found


def contacts(model, given):
    """ESM's map of contacts; where no pair is seen transformers divides zeros."""
    tokens = given["input_ids"]
    if tokens.shape[1] < 3:
        return {}
    mask = given.get("attention_mask", torch.ones_like(tokens))
    found = model.predict_contacts(tokens, mask)
    return {"out.contacts": torch.where(found.isnan(), model.contact_head.regression.bias.sigmoid(),
                                        found)}


def run_torch(model, inputs, double):
    # With eager attention Falcon adds its ALiBi biases twice; the fused attention gives no weights.
    twice = getattr(model.config, "alibi", False)
    if twice:
        model.config._attn_implementation = "sdpa"
    model = model.double() if double else model.float()
    given = {k: v.double() if double and v.is_floating_point() else v for k, v in inputs.items()}
    use_cache = given.pop("use_cache", None)
    cotangents = {
        k[len("cotangent."):]: given.pop(k)
        for k in list(given) if k.startswith("cotangent.")
    }
    extra = {} if use_cache is None else {"use_cache": bool(use_cache)}
    model.zero_grad(set_to_none=True)
    UNREACHED.clear()
    out = model(**given, output_hidden_states=True, output_attentions=not twice, return_dict=True,
                **extra)
    found = flatten(out)
    if hasattr(model.base_model, "predict_contacts"):
        found.update(contacts(model.base_model, given))
    grads = {}
    loss = out.get("loss") if not cotangents else sum(
        (out[k] * v).sum() for k, v in cotangents.items())
    if loss is not None and torch.isfinite(loss):
        loss.backward()
        for name, p in model.named_parameters():
            if p.grad is None:
                UNREACHED.add("grad." + name)
            grads["grad." + name] = torch.zeros_like(p) if p.grad is None else p.grad.clone()
    if loss is not None:
        found["loss"] = loss.detach().reshape(1)
    return {k: v.detach() for k, v in found.items()}, grads


def padding(name, value, inputs):
    """Which elements are compared: none at masked tokens."""
    mask = inputs.get("attention_mask")
    if "src" in inputs:
        mask = inputs.get(("src" if "memory" in name else "tgt") + "_key_padding_mask")
        return torch.ones_like(value, dtype=torch.bool) if mask is None or value.dim() < 2 else (
            mask == 0)[..., None].expand(value.shape)
    decoder = inputs.get(
        "labels") is not None and "decoder_input_ids" not in inputs and "encoder_" not in name
    seq2seq = any(k.startswith("decoder") for k in inputs) or inputs.get("_seq2seq")
    if seq2seq and "encoder" not in name:
        mask = inputs.get("decoder_attention_mask")
    if mask is None or value.dim() < 2:
        return torch.ones_like(value, dtype=torch.bool)
    mask = mask.reshape(-1, mask.shape[-1]).bool()
    axis = 2 if "attentions" in name else 1
    if value.dim() <= axis or value.shape[axis] != mask.shape[1] or value.shape[0] != mask.shape[0]:
        return torch.ones_like(value, dtype=torch.bool)
    shape = [1] * value.dim()
    shape[0], shape[axis] = mask.shape
    return mask.reshape(shape).expand(value.shape)


FAR = []  # descriptions of tensors outside the narrow bound
UNREACHED = set()  # gradients of parameters that the last model's loss does not reach
FAILURES = (RuntimeError, ValueError, IndexError, AttributeError)
UNKNOWN = []  # cases that transformers cannot do
CLOSE = {}  # instruction set: [tensors within the narrow bound, tensors]


def report(name, off, tolerance, scale):
    """None where a tensor is near enough, else what to print."""
    if off <= tolerance:
        return None
    return f"{name} is off by {off:.3g}, tolerance {tolerance:.3g}, largest {scale:.3g}"


def compare(name, want, exact, got, largest, inputs, isa):
    if got is None and name in UNREACHED:
        return None
    if got is None:
        return f"{name} is missing"
    if got.numel() != want.numel():
        return f"{name} has shape {tuple(got.shape)}, expected {tuple(want.shape)}"
    if want.numel() == 0:
        return None
    got = got.reshape(want.shape).double()
    keep = padding(name, want, inputs) if name.startswith("out.") else torch.ones_like(
        want, dtype=torch.bool)
    want, exact, got = want.double()[keep], exact.double()[keep], got[keep]
    if want.numel() == 0:
        return None
    if name == "loss" and torch.isnan(want).all():
        return None if torch.isnan(got).all() else f"loss is {got.item()}, expected NaN"
    noise, scale = (want - exact).abs().max().item(), want.abs().max().item()
    off = (got - want).abs().max().item()
    # in float64 the masks of transformers overflow where a token sees nothing: how exact float32 is
    # is not known
    if noise != noise:
        tolerance = max(1e-4 * scale, 1e-6 * largest)
        return report(name, off, tolerance, scale)
    tolerance = max(30 * noise, 1e-5 * scale, 1e-6 * largest)
    count = CLOSE.setdefault(isa, [0, 0])
    count[0] += off <= max(4 * noise, 3e-6 * scale)
    count[1] += 1
    if off > max(4 * noise, 3e-6 * scale):
        FAR.append(f"{name} {tuple(want.shape)}: off by {off:.3g}, bound "
                   f"{max(4 * noise, 3e-6 * scale):.3g}, largest value {scale:.3g}")
    return report(name, off, tolerance, scale)


def check(heed, folder, label, model, inputs, isas, seq2seq=False, stored=None):
    if stored is not None:
        model.to(stored).save_pretrained(folder)
        # computed tables were rounded too
        model = type(model).from_pretrained(folder, dtype=torch.float32,
                                            attn_implementation="eager").eval()
    else:
        model.save_pretrained(folder)
    x, y = os.path.join(folder, "x.safetensors"), os.path.join(folder, "y.safetensors")
    given = {k: v for k, v in inputs.items() if v is not None}
    save_file({"in." + k: v.clone().contiguous() for k, v in given.items()}, x)
    try:
        want, grads = run_torch(model, given, False)
    except FAILURES:
        want, grads = None, {}  # transformers cannot do it: heed must answer, whatever it says
        UNKNOWN.append(label)
    try:
        exact, exact_grads = run_torch(model, given, True) if want is not None else ({}, {})
    except FAILURES:  # how exact float32 is is not known
        exact, exact_grads = {k: torch.full_like(v, torch.nan) for k, v in want.items()}, {}
    model.float()
    largest = max([v.abs().max().item() for v in grads.values() if v.numel()] or [0])
    on_disk = set()
    for shard in [
            f for f in os.listdir(folder) if f.startswith("model") and f.endswith(".safetensors")
    ]:
        on_disk |= set(load_file(os.path.join(folder, shard)))
    problems = []
    for isa in isas:
        environment = dict(os.environ, **({"HEED_ISA": isa} if isa and isa != "reference" else {}))
        done = subprocess.run([heed, "forward", folder, "--in", x, "--out", y, "--grad"] +
                              ["--reference"] * (isa == "reference"), capture_output=True,
                              text=True, env=environment)
        if want is None:
            problems += [] if done.returncode in (0, 1) else [f"heed ends with {done.returncode}"]
            continue
        if done.returncode != 0:
            problems.append(f"heed answers {done.returncode}: {done.stderr.strip()}")
            continue
        got = load_file(y)
        mark = dict(given, _seq2seq=seq2seq)
        found = [
            compare(k, v, exact[k], got.get(k), 0, mark, isa) for k, v in want.items()
            if k != "out.encoder_last_hidden_state" or k in got
        ]
        found += [
            compare(name, value, exact_grads.get(name, torch.full_like(value, torch.nan)),
                    got.get(name), largest, mark, isa) for name, value in grads.items()
            if name[5:] in on_disk
        ]
        problems += [f"{isa + ': ' if isa else ''}{p}" for p in found if p]
    return problems


def summarize(failed, total):
    """Prints how many of the models drawn at random agree; returns the exit status."""
    unknown = f"; {len(UNKNOWN)} that transformers cannot do were answered" if UNKNOWN else ""
    print(f"{total - failed} of {total} models agree{unknown}")
    for close, tensors in CLOSE.values():
        print(f"{close} of {tensors} tensors within max(4 x noise, 3e-6 x largest)")
    return 1 if failed else 0


def check_refused(heed, folder, model, inputs, word):
    """A model that heed does not know: a clear answer, no signal."""
    model.save_pretrained(folder)
    x, y = os.path.join(folder, "x.safetensors"), os.path.join(folder, "y.safetensors")
    save_file({"in." + k: v.clone().contiguous() for k, v in inputs.items()}, x)
    done = subprocess.run([heed, "forward", folder, "--in", x, "--out", y], capture_output=True,
                          text=True)
    return [] if done.returncode == 1 and word in done.stderr else [
        f"heed answers "
        f"{done.returncode}: "
        f"{done.stderr.strip()}"
    ]


# ---- batches ----


def ids(vocab, *shape, seed=0, low=3):
    return torch.randint(low, vocab, shape, generator=torch.Generator().manual_seed(seed))


def right_padded(vocab, B=3, T=13, seed=0):
    m = torch.ones(B, T, dtype=torch.long)
    for b in range(B):
        m[b, T - 3 * b:] = 0
    return ids(vocab, B, T, seed=seed), m


def batches(vocab, kind):
    """Named batches with labels for the kind of head: "causal" or "masked"."""
    x, right = right_padded(vocab)
    B, T = x.shape
    left = right.flip(1)
    holes = right.clone()
    holes[:, 4] = 0
    holes[0, 7:9] = 0

    def labeled(x, mask, shift):
        return x if mask is None else torch.where(mask == 0, -100, x)

    shift = kind == "causal"
    yield "no mask", dict(input_ids=x, labels=labeled(x, None, shift))
    yield "right padding", dict(input_ids=x, attention_mask=right, labels=labeled(x, right, shift))
    yield "left padding", dict(input_ids=x, attention_mask=left, labels=labeled(x, left, shift))
    yield "left padding, position ids", dict(input_ids=x, attention_mask=left,
                                             position_ids=(left.cumsum(1) - 1).clamp(min=0),
                                             labels=labeled(x, left, shift))
    yield "holes", dict(input_ids=x, attention_mask=holes, labels=labeled(x, holes, shift))
    yield "left padding, labels everywhere", dict(input_ids=x, attention_mask=left, labels=x)
    yield "nothing but padding", dict(input_ids=x,
                                      attention_mask=left * torch.tensor([[1], [0], [1]]), labels=x)
    yield "holes, labels everywhere", dict(input_ids=x, attention_mask=holes, labels=x)
    yield "position ids from 5", dict(input_ids=x, position_ids=torch.arange(5, 5 + T)[None],
                                      labels=x)
    yield "position ids of packed segments", dict(
        input_ids=x, position_ids=torch.tensor([list(range(5)) + list(range(T - 5))] * B), labels=x)
    yield "one token", dict(input_ids=x[:, :1], attention_mask=right[:, :1])
    yield "one token, labels", dict(input_ids=x[:, :1], labels=x[:, :1])
    yield "two tokens, labels", dict(input_ids=x[:, :2], attention_mask=right[:, :2],
                                     labels=x[:, :2])
    yield "one sequence", dict(input_ids=x[:1], labels=x[:1])
    if kind == "causal":
        yield "segments, no cache", dict(
            input_ids=x, position_ids=torch.tensor(
                [list(range(5)) + list(range(T - 5)),
                 list(range(T)), [0] + list(range(T - 1))]), labels=x, use_cache=torch.tensor([0]))
    yield "no sequences", dict(input_ids=x[:0], attention_mask=right[:0])
    yield "no sequences, labels", dict(input_ids=x[:0], labels=x[:0])
    yield "no tokens", dict(input_ids=x[:, :0], attention_mask=right[:, :0])
    yield "no tokens, labels", dict(input_ids=x[:, :0], labels=x[:, :0])
    yield "nothing at all", dict(input_ids=x[:0, :0])
    g = torch.Generator().manual_seed(5)
    yield "cotangents", {
        "input_ids": x, "attention_mask": right,
        "cotangent.logits": torch.randn(B, T, vocab, generator=g) * right[..., None]
    }
    yield "some labels ignored", dict(
        input_ids=x, attention_mask=right, labels=torch.where(
            torch.rand(B, T, generator=torch.Generator().manual_seed(1)) < .5, -100,
            labeled(x, right, shift)))


# ---- models ----


def gpt2(cls="GPT2LMHeadModel", **c):
    return cls, transformers.GPT2Config(**dict(
        dict(vocab_size=61, n_positions=40, n_embd=24, n_layer=2, n_head=3, layer_norm_epsilon=1e-3,
             bos_token_id=1, eos_token_id=2, resid_pdrop=0., embd_pdrop=0., attn_pdrop=0.), **c))


def llama(cls="LlamaForCausalLM", config=transformers.LlamaConfig, **c):
    return cls, config(**dict(
        dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
             rms_norm_eps=1e-3, head_dim=6), **c))


def bert(cls="BertForMaskedLM", **c):
    return cls, transformers.BertConfig(**dict(
        dict(vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
             intermediate_size=40, max_position_embeddings=40, layer_norm_eps=1e-3,
             hidden_dropout_prob=0., attention_probs_dropout_prob=0.), **c))


def marian(cls="MarianMTModel", **c):
    return cls, transformers.MarianConfig(**dict(
        dict(vocab_size=61, decoder_vocab_size=61, d_model=24, encoder_layers=2, decoder_layers=2,
             encoder_attention_heads=3, decoder_attention_heads=3, encoder_ffn_dim=40,
             decoder_ffn_dim=40, max_position_embeddings=40, pad_token_id=60, eos_token_id=0,
             decoder_start_token_id=60, dropout=0.), **c))


def longrope(original):
    return {
        "rope_type": "longrope", "rope_theta": 500.0, "original_max_position_embeddings": original,
        "short_factor": [1.0, 1.1, 1.7], "long_factor": [1.2, 2.5, 6.0]
    }


def mistral(**c):
    return llama("MistralForCausalLM", transformers.MistralConfig, **c)


def qwen2(**c):
    c = dict(c)
    c.setdefault("head_dim", None)
    cls, config = "Qwen2ForCausalLM", transformers.Qwen2Config(**dict(
        dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=3,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
             rms_norm_eps=1e-3), **{k: v
                                    for k, v in c.items() if v is not None}))
    return cls, config


def cases():
    plain = {}
    for name, build, kind in [("gpt2", gpt2, "causal"), ("llama", llama, "causal"),
                              ("mistral", lambda **c: mistral(sliding_window=4, **c), "causal"),
                              ("qwen2", qwen2, "causal"), ("bert", bert, "masked")]:
        for label, inputs in batches(61, kind):
            yield f"{name}: {label}", build(), inputs
    x, right = right_padded(61)
    default = dict(input_ids=x, attention_mask=right, labels=torch.where(right == 0, -100, x))
    for activation in sorted(ACT2FN):
        if activation in ("prelu", "xielu"):  # these have parameters
            yield f"gpt2 activation {activation}", gpt2(activation_function=activation), dict(
                default, _refused="activation")
            yield f"llama activation {activation}", llama(hidden_act=activation), dict(
                default, _refused="activation")
            yield f"bert activation {activation}", bert(hidden_act=activation), dict(
                default, _refused="activation")
            yield f"marian activation {activation}", marian(activation_function=activation), dict(
                input_ids=x.clamp(max=59), labels=x.clamp(max=59), _refused="activation")
            continue
        yield f"marian activation {activation}", marian(activation_function=activation), dict(
            input_ids=x.clamp(max=59), attention_mask=right, labels=x[:, :7].clamp(max=59))
        yield f"gpt2 activation {activation}", gpt2(activation_function=activation), default
        yield f"llama activation {activation}", llama(hidden_act=activation), default
        yield f"bert activation {activation}", bert(hidden_act=activation), default
    options = [
        ("gpt2 n_inner", gpt2(n_inner=20)),
        ("gpt2 untied", gpt2(tie_word_embeddings=False)),
        ("gpt2 unscaled", gpt2(scale_attn_weights=False)),
        ("gpt2 scale by layer", gpt2(scale_attn_by_inverse_layer_idx=True)),
        ("gpt2 both", gpt2(scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False)),
        ("gpt2 upcast", gpt2(reorder_and_upcast_attn=True)),
        ("gpt2 one head", gpt2(n_head=1)),
        ("gpt2 one layer", gpt2(n_layer=1)),
        ("gpt2 small eps", gpt2(layer_norm_epsilon=1e-5)),
        ("llama tied", llama(tie_word_embeddings=True)),
        ("llama one kv head", llama(num_key_value_heads=1)),
        ("llama mha", llama(num_key_value_heads=4)),
        ("llama wide heads", llama(head_dim=10)),
        ("llama attention bias", llama(attention_bias=True)),
        ("llama mlp bias", llama(mlp_bias=True)),
        ("llama all biases",
         llama(attention_bias=True, mlp_bias=True, head_dim=10, num_key_value_heads=1,
               tie_word_embeddings=True)),
        ("llama narrow heads", llama(head_dim=4)),
        ("mistral wide heads", mistral(head_dim=12, sliding_window=4)),
        ("mistral one kv head", mistral(num_key_value_heads=1)),
        ("qwen2 one kv head", qwen2(num_key_value_heads=1)),
        ("qwen2 mha", qwen2(num_key_value_heads=4)),
        ("gpt2 n_inner null", gpt2(n_inner=None)),
        ("llama one layer", llama(num_hidden_layers=1)),
        ("llama small eps", llama(rms_norm_eps=1e-6)),
        ("bert small eps", bert(layer_norm_eps=1e-12)),
        ("gpt2 all scales",
         gpt2(scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True,
              scale_attn_weights=True, n_layer=3)),
        ("llama pad id", llama(pad_token_id=5)),
        ("llama theta", llama(rope_parameters={"rope_type": "default", "rope_theta": 123.0})),
        ("llama linear",
         llama(rope_parameters={"rope_type": "linear", "rope_theta": 500.0, "factor": 3.0})),
        ("llama llama3",
         llama(
             rope_parameters={
                 "rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0,
                 "high_freq_factor": 4.0, "original_max_position_embeddings": 16
             })),
        ("llama yarn",
         llama(
             head_dim=16, rope_parameters={
                 "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
                 "original_max_position_embeddings": 16
             })),
        ("llama yarn, all keys",
         llama(
             head_dim=16, rope_parameters={
                 "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
                 "original_max_position_embeddings": 16, "beta_fast": 8.0, "beta_slow": 2.0,
                 "mscale": 1.2, "mscale_all_dim": 0.7, "truncate": False
             })),
        ("llama yarn, attention factor",
         llama(
             rope_parameters={
                 "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
                 "original_max_position_embeddings": 16, "attention_factor": 1.3
             })),
        ("llama dynamic, short",
         llama(rope_parameters={"rope_type": "dynamic", "rope_theta": 500.0, "factor": 3.0})),
        ("llama dynamic, long",
         llama(max_position_embeddings=8,
               rope_parameters={"rope_type": "dynamic", "rope_theta": 500.0, "factor": 3.0})),
        ("llama dynamic, one pair",
         llama(head_dim=4, max_position_embeddings=8,
               rope_parameters={"rope_type": "dynamic", "rope_theta": 500.0, "factor": 1.5})),
        ("llama longrope, short", llama(rope_parameters=longrope(16))),
        ("llama longrope, long", llama(rope_parameters=longrope(8))),
        ("llama longrope, at the border", llama(rope_parameters=longrope(13))),
        ("llama longrope, "
         "factor", llama(rope_parameters=dict(longrope(8), factor=2.0))),
        ("llama longrope, attention factor",
         llama(rope_parameters=dict(longrope(8), attention_factor=0.8))),
        ("mistral longrope", mistral(sliding_window=5, rope_parameters=longrope(8))),
        ("qwen2 "
         "dynamic",
         qwen2(max_position_embeddings=7,
               rope_parameters={"rope_type": "dynamic", "rope_theta": 99.0, "factor": 2.0})),
        ("mistral window 1", mistral(sliding_window=1)),
        ("mistral window 5", mistral(sliding_window=5)),
        ("mistral no window", mistral(sliding_window=None)),
        ("mistral window longer", mistral(sliding_window=50)),
        ("mistral tied", mistral(sliding_window=3, tie_word_embeddings=True)),
        ("qwen2 tied", qwen2(tie_word_embeddings=True)),
        ("qwen2 window", qwen2(use_sliding_window=True, sliding_window=4, max_window_layers=1)),
        ("qwen2 window everywhere",
         qwen2(use_sliding_window=True, sliding_window=4, max_window_layers=0)),
        ("qwen2 layer types",
         qwen2(use_sliding_window=True, sliding_window=3,
               layer_types=["sliding_attention", "full_attention", "sliding_attention"])),
        ("qwen2 window not used",
         qwen2(use_sliding_window=False, sliding_window=4, max_window_layers=0)),
        ("bert untied", bert(tie_word_embeddings=False)),
        ("bert one type", bert(type_vocab_size=1)),
        ("bert one head", bert(num_attention_heads=1)),
        ("bert language model", bert("BertLMHeadModel", is_decoder=True)),
        ("bert language model, "
         "both ways", bert("BertLMHeadModel", is_decoder=False)),
    ]
    for label, model in options:
        yield label, model, default
    for label, dtype in [("bf16", torch.bfloat16), ("f16", torch.float16)]:
        for name, model in [("gpt2", gpt2()), ("llama", llama()), ("bert", bert()),
                            ("qwen2", qwen2()), ("mistral", mistral(sliding_window=4))]:
            yield f"{name} stored as {label}", model, dict(default, _stored=dtype)
        yield f"marian stored as {label}", marian(), dict(input_ids=x.clamp(max=59),
                                                          attention_mask=right,
                                                          labels=x[:, :7].clamp(max=59),
                                                          _stored=dtype)
    types = torch.tensor([[0] * 6 + [1] * 7] * 3)
    yield "gpt2 token types", gpt2(), dict(default, token_type_ids=types, _refused="token_type_ids")
    yield "llama token types", llama(), dict(default, token_type_ids=types,
                                             _refused="token_type_ids")
    yield "bert token types", bert(), dict(default, token_type_ids=types)
    holes = right.clone()
    holes[:, 0] = 0
    for label, mask in [("right padding", right), ("left padding", right.flip(1)),
                        ("first token "
                         "masked", holes), ("no mask", None)]:
        yield f"bert pretraining, {label}", bert("BertForPreTraining"), dict(
            input_ids=x, attention_mask=mask, token_type_ids=types,
            labels=torch.where(right == 0, -100, x), next_sentence_label=torch.tensor([1, 0, 1]))
        yield f"bert model, {label}", bert("BertModel"), dict(input_ids=x, attention_mask=mask)
        g = torch.Generator().manual_seed(6)
        seen = torch.ones_like(right) if mask is None else mask
        yield f"bert model, cotangents, {label}", bert("BertModel"), {
            "input_ids": x, "attention_mask": mask,
            "cotangent.pooler_output": torch.randn(3, 24, generator=g),
            "cotangent.last_hidden_state": torch.randn(3, 13, 24, generator=g) * seen[..., None]
        }
        yield f"llama model, cotangents, {label}", llama("LlamaModel"), {
            "input_ids": x, "attention_mask": mask,
            "cotangent.last_hidden_state": torch.randn(3, 13, 24, generator=g) * seen[..., None]
        }
        yield f"bert next sentence, {label}", bert("BertForNextSentencePrediction"), dict(
            input_ids=x, attention_mask=mask, labels=torch.tensor([1, 0, 1]))
        yield f"bert question, {label}", bert("BertForQuestionAnswering"), dict(
            input_ids=x, attention_mask=mask, start_positions=torch.tensor([1, 0, 5]),
            end_positions=torch.tensor([3, 30, 5]))
        for tag, extra, labels in [
            ("single", dict(num_labels=4), torch.tensor([1, 3, 0])),
            ("regression", dict(num_labels=1), torch.tensor([.3, -1., 2.])),
            ("several numbers", dict(num_labels=3, problem_type="regression"),
             torch.randn(3, 3, generator=torch.Generator().manual_seed(3))),
            ("multi-label", dict(num_labels=3), torch.tensor([[1., 0, 1], [0, 0, 0], [1, 1, 0]])),
            ("multi-label by name", dict(num_labels=3, problem_type="multi_label_classification"),
             torch.tensor([[1., 0, 1], [0, 0, 0], [1, 1, 0]]))
        ]:
            yield f"bert classes, {tag}, {label}", bert("BertForSequenceClassification",
                                                        **extra), dict(
                                                            input_ids=x, attention_mask=mask,
                                                            labels=labels)
            if label in ("right padding", "no mask"):
                padded = torch.where(right == 0, 2, x)
                yield f"gpt2 classes, {tag}, {label}", gpt2("GPT2ForSequenceClassification",
                                                            pad_token_id=2, **extra), dict(
                                                                input_ids=padded,
                                                                attention_mask=mask, labels=labels)
                yield f"llama classes, {tag}, {label}", llama(
                    "LlamaForSequenceClassification", pad_token_id=2,
                    **extra), dict(input_ids=padded, attention_mask=mask, labels=labels)
                yield f"mistral classes, {tag}, {label}", llama(
                    "MistralForSequenceClassification", transformers.MistralConfig, pad_token_id=2,
                    sliding_window=4, **extra), dict(input_ids=padded, attention_mask=mask,
                                                     labels=labels)
                yield f"qwen2 classes, {tag}, {label}", ("Qwen2ForSequenceClassification",
                                                         qwen2(pad_token_id=2, **extra)[1]), dict(
                                                             input_ids=padded, attention_mask=mask,
                                                             labels=labels)
        tokens = torch.where(right == 0, -100, x % 5)
        yield f"bert token classes, {label}", bert("BertForTokenClassification",
                                                   num_labels=5), dict(
                                                       input_ids=x, attention_mask=mask,
                                                       labels=tokens)
    yield "gpt2 token classes", gpt2("GPT2ForTokenClassification",
                                     num_labels=5), dict(input_ids=x, attention_mask=right,
                                                         labels=tokens)
    yield "gpt2 token classes without a loss", gpt2("GPT2ForTokenClassification",
                                                    num_labels=5), dict(
                                                        input_ids=x, attention_mask=right)
    yield "llama token classes", llama("LlamaForTokenClassification",
                                       num_labels=5), dict(input_ids=x, attention_mask=right,
                                                           labels=tokens)
    yield "gpt2 question", gpt2("GPT2ForQuestionAnswering"), dict(
        input_ids=x, start_positions=torch.tensor([1, 0, 5]), end_positions=torch.tensor([3, 30,
                                                                                          5]))
    yield "llama question", llama("LlamaForQuestionAnswering"), dict(
        input_ids=x, start_positions=torch.tensor([1, 0, 5]), end_positions=torch.tensor([3, 30,
                                                                                          5]))
    yield "gpt2 model", gpt2("GPT2Model"), dict(input_ids=x, attention_mask=right)
    yield "llama model", llama("LlamaModel"), dict(input_ids=x, attention_mask=right)
    yield "gpt2 classes, one sequence, no pad id", gpt2("GPT2ForSequenceClassification",
                                                        num_labels=3), dict(
                                                            input_ids=x[:1],
                                                            labels=torch.tensor([2]))
    yield "bert choice", bert("BertForMultipleChoice"), dict(input_ids=ids(61, 2, 3,
                                                                           9), attention_mask=None,
                                                             labels=torch.tensor([2, 0]))
    labels = ids(60, 3, 7, seed=4)
    short = labels.clone()
    short[1, 5:] = -100
    for label, config in [("", {}), (" scaled embedding", dict(scale_embedding=True)),
                          (" relu", dict(activation_function="relu")),
                          (" two embeddings",
                           dict(share_encoder_decoder_embeddings=False, decoder_vocab_size=43,
                                pad_token_id=40, decoder_start_token_id=40)),
                          (" untied", dict(tie_word_embeddings=False)),
                          (" other widths",
                           dict(encoder_ffn_dim=12, decoder_ffn_dim=28, encoder_attention_heads=2,
                                decoder_attention_heads=4, decoder_layers=1)),
                          (" odd half", dict(d_model=30))]:
        y = short if "decoder_vocab_size" not in config else short.clamp(max=42)
        yield f"marian{label}: padding", marian(**config), dict(input_ids=x.clamp(max=59),
                                                                attention_mask=right, labels=y)
    yield "marian: no mask", marian(), dict(input_ids=x.clamp(max=59), labels=labels)
    yield "marian: holes", marian(), dict(input_ids=x.clamp(max=59), attention_mask=holes,
                                          labels=labels)
    nothing = right.clone()
    nothing[1] = 0
    yield "marian: a source of padding", marian(), dict(input_ids=x.clamp(max=59),
                                                        attention_mask=nothing, labels=labels)
    yield "bert model, nothing but padding", bert("BertModel"), dict(input_ids=x,
                                                                     attention_mask=nothing)
    yield "marian: left", marian(), dict(input_ids=x.clamp(max=59), attention_mask=right.flip(1),
                                         labels=labels)
    dmask = torch.ones(3, 7, dtype=torch.long)
    dmask[2, 5:] = 0
    yield "marian: decoder ids", marian(), dict(input_ids=x.clamp(max=59), attention_mask=right,
                                                decoder_input_ids=labels)
    yield "marian: decoder ids and mask", marian(), dict(input_ids=x.clamp(max=59),
                                                         attention_mask=right,
                                                         decoder_input_ids=labels,
                                                         decoder_attention_mask=dmask)
    yield "marian: decoder ids, mask, labels", marian(), dict(
        input_ids=x.clamp(max=59), attention_mask=right, decoder_input_ids=labels,
        decoder_attention_mask=dmask, labels=torch.where(dmask == 0, -100, labels))
    yield "marian: one token", marian(), dict(input_ids=x[:, :1].clamp(max=59),
                                              decoder_input_ids=labels[:, :1])
    yield "marian: no sequences", marian(), dict(input_ids=x[:0].clamp(max=59), labels=labels[:0])
    yield "marian: no source tokens", marian(), dict(input_ids=x[:, :0], labels=labels)
    yield "marian: no target tokens", marian(), dict(input_ids=x.clamp(max=59),
                                                     decoder_input_ids=labels[:, :0])
    yield "marian: one token, labels", marian(), dict(input_ids=x[:, :1].clamp(max=59),
                                                      labels=labels[:, :1])
    yield "marian: one head, one layer", marian(
        encoder_attention_heads=1, decoder_attention_heads=1, encoder_layers=1,
        decoder_layers=1), dict(input_ids=x.clamp(max=59), attention_mask=right, labels=labels)
    yield "marian model", marian("MarianModel"), dict(input_ids=x.clamp(max=59),
                                                      attention_mask=right,
                                                      decoder_input_ids=labels)
    yield from decoder_cases()


# Decoders beyond Llama: class stem and settings of a tiny model. The common ones are those of HF or
# GPT.
TINY = dict(vocab_size=61, bos_token_id=1, eos_token_id=2, pad_token_id=None)
HF = dict(TINY, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
          num_key_value_heads=2, max_position_embeddings=64)
GPT = dict(TINY, n_embd=24, n_layer=2, n_head=3, n_positions=64, resid_pdrop=0., embd_pdrop=0.,
           attn_pdrop=0., layer_norm_epsilon=1e-3)
DECODERS = {
    "qwen3": ("Qwen3", dict(HF, head_dim=6, rms_norm_eps=1e-3)),
    "olmo2": ("Olmo2", dict(HF, rms_norm_eps=1e-3)),
    "gemma": ("Gemma", dict(HF, head_dim=6, rms_norm_eps=1e-3)),
    "gemma2": ("Gemma2",
               dict(HF, head_dim=6, rms_norm_eps=1e-3, query_pre_attn_scalar=5, sliding_window=7,
                    attn_logit_softcapping=2., final_logit_softcapping=3.)),
    "gemma3": ("Gemma3",
               dict(
                   HF, head_dim=6, rms_norm_eps=1e-3, num_hidden_layers=3, query_pre_attn_scalar=5,
                   sliding_window=7,
                   layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                   rope_parameters={
                       "full_attention": {"rope_type": "default", "rope_theta": 3000.},
                       "sliding_attention": {"rope_type": "default", "rope_theta": 50.}
                   })),
    "phi": ("Phi",
            dict(
                HF, layer_norm_eps=1e-3, rope_parameters={
                    "rope_type": "default", "rope_theta": 100., "partial_rotary_factor": .5
                })),
    "phi3": ("Phi3", dict(HF, rms_norm_eps=1e-3, original_max_position_embeddings=64)),
    "cohere": ("Cohere", dict(HF, layer_norm_eps=1e-3, logit_scale=.3)),
    "starcoder2": ("Starcoder2", dict(HF, norm_epsilon=1e-3, sliding_window=7)),
    "gpt_neo": ("GPTNeo",
                dict(TINY, hidden_size=24, num_layers=2, num_heads=3, max_position_embeddings=64,
                     attention_types=[[["global", "local"],
                                       1]], window_size=7, layer_norm_epsilon=1e-3)),
    "gpt_neox": ("GPTNeoX", {
        k: v
        for k, v in dict(
            HF, layer_norm_eps=1e-3, rope_parameters={
                "rope_type": "default", "rope_theta": 100., "partial_rotary_factor": .5
            }).items() if k != "num_key_value_heads"
    }),
    "gptj": ("GPTJ", dict(GPT, rotary_dim=4)),
    "gpt_bigcode": ("GPTBigCode", GPT),
    "opt": ("OPT",
            dict(TINY, hidden_size=24, ffn_dim=40, num_hidden_layers=2, num_attention_heads=3,
                 max_position_embeddings=64, word_embed_proj_dim=24, dropout=0., pad_token_id=1)),
    "bloom": ("Bloom", dict(TINY, hidden_size=24, n_layer=2, n_head=3, layer_norm_epsilon=1e-3)),
    "mpt": ("Mpt",
            dict(TINY, d_model=24, n_layers=2, n_heads=3, max_seq_len=64, layer_norm_epsilon=1e-3)),
    "falcon": ("Falcon",
               dict(TINY, hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                    layer_norm_epsilon=1e-3)),
}
# What each head is made of in transformers, by the stems that have it.
WITHOUT = {
    "ForSequenceClassification": {"Cohere", "Granite"},
    "ForTokenClassification": {"Cohere", "Granite", "Olmo2", "Gemma3", "OPT", "GPTJ"},
    "ForQuestionAnswering": {
        "Cohere", "Granite", "Olmo2", "Gemma", "Gemma2", "Gemma3", "Phi", "Phi3", "Starcoder2",
        "GPTBigCode"
    }
}
VARIANTS = [
    ("qwen3", "attention bias, tied", dict(attention_bias=True, tie_word_embeddings=True)),
    ("qwen3", "one kv head", dict(num_key_value_heads=1)),
    ("qwen3", "window", dict(use_sliding_window=True, sliding_window=7, max_window_layers=1)),
    ("olmo2", "attention bias, tied", dict(attention_bias=True, tie_word_embeddings=True)),
    ("olmo2", "yarn",
     dict(rope_parameters={
         "rope_type": "yarn", "rope_theta": 500., "factor": 4.,
         "original_max_position_embeddings": 16
     })),
    ("gemma", "attention bias, untied", dict(attention_bias=True, tie_word_embeddings=False)),
    ("gemma", "gelu", dict(hidden_act="gelu")),
    ("gemma2", "no caps", dict(attn_logit_softcapping=None, final_logit_softcapping=None)),
    ("gemma2", "no layer types", dict(layer_types=None)),
    ("gemma2", "one cap", dict(attn_logit_softcapping=None)),
    ("gemma3", "caps", dict(final_logit_softcapping=2., attn_logit_softcapping=1.)),
    ("gemma3", "pattern", dict(layer_types=None, sliding_window_pattern=2)),
    ("gemma3", "linear",
     dict(
         rope_parameters={
             "full_attention": {"rope_type": "linear", "factor": 8., "rope_theta": 3000.},
             "sliding_attention": {"rope_type": "default", "rope_theta": 50.}
         })),
    ("phi", "norms of heads", dict(qk_layernorm=True)),
    ("phi", "tied, one kv head", dict(num_key_value_heads=1)),
    ("phi3", "window", dict(sliding_window=7)),
    ("phi3", "partial",
     dict(
         rope_parameters={"rope_type": "default", "rope_theta": 100., "partial_rotary_factor": .75})
     ),
    ("cohere", "norms of heads", dict(use_qk_norm=True)),
    ("cohere", "biases, untied", dict(attention_bias=True, tie_word_embeddings=False)),
    ("cohere", "mha", dict(num_key_value_heads=4)),
    ("starcoder2", "no biases, no window", dict(use_bias=False, sliding_window=None)),
    ("starcoder2", "untied", dict(tie_word_embeddings=False)),
    ("gpt_neo", "inner, untied", dict(intermediate_size=20, tie_word_embeddings=False)),
    ("gpt_neo", "all global", dict(attention_types=[[["global"], 2]])),
    ("gpt_neox", "serial", dict(use_parallel_residual=False)),
    ("gpt_neox", "no attention bias, "
     "tied", dict(attention_bias=False, tie_word_embeddings=True)),
    ("gptj", "whole heads", dict(rotary_dim=8)),
    ("gptj", "inner", dict(n_inner=20)),
    ("gpt_bigcode", "mha", dict(multi_query=False)),
    ("gpt_bigcode", "unscaled, untied", dict(scale_attn_weights=False, tie_word_embeddings=False)),
    ("opt", "350m", dict(do_layer_norm_before=False, word_embed_proj_dim=10)),
    ("opt", "narrow", dict(word_embed_proj_dim=10)),
    ("opt", "no bias", dict(enable_bias=False)),
    ("opt", "no final norm", dict(_remove_final_layer_norm=True)),
    ("opt", "untied, gelu", dict(tie_word_embeddings=False, activation_function="gelu")),
    ("bloom", "residual after norms", dict(apply_residual_connection_post_layernorm=True)),
    ("bloom", "8 heads", dict(n_head=8)),
    ("bloom", "untied", dict(tie_word_embeddings=False)),
    ("mpt", "softmax scale", dict(attn_config=dict(softmax_scale=.2))),
    ("mpt", "4 heads", dict(n_heads=4)),
    ("falcon", "groups",
     dict(hidden_size=32, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True)),
    ("falcon", "groups, one norm",
     dict(hidden_size=32, num_attention_heads=4, num_kv_heads=2, new_decoder_architecture=True,
          num_ln_in_parallel_attn=1)),
    ("falcon", "mha", dict(multi_query=False)),
    ("falcon", "one after the other, bias", dict(parallel_attn=False, bias=True)),
    ("falcon", "alibi", dict(alibi=True, multi_query=False, parallel_attn=False)),
    ("falcon", "alibi, 2 heads", dict(alibi=True, num_attention_heads=2)),
]


def decoder(name, head="ForCausalLM", **settings):
    stem, common = DECODERS[name]
    config = getattr(transformers, "Gemma3TextConfig" if stem == "Gemma3" else stem + "Config")
    stem = "Gemma3Text" if stem == "Gemma3" and head != "ForCausalLM" else stem
    return stem + head, config(**dict(common, **settings))


def decoder_cases():
    x, right = right_padded(61)
    default = dict(input_ids=x, attention_mask=right, labels=torch.where(right == 0, -100, x))
    for name, (stem, _) in DECODERS.items():
        for label, inputs in batches(61, "causal"):
            if name == "opt" and label in ("left padding", "holes", "left padding, labels "
                                           "everywhere", "holes, labels "
                                           "everywhere", "nothing but padding"):
                # scored masked tokens: OPT gives them the row before position 0, which heed refuses
                continue
            if name == "mpt" and label in ("left padding", "left padding, position ids", "left "
                                           "padding, labels everywhere", "nothing but padding"):
                # scored tokens that see nothing: MPT overwrites their scores, so that no gradient
                # reaches q and k
                continue
            yield f"{name}: {label}", decoder(name), inputs
        padded = torch.where(right == 0, 2, x)
        if stem not in WITHOUT["ForSequenceClassification"]:
            for tag, extra, labels in [("single", dict(num_labels=4), torch.tensor([1, 3, 0])),
                                       ("regression", dict(num_labels=1),
                                        torch.tensor([.3, -1., 2.]))]:
                yield f"{name} classes, {tag}", decoder(name, "ForSequenceClassification",
                                                        **dict(extra, pad_token_id=2)), dict(
                                                            input_ids=padded, attention_mask=right,
                                                            labels=labels)
        if stem not in WITHOUT["ForTokenClassification"]:
            yield f"{name} token classes", decoder(name, "ForTokenClassification",
                                                   num_labels=5), dict(
                                                       input_ids=x, attention_mask=right,
                                                       labels=torch.where(right == 0, -100, x % 5))
        if stem not in WITHOUT["ForQuestionAnswering"]:
            yield f"{name} question", decoder(name, "ForQuestionAnswering"), dict(
                input_ids=x, start_positions=torch.tensor([1, 0, 5]),
                end_positions=torch.tensor([3, 30, 5]))
        yield f"{name} model", decoder(name, "Model"), dict(input_ids=x, attention_mask=right)
    for name, label, settings in VARIANTS:
        yield f"{name} {label}", decoder(name, **settings), default


# ---- everything drawn ----


def drawn_mask(rng, B, T):
    """None, or one with padding on the right, on the left, or with holes; every sequence sees
    something."""
    kind = rng.choice(["none", "right", "left", "holes", "mixed"])
    if kind == "none":
        return None
    mask = torch.ones(B, T, dtype=torch.long)
    for b in range(B):
        cut = rng.randrange(T)
        way = rng.choice(["right", "left", "holes"]) if kind == "mixed" else kind
        if way == "right":
            mask[b, T - cut:] = 0
        elif way == "left":
            mask[b, :cut] = 0
        else:
            for t in rng.sample(range(T), rng.randrange(T)):
                mask[b, t] = 0
    return mask


def drawn_core(rng, number):
    """A class, a configuration, inputs: a model of one of the families that the core names."""
    family = rng.choice(["gpt2", "llama", "mistral", "qwen2", "bert", "marian", "torch"])
    pick = rng.choice
    V, H, L = pick([7, 61, 130, 1031]), pick([1, 2, 3, 4, 6, 8]), pick([1, 1, 2, 3])
    E = pick([2, 4, 6, 8, 16, 32, 64, 80]) if H <= 4 else pick([2, 4, 8, 16])
    B, T = pick([1, 2, 3, 9]), pick([1, 2, 5, 17, 40, 63, 64, 65, 129, 200])
    D, F, eps = H * E, pick([1, 5, 16, 33, 64, 100]), pick([1e-3, 1e-3, 1e-5])
    activation = pick(sorted(name for name in ACT2FN if name not in ("prelu", "xielu")))
    mask = drawn_mask(rng, B, T)
    x = ids(V, B, T, seed=number, low=min(3, V - 1))
    if family == "torch":
        S = pick([1, 3, 33, 64, 70])
        source, target = drawn_mask(rng, B, S), drawn_mask(rng, B, T)
        if target is not None:
            target[:, 0] = 1  # a target that sees nothing has no output in PyTorch
        g = torch.Generator().manual_seed(number)
        w = torch.randn(B, T, D, generator=g) * (1 if target is None else target[..., None])
        masks = {
            k: (1 - m).to(pick([torch.uint8, torch.int64, torch.int32]))
            for k, m in [("src_key_padding_mask", source), ("tgt_key_padding_mask", target)]
            if m is not None
        }
        config = dict(model_type="torch-transformer", d_model=D, nhead=H, num_encoder_layers=L,
                      num_decoder_layers=pick([1, 2]), dim_feedforward=F, dropout=0.,
                      activation=pick(["relu", "gelu"]), norm_first=pick([True, False]),
                      batch_first=True, bias=pick([True, True, False]), layer_norm_eps=eps)
        return "TorchTransformer", config, dict(src=torch.randn(B, S, D, generator=g),
                                                tgt=torch.randn(B, T, D, generator=g), w=w, **masks)
    inputs = dict(input_ids=x, attention_mask=mask)
    labels = x if mask is None else torch.where(mask == 0, -100, x)
    if rng.random() < .3:
        labels = torch.where(
            torch.rand(B, T, generator=torch.Generator().manual_seed(number)) < .5, -100, labels)
    if family == "marian":
        S = pick([1, 4, 33, 65])
        own = rng.random() < .3
        target = pick([size for size in (5, 61) if size <= V]) if own else V
        cls, config = marian(vocab_size=V, decoder_vocab_size=target, d_model=D, encoder_layers=L,
                             decoder_layers=pick([1, 2]), encoder_attention_heads=pick([H, 1]),
                             decoder_attention_heads=pick([H, 1]), encoder_ffn_dim=F,
                             decoder_ffn_dim=pick([3, 40]), max_position_embeddings=max(S, T),
                             pad_token_id=target - 1, decoder_start_token_id=target - 1,
                             activation_function=activation, scale_embedding=pick([True, False]),
                             tie_word_embeddings=pick([True, False
                                                       ]), share_encoder_decoder_embeddings=not own)
        y = ids(target, B, S, seed=number + 1, low=0)
        return cls, config, dict(
            inputs, labels=torch.where(
                torch.rand(B, S, generator=torch.Generator().manual_seed(number)) < .2, -100, y))
    if family in ("llama", "mistral", "qwen2"):
        c = dict(vocab_size=V, hidden_size=pick([D, 5 * H, 12 * H]) if family != "qwen2" else D,
                 intermediate_size=F, num_hidden_layers=L, num_attention_heads=H,
                 num_key_value_heads=pick([k for k in range(1, H + 1) if H % k == 0]),
                 max_position_embeddings=max(T, pick([8, 300])), rms_norm_eps=eps,
                 hidden_act=activation, tie_word_embeddings=pick([True, False]), pad_token_id=0,
                 rope_parameters={"rope_type": "default", "rope_theta": pick([50., 10000., 1e6])})
        if family != "qwen2":
            c["head_dim"] = E
        if family == "llama":
            c.update(attention_bias=pick([True, False]), mlp_bias=pick([True, False]))
        elif family == "mistral":
            c["sliding_window"] = pick([None, 1, 3, 31, 64, 65, 100, 4096])
        else:
            c.update(use_sliding_window=pick([True, False]), sliding_window=pick([2, 33, 64, 100]),
                     max_window_layers=pick(list(range(L + 1))))
        stem, config = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2"}[family], None
        build = lambda head, **more: (stem + head, getattr(transformers, stem + "Config")
                                      (**dict(c, **more)))
    elif family == "gpt2":
        c = dict(vocab_size=V, n_positions=T, n_embd=D, n_layer=L, n_head=H,
                 n_inner=pick([None, F]), activation_function=activation, layer_norm_epsilon=eps,
                 pad_token_id=0, scale_attn_weights=pick([True, False]),
                 scale_attn_by_inverse_layer_idx=pick([True, False]),
                 reorder_and_upcast_attn=pick([True,
                                               False]), tie_word_embeddings=pick([True, False]))
        build = lambda head, **more: gpt2("GPT2" + head.replace("ForCausalLM", "LMHeadModel"),
                                          **dict(c, **more))
    else:
        c = dict(vocab_size=V, hidden_size=D, num_hidden_layers=L, num_attention_heads=H,
                 intermediate_size=F, max_position_embeddings=T, layer_norm_eps=eps,
                 hidden_act=activation, type_vocab_size=2, tie_word_embeddings=pick([True, False]),
                 pad_token_id=0)
        build = lambda head, **more: bert("Bert" + head.replace("ForCausalLM", "ForMaskedLM"),
                                          **dict(c, **more))
        if rng.random() < .7:
            inputs["token_type_ids"] = ids(2, B, T, seed=number + 5, low=0)
        if rng.random() < .3:
            inputs["position_ids"] = ids(T, B, T, seed=number + 7, low=0)
    head = pick(["", "", "", "single", "multi", "numbers", "tokens", "question"])
    if head == "tokens":
        return *build("ForTokenClassification", num_labels=4), dict(
            inputs, labels=torch.where(labels < 0, -100, labels % 4))
    if head == "question":
        if family != "bert":
            # scores of masked tokens take part in the loss and are not defined alike
            inputs.pop("attention_mask")
        return *build("ForQuestionAnswering"), dict(inputs,
                                                    start_positions=torch.arange(B) % (T + 1),
                                                    end_positions=torch.arange(B) * 3 % (T + 2))
    if head and (family == "bert" or mask is None or bool((mask.diff(dim=1) <= 0).all())):
        if family != "bert" and mask is not None:
            inputs["input_ids"] = torch.where(mask == 0, 0, x)
        count = pick([1, 2, 5])
        if head == "single" and count > 1:
            return *build("ForSequenceClassification", num_labels=count), dict(
                inputs, labels=torch.arange(B) % count)
        g = torch.Generator().manual_seed(number + 9)
        if head == "multi" and count > 1:
            return *build("ForSequenceClassification", num_labels=count), dict(
                inputs, labels=(torch.rand(B, count, generator=g) < .5).float())
        return *build("ForSequenceClassification", num_labels=count,
                      problem_type="regression"), dict(
                          inputs, labels=torch.randn(B, count, generator=g).squeeze(1))
    if family not in ("bert", "gpt2") and mask is None and rng.random() < .4:
        inputs["position_ids"] = (torch.arange(T) + rng.randrange(30))[None]
    return *build("ForCausalLM"), dict(inputs, labels=labels)


def random_cases(count, seed):
    for number in range(count):
        cls, config, inputs = drawn_core(random.Random(seed * 1000003 + number), number)
        yield f"random {seed}.{number}: {cls}", (cls, config), inputs


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--only", default="")
    parser.add_argument("--keep")
    parser.add_argument("--random", type=int, metavar="N", help="N models with everything drawn, "
                        "instead of the list")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="name the tensors outside the narrow "
                        "bound")
    parser.add_argument("--isa", nargs="+", default=[""], help="generic avx2 avx512 reference "
                        "(plain kernels): each in turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    failed = total = 0
    for number, (label, (cls, config), inputs) in enumerate(
            random_cases(options.random, options.seed) if options.random else cases()):
        if options.only not in label:
            continue
        refused, stored = inputs.get("_refused"), inputs.get("_stored")
        inputs = {k: v for k, v in inputs.items() if v is not None and not k.startswith("_")}
        with tempfile.TemporaryDirectory() as scratch:
            folder = os.path.join(options.keep, str(number)) if options.keep else scratch
            os.makedirs(folder, exist_ok=True)
            model = make(cls, config, number)
            if refused:
                problems = check_refused(options.heed, folder, model, inputs, refused)
            else:
                problems = check(options.heed, folder, label, model, inputs, options.isa,
                                 seq2seq=cls.startswith("Marian"), stored=stored)
        total += 1
        failed += bool(problems)
        for line in FAR if options.list else []:
            print(f"{label}: {line}", flush=True)
        FAR.clear()
        if problems:
            print(
                f"FAILED {label}: " + "; ".join(problems[:3]) +
                (f" and {len(problems) - 3} more" if len(problems) > 3 else ""), flush=True)
    print(f"{total - failed} of {total} cases agree" +
          (f"; {len(UNKNOWN)} that transformers "
           f"cannot do were answered" if UNKNOWN else ""))
    for isa, (close, tensors) in CLOSE.items():
        print(f"{isa or 'default instruction set'}: {close} of {tensors} tensors within max(4 x "
              f"noise, 3e-6 x largest)")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
