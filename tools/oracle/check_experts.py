#!/usr/bin/env python3
"""check_forward.py for models with experts: `heed forward` against transformers in random
configurations.

    python3 tools/oracle/check_experts.py [the options of check_forward.py]"""
import copy, os, sys, tempfile
import torch, transformers
import check_forward
from safetensors.torch import load_file


def by_disk_name(model, grads, folder):
    """Gradients under the names of tensors on disk, where the model in memory has other ones
    (experts)."""
    if not grads:
        return {}
    clone = copy.deepcopy(model).float()
    with torch.no_grad():
        for name, p in clone.named_parameters():
            p.copy_(grads["grad." + name])
    clone.save_pretrained(folder)
    return {
        "grad." + name: value
        for name, value in load_file(os.path.join(folder, "model.safetensors")).items()
    }


def make(cls, config, seed):
    config._experts_implementation = "eager"  # the grouped one has no float64
    return plain_make(cls, config, seed)


def flatten(out):
    found = {k: v for k, v in plain_flatten(out).items() if k != "out.aux_loss"}
    for i, logits in enumerate(out.get("router_logits") or ()):
        found[f"out.router_logits.{i}"] = logits.reshape(*out["logits"].shape[:2], -1)
    return found


def run_torch(model, inputs, double):
    found, grads = plain_run(model, inputs, double)
    if not getattr(model.config, "num_experts_per_tok", 0):
        return found, grads
    with tempfile.TemporaryDirectory() as folder:
        return found, by_disk_name(model, grads, folder)


plain_make, plain_flatten = check_forward.make, check_forward.flatten
plain_run = check_forward.run_torch
check_forward.flatten = flatten

EXPERTS = dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=3,
               num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
               rms_norm_eps=1e-3)


def mixtral(cls="MixtralForCausalLM", **c):
    return cls, transformers.MixtralConfig(
        **dict(EXPERTS, **dict(dict(num_local_experts=5, num_experts_per_tok=2, head_dim=6), **c)))


def qwen2_moe(cls="Qwen2MoeForCausalLM", **c):
    return cls, transformers.Qwen2MoeConfig(**dict(
        EXPERTS,
        **dict(
            dict(num_experts=6, num_experts_per_tok=3, moe_intermediate_size=10,
                 shared_expert_intermediate_size=18), **c)))


def qwen3_moe(cls="Qwen3MoeForCausalLM", **c):
    return cls, transformers.Qwen3MoeConfig(**dict(
        EXPERTS,
        **dict(dict(num_experts=7, num_experts_per_tok=3, moe_intermediate_size=10, head_dim=6), **
               c)))


def gpt_oss(cls="GptOssForCausalLM", **c):
    yarn = {
        "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
        "original_max_position_embeddings": 16, "beta_fast": 32.0, "beta_slow": 1.0,
        "truncate": False
    }
    return cls, transformers.GptOssConfig(**dict(
        EXPERTS,
        **dict(
            dict(num_local_experts=5, num_experts_per_tok=2, head_dim=8, sliding_window=4,
                 rope_parameters=yarn), **c)))


def cases():
    for name, build in [("mixtral", mixtral), ("qwen2_moe", qwen2_moe), ("qwen3_moe", qwen3_moe),
                        ("gpt_oss", gpt_oss)]:
        for label, inputs in check_forward.batches(61, "causal"):
            yield f"{name}: {label}", build(), inputs
            if label in ("no mask", "right padding", "left padding, labels everywhere", "holes",
                         "some labels ignored", "one sequence"):
                yield f"{name}, balanced: {label}", build(output_router_logits=True,
                                                          router_aux_loss_coef=0.3), inputs
    x, right = check_forward.right_padded(61)
    default = dict(input_ids=x, attention_mask=right, labels=torch.where(right == 0, -100, x))
    classes = dict(input_ids=torch.where(right == 0, 2, x), attention_mask=right,
                   labels=torch.tensor([1, 3, 0]))
    balanced = dict(output_router_logits=True, router_aux_loss_coef=0.7)
    for label, model in [
        ("mixtral one expert", mixtral(num_local_experts=1, num_experts_per_tok=1)),
        ("mixtral all experts", mixtral(num_local_experts=3, num_experts_per_tok=3)),
        ("mixtral top one", mixtral(num_experts_per_tok=1, **balanced)),
        ("mixtral window", mixtral(sliding_window=4)),
        ("mixtral tied", mixtral(tie_word_embeddings=True)),
        ("mixtral gelu", mixtral(hidden_act="gelu")),
        ("mixtral many experts", mixtral(num_local_experts=40, num_experts_per_tok=8)),
        ("mixtral no head_dim", mixtral(head_dim=None)),
        ("qwen2_moe normalized", qwen2_moe(norm_topk_prob=True)),
        ("qwen2_moe without biases", qwen2_moe(qkv_bias=False)),
        ("qwen2_moe step", qwen2_moe(decoder_sparse_step=2, **balanced)),
        ("qwen2_moe dense "
         "layers", qwen2_moe(mlp_only_layers=[0, 2], **balanced)),
        ("qwen2_moe all dense", qwen2_moe(mlp_only_layers=[0, 1, 2])),
        ("qwen2_moe window",
         qwen2_moe(use_sliding_window=True, sliding_window=4, max_window_layers=3)),
        ("qwen2_moe window below",
         qwen2_moe(use_sliding_window=True, sliding_window=3, max_window_layers=1)),
        ("qwen2_moe layer types",
         qwen2_moe(use_sliding_window=True, sliding_window=3,
                   layer_types=["full_attention", "sliding_attention", "full_attention"])),
        ("qwen3_moe normalized", qwen3_moe(norm_topk_prob=True, **balanced)),
        ("qwen3_moe bias", qwen3_moe(attention_bias=True)),
        ("qwen3_moe step", qwen3_moe(decoder_sparse_step=3)),
        ("qwen3_moe dense layers", qwen3_moe(mlp_only_layers=[1])),
        ("qwen3_moe window", qwen3_moe(use_sliding_window=True, sliding_window=4)),
        ("qwen3_moe window not used", qwen3_moe(use_sliding_window=False, sliding_window=4)),
        ("qwen3_moe tied", qwen3_moe(tie_word_embeddings=True)),
        ("gpt_oss limits", gpt_oss(swiglu_limit=0.5, swiglu_alpha=1.1)),
        ("gpt_oss without "
         "biases", gpt_oss(attention_bias=False)),
        ("gpt_oss windows", gpt_oss(layer_types=["sliding_attention"] * 3)),
        ("gpt_oss no windows", gpt_oss(layer_types=["full_attention"] * 3)),
        ("gpt_oss plain "
         "positions", gpt_oss(rope_parameters={"rope_type": "default", "rope_theta": 700.0})),
        ("gpt_oss one choice", gpt_oss(num_experts_per_tok=1, **balanced)),
        ("gpt_oss all "
         "experts", gpt_oss(num_experts_per_tok=5)),
        ("gpt_oss tied", gpt_oss(tie_word_embeddings=True)),
        ("mixtral model", mixtral("MixtralModel")), ("gpt_oss model", gpt_oss("GptOssModel"))
    ]:
        yield label, model, {
            k: v
            for k, v in default.items() if k != "labels" or not label.endswith("model")
        }
    for name, build, stem in [("mixtral", mixtral, "Mixtral"), ("qwen2_moe", qwen2_moe, "Qwen2Moe"),
                              ("qwen3_moe", qwen3_moe, "Qwen3Moe"), ("gpt_oss", gpt_oss, "GptOss")]:
        yield f"{name} classes", build(stem + "ForSequenceClassification", num_labels=4,
                                       pad_token_id=2), classes
        yield f"{name} token classes", build(stem + "ForTokenClassification", num_labels=5), dict(
            default, labels=torch.where(right == 0, -100, x % 5))


if __name__ == "__main__":
    check_forward.make, check_forward.run_torch, check_forward.cases = make, run_torch, cases
    sys.exit(check_forward.main())
