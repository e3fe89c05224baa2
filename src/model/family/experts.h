/* experts.h: keys that families with experts share. */
#ifndef HEED_MODEL_FAMILY_EXPERTS_H
#define HEED_MODEL_FAMILY_EXPERTS_H

#include "model/family/llama.h"

/* clang-format off */
#define HEED_EXPERT_KEYS \
    HEED_KEY("num_experts_per_tok", SIZE, experts_per_token), \
    HEED_KEY("output_router_logits", FLAG, router_outputs), \
    HEED_KEY("router_aux_loss_coef", NUMBER, balance_weight)
/* clang-format on */
/* Qwen's keys: some layers have no experts, and experts have a width of their own. */
/* clang-format off */
#define HEED_QWEN_EXPERT_KEYS \
    HEED_EXPERT_KEYS, HEED_KEY("moe_intermediate_size", SIZE, expert_d_ff), \
    HEED_KEY("decoder_sparse_step", SIZE, expert_step), \
    HEED_KEY("norm_topk_prob", FLAG, router_renormalized)
#define HEED_QWEN_EXPERTS \
    HEED_TENSOR(ROUTER_WEIGHT, DECODER, "layers.{i}.mlp.gate.weight"), \
    HEED_TENSOR(EXPERT_GATE_WEIGHT, DECODER, "layers.{i}.mlp.experts.{j}.gate_proj.weight"), \
    HEED_TENSOR(EXPERT_UP_WEIGHT, DECODER, "layers.{i}.mlp.experts.{j}.up_proj.weight"), \
    HEED_TENSOR(EXPERT_DOWN_WEIGHT, DECODER, "layers.{i}.mlp.experts.{j}.down_proj.weight")
/* clang-format on */

#endif
