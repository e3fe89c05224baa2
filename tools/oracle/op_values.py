"""Prints tests/op/torch_values.h: values of every op computed by PyTorch and transformers in
double precision.

    python tools/oracle/op_values.py > tests/op/torch_values.h

Inputs are not stored: element i of input k is ((37 i + 11 k) mod 23 - 11) / 8, here and in
tests/op/test_values.c.
"""
import math
import textwrap

import torch
import torch.nn.functional as F
from transformers.activations import ACT2FN
from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as rotate_pairs
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as rotate_halves

torch.set_default_dtype(torch.float64)


def numbers(k, *shape):
    count = math.prod(shape)
    return torch.tensor([((37 * i + 11 * k) % 23 - 11) / 8 for i in range(count)]).reshape(shape)


def emit(name, value, expression):
    """Prints an array in the layout of tests/op/torch_values.h: on one line if it fits."""
    texts = [repr(float(v)) for v in value.reshape(-1)]
    print("\n".join(textwrap.wrap(f"/* {expression} */", 100, subsequent_indent="   ")))
    start = f"static const double torch_{name}[] = {{"
    line = start + ", ".join(texts) + "};"
    if len(line) <= 100:
        print(line)
        return
    print(start)
    values = ", ".join(texts) + "};"
    print(textwrap.fill(values, 100, initial_indent="    ", subsequent_indent="    "))


def pair_scores():
    """Average product correction of the chosen rows of symmetric weights; -1 is a row of zeros."""
    weights = F.pad(numbers(0, 4, 2, 3, 3), (0, 1, 0, 1))
    choice = torch.tensor([[0, 1, 2], [2, -1, 0], [-1, -1, -1], [1, 0, -1]])
    s = torch.stack([w[:, c][:, :, c] for w, c in zip(weights, choice)])
    s = s + s.transpose(-1, -2)
    r, total = s.sum(-1), s.sum((-1, -2))
    corrected = s - torch.nan_to_num(r[..., :, None] * r[..., None, :] / total[..., None, None])
    y = (corrected * numbers(2, 2)[:, None, None]).sum(1)
    emit("pair_scores", y, "scores of pairs of rows, by two heads")


def show(name, expression):
    emit(name, eval(expression, globals(), {"n": numbers, **LABELS}), expression)


LABELS = {"labels": torch.tensor([4, -100, 2, -100, 1, 0])}
POINTS = torch.tensor([-30.0, -12, -3, -1.5, -0.25, 0, 0.5, 2, 5.9, 11, 30])
OWN = {
    "hardswish": F.hardswish,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "square": torch.square,
    "abs": torch.abs,
    "negate": torch.neg,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
}
UNARIES = ("linear relu relu2 relu6 leaky_relu gelu gelu_new gelu_fast gelu_10 quick_gelu silu "
           "mish laplace hardswish tanh sigmoid "
           "exp log sqrt rsqrt square abs negate softplus sqrtsoftplus").split()


def unaries():
    for name in UNARIES:
        function = OWN.get(name) or ACT2FN[name]
        positive = name in ("log", "sqrt", "rsqrt")
        x = POINTS.abs() + 0.25 if positive else POINTS
        where = "abs(points) + 0.25" if positive else "points"
        emit(f"unary_{name}", function(x), f"{name}({where})")


def heads(x, count):
    return x.reshape(x.shape[0], count, -1).transpose(0, 1)


def attend(q, k, v, table, n, h, kv, causal=False, window=0, scale=0.6, query_index=None,
           key_index=None, cap=0.0, rows_of=None, weights=None):
    """One sequence at a time by scaled_dot_product_attention (by hand with a cap); returns y,
    log-sum-exp and weights (B,H,T,S)."""
    y, lse = torch.zeros(q.shape), torch.zeros(q.shape[0], h)
    kept = torch.zeros(len(table), h, *weights) if weights else None
    for b, (q0, nq, k0, nk, first, _, row, _) in enumerate(table):
        places = rows_of(row)[:nk] if rows_of else list(range(k0, k0 + nk))
        qi = [query_index[q0 + i] if query_index else first + i for i in range(nq)]
        ki = [key_index[p] if key_index else j for j, p in enumerate(places)]
        mask = torch.tensor([[(key_index is None or c >= 0) and (not causal or c <= r) and
                              (not window or abs(r - c) < window) for c in ki]
                             for r in qi], dtype=torch.bool).reshape(nq, len(places))
        if nq == 0 or nk == 0:
            continue
        qq, kk, vv = heads(q[q0:q0 + nq], h), heads(k[places], kv), heads(v[places], kv)
        kk, vv = kk.repeat_interleave(h // kv, 0), vv.repeat_interleave(h // kv, 0)
        scores = scale * qq @ kk.transpose(1, 2)
        scores = cap * torch.tanh(scores / cap) if cap else scores
        scores = scores.masked_fill(~mask, -math.inf)
        p = torch.softmax(scores, -1).nan_to_num()
        out = p @ vv if cap else F.scaled_dot_product_attention(qq, kk, vv, attn_mask=mask,
                                                                scale=scale).nan_to_num()
        out = out * mask.any(-1)[None, :, None]
        y[q0:q0 + nq] = out.transpose(0, 1).reshape(nq, -1)
        sums = torch.logsumexp(scores, -1)
        lse[q0:q0 + nq] = torch.where(sums.isinf(), torch.zeros(()), sums).T
        if weights:
            t, s = min(nq, weights[0]), min(nk, weights[1])
            kept[b, :, :t, :s] = p[:, :t, :s]
    return y, lse, kept


SELF = [(0, 3, 0, 3, 0, 21, 0, 0), (3, 0, 3, 0, 0, 22, 0, 0), (3, 1, 3, 1, 0, 23, 0, 0),
        (4, 1, 4, 1, 0, 24, 0, 0)]
CROSS = [(0, 3, 0, 2, 0, 21, 0, 0), (3, 0, 2, 1, 0, 22, 0, 0), (3, 1, 3, 0, 0, 23, 0, 0),
         (4, 1, 3, 3, 0, 24, 0, 0)]
CACHED = [(0, 2, 0, 6, 4, 21, 0, 0), (2, 1, 6, 1, 0, 22, 0, 0)]
BLOCKS = [(0, 2, 0, 66, 64, 21, 1, 0), (2, 1, 0, 3, 2, 22, 0, 0)]


def attentions():
    n6 = lambda k, d: numbers(k, 6, d)
    block_rows = lambda row: [
        block * 64 + i for block in ((2, 9), (1, 2))[row] for i in range(64) if block < 3
    ]
    results = {
        "bidirectional": attend(n6(0, 6), n6(1, 6), n6(2, 6), SELF, 6, 2, 2),
        "causal": attend(n6(0, 6), n6(1, 6), n6(2, 6), SELF, 6, 2, 2, causal=True),
        "grouped": attend(n6(0, 8), n6(1, 4), n6(2, 4), SELF, 6, 4, 2, causal=True),
        "window": attend(n6(0, 3), n6(1, 3), n6(2, 3), SELF, 6, 1, 1, causal=True, window=2),
        "window_both": attend(n6(0, 3), n6(1, 3), n6(2, 3), SELF, 6, 1, 1, window=2),
        "cross": attend(n6(0, 6), numbers(1, 7, 3), numbers(2, 7, 3), CROSS, 6, 2, 1,
                        weights=(3, 3)),
        "cached": attend(numbers(0, 3, 4), numbers(1, 7, 2), numbers(2, 7, 2), CACHED, 3, 2, 1,
                         causal=True, window=4),
        "indexed": attend(n6(0, 4), n6(1, 4), n6(2, 4), SELF, 6, 2, 2, causal=True, window=3,
                          query_index=[0, 3, 2, 5, 0, 0], key_index=[1, -1, 2, -1, 0, 0]),
        "blocks": attend(numbers(0, 3, 4), numbers(1, 192, 2), numbers(2, 192, 2), BLOCKS, 3, 2, 1,
                         causal=True, rows_of=block_rows),
        "capped": attend(n6(0, 4), n6(1, 2), n6(2, 2), SELF, 6, 2, 1, causal=True, cap=0.7),
    }
    for name, (y, lse, kept) in results.items():
        emit(f"attention_{name}", y, f"attend(...) of this script, {name}: y")
        emit(f"lse_{name}", lse, "its log-sum-exp")
        if kept is not None:
            emit(f"weights_{name}", kept, "its weights")


def rotaries():
    positions, frequencies = torch.tensor([0.0, 1, 2, 7, 0, 300]), numbers(2, 2)
    angles = positions[:, None] * frequencies[None]
    emit("rotary_table", 1.2 * torch.cat([angles.cos(), angles.sin()], -1), "1.2 * cat([cos(p f), "
         "sin(p f)])")
    by_row = positions[:, None] * numbers(2, 6, 2)
    emit("rotary_table_by_row", 1.2 * torch.cat([by_row.cos(), by_row.sin()], -1), "1.2 * "
         "cat([cos(p "
         "f), sin(p "
         "f)]), "
         "frequencies "
         "of its own "
         "for each row")
    x = numbers(0, 6, 8).reshape(6, 2, 4)
    doubled = torch.cat([angles, angles], -1)
    halves = rotate_halves(
        x.transpose(0, 1)[None],
        x.transpose(0, 1)[None],
        doubled.cos()[None],
        doubled.sin()[None])[0]
    emit("rotary_halves", halves[0].transpose(0, 1), "transformers llama apply_rotary_pos_emb(x "
         "(2 heads of 4))")
    emit("rotary_pairs", rotate_pairs(x[None],
                                      angles.sin()[None],
                                      angles.cos()[None]),
         "transformers gptj apply_rotary_pos_emb(x)")
    wide = numbers(0, 6, 14).reshape(6, 2, 7).clone()
    part = wide[..., :4].transpose(0, 1)[None]
    wide[..., :4] = rotate_halves(part, part,
                                  doubled.cos()[None],
                                  doubled.sin()[None])[0][0].transpose(0, 1)
    emit("rotary_part", wide, "the same on the first 4 of 7 channels of each head")


def experts():
    """Six rows that choose two of three experts each."""
    index = torch.tensor([[0, 2], [1, 0], [2, 1], [0, 1], [2, 0], [2, 1]])
    x, w, bias, weights, z = numbers(0, 6, 4), numbers(2, 3, 5,
                                                       4), numbers(3, 3,
                                                                   5), numbers(4, 6,
                                                                               2), numbers(5, 6, 5)
    pairs = torch.einsum("njok,nk->njo", w[index], x) + bias[index]
    hot = F.one_hot(index, 3).double()
    values, columns = torch.topk(numbers(0, 6, 5), 3)
    emit("top_k", values, "torch.topk(n(0, 6, 5), 3).values")
    emit("top_k_index", columns, "torch.topk(n(0, 6, 5), 3).indices")
    emit(
        "experts", (weights[..., None] * pairs).sum(1), "sum over choices of n(4, 6, 2) * "
        "linear(n(0, 6, 4), n(2, 3, 5, "
        "4)[index], n(3, 3, 5)[index])")
    emit("expert_dot", (pairs * z[:, None]).sum(-1), "its terms before the weights, times n(5, 6, "
         "5), summed")
    emit("expert_outer", torch.einsum("njx,nj,no,nk->xok", hot, weights, z, x), "sum over pairs "
         "of expert x of "
         "weight * "
         "outer(n(5, 6, "
         "5), n(0, 6, 4))")
    emit("expert_sum", torch.einsum("njx,nj,nk->xk", hot, weights, x), "sum over pairs of expert "
         "x of weight * n(0, 6, 4)")
    emit("expert_load", torch.einsum("njx,n->x", hot,
                                     numbers(0, 6, 1)[:, 0]), "sum over pairs of "
         "expert x of n(0, "
         "6, 1)")
    gate, up = numbers(0, 6, 3), numbers(1, 6, 3)
    g = gate.clamp(max=0.75)
    emit("clamp", numbers(0, 6, 3).clamp(-0.75, 0.75), "clamp(x, -.75, .75)")
    emit("clamped_swiglu", (up.clamp(-0.75, 0.75) + 1) * g * torch.sigmoid(1.5 * g), "(clamp(up, "
         "-.75, .75) "
         "+ 1) * g * "
         "sigmoid(1.5 "
         "g), g = "
         "min(gate, "
         ".75)")


def main():
    print("/* torch_values.h: made by tools/oracle/op_values.py; n(k, shape) holds\n"
          "   ((37 i + 11 k) mod 23 - 11) / 8. */\n/* clang-format off */")
    print("#ifndef HEED_TESTS_TORCH_VALUES_H\n#define HEED_TESTS_TORCH_VALUES_H\n")
    n = numbers
    unaries()
    show("quotient_column", "n(0, 6, 3) / (n(1, 6, 1) + 3)")
    show("reduce_mean_rows", "n(0, 6, 3).mean(0)")
    show("reduce_sum_middle", "n(0, 6, 3, 2).sum(1)")
    show("reduce_max_last", "n(0, 6, 4).max(-1, keepdim=True).values")
    show("matmul_nn", "n(0, 6, 4) @ n(1, 4, 3)")
    show("matmul_nt", "n(0, 6, 4) @ n(1, 3, 4).T")
    show("matmul_tn", "n(0, 6, 4).T @ n(1, 6, 3)")
    show("matmul_tt", "n(0, 4, 2).T @ n(1, 3, 4).T")
    show("matmul_bf16", "n(0, 6, 4) @ n(1, 3, 4).bfloat16().double().T")
    show("linear", "F.linear(n(0, 6, 4), n(1, 3, 4), n(2, 3))")
    normal = F.layer_norm(n(0, 6, 4), (4, ), n(3, 4), n(4, 4), 1e-3)
    gate, residual = n(5, 6, 3), n(6, 6, 3)
    emit("fused_layer",
         F.gelu(F.linear(normal, n(1, 3, 4), n(2, 3))) * gate + residual,
         "gelu(linear(layer_norm(x, 4, g, b, 1e-3), w, bias)) * gate + residual")
    root = F.rms_norm(n(0, 6, 4), (4, ), n(3, 4) + 1, 1e-3)
    emit("fused_joined", torch.cat([root @ n(1, 4, 3) + n(4, 3), root @ n(2, 4, 2)], -1),
         "cat([rms_norm(x, 4, g + 1, 1e-3) @ w1 + bias1, rms_norm(...) @ w2])")
    emit("fused_gated",
         F.silu(n(0, 6, 4) @ n(1, 4, 3) + n(3, 3)) * (n(0, 6, 4) @ n(2, 4, 3) + n(4, 3)),
         "silu(x @ w1 + bias1) * (x @ w2 + bias2)")
    show("fused_state", "n(2, 4, 3) + n(0, 6, 4).T @ n(1, 6, 3)")
    show("softmax", "torch.softmax(n(0, 6, 5), -1)")
    show("layer_norm", "F.layer_norm(n(0, 6, 6), (6,), n(1, 6), n(2, 6), 1e-5)")
    show("rms_norm", "F.rms_norm(n(0, 6, 6), (6,), n(1, 6) + 1, 1e-6)")
    ids = torch.tensor([2, 0, 2, 1, 3, 2])
    show("scatter_add", "torch.zeros(5, 3).index_add(0, torch.tensor([4, 0, 4, 2]), n(0, 6, "
         "3)[[0, 1, 2, 5]])")
    emit("gather",
         n(0, 4, 3)[ids] * torch.tensor([1.0, 1, 1, 0, 0, 1])[:, None], "x[[2, 0, 2, -, "
         "-, 2]], zeros "
         "at -")
    show("concatenate", "torch.cat([n(0, 6, 3), n(1, 6, 1), n(2, 6, 2)], -1)")
    show("slice", "n(0, 6, 2, 3)[..., 1:3]")
    show("pad_columns", "F.pad(n(0, 6, 3), (2, 1))")
    show("transpose", "n(0, 2, 5).T")
    attentions()
    rotaries()
    emit("sequence_mean",
         torch.stack([n(0, 6, 3)[0:3].mean(0),
                      torch.zeros(3),
                      n(0, 6, 3)[3],
                      n(0, 6, 3)[4]]), "mean of rows 0:3, none, 3, 4")
    pair_scores()
    show("cross_entropy", 'F.cross_entropy(n(0, 6, 5), labels, reduction="none")')
    show("cross_entropy_smoothed", 'F.cross_entropy(n(0, 6, 5), labels, reduction="none", '
         'label_smoothing=0.1)')
    show(
        "linear_cross_entropy", 'F.cross_entropy(n(0, 6, 4) @ n(1, 5, 4).T + n(3, 5), labels, '
        'reduction="none", label_smoothing=0.1)')
    experts()
    print("\n#endif")


main()
