#!/usr/bin/env python3
"""Writes tests/fixtures/NAME for decoder families and variants: a tiny model in its format on
disk and what transformers (eager attention) computes for it: outputs, loss, all gradients, five
AdamW updates, and ids of greedy and beam search, with the distance to float64.

    python3 tools/oracle/make_family_fixtures.py [--only NAME] [tests/fixtures]"""
import argparse, json, os, shutil
import torch, transformers
from safetensors.torch import load_file, save_file
from check_experts import make, run_torch
from check_forward import ids

IDS = dict(bos_token_id=1, eos_token_id=2, pad_token_id=0)
HF = dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
          num_attention_heads=4, max_position_embeddings=48, **IDS)
GPT = dict(vocab_size=61, n_embd=24, n_layer=2, n_head=4, n_positions=48, resid_pdrop=0.,
           embd_pdrop=0., attn_pdrop=0., layer_norm_epsilon=1e-3, **IDS)
FALCON = dict(vocab_size=61, num_hidden_layers=2, layer_norm_epsilon=1e-3, **IDS)
BERT = dict(HF, hidden_dropout_prob=0., attention_probs_dropout_prob=0., layer_norm_eps=1e-3,
            type_vocab_size=2)
MODELS = {
    "phi": ("PhiForCausalLM",
            dict(
                dict(HF, hidden_size=32), num_key_value_heads=2, layer_norm_eps=1e-3,
                qk_layernorm=True, rope_parameters={
                    "rope_type": "default", "rope_theta": 10000., "partial_rotary_factor": .5
                })),
    "phi3-longrope": ("Phi3ForCausalLM",
                      dict(
                          dict(HF, hidden_size=32), num_key_value_heads=2, rms_norm_eps=1e-3,
                          original_max_position_embeddings=12, rope_parameters={
                              "rope_type": "longrope", "rope_theta": 500., "factor": 4.,
                              "original_max_position_embeddings": 12,
                              "short_factor": [1., 1.1, 1.3,
                                               1.7], "long_factor": [1.2, 2.5, 4., 6.]
                          })),
    "starcoder2": ("Starcoder2ForCausalLM",
                   dict(HF, num_key_value_heads=2, norm_epsilon=1e-3, sliding_window=7)),
    "stablelm": ("StableLmForCausalLM",
                 dict(dict(HF, hidden_size=32), num_key_value_heads=2, layer_norm_eps=1e-3,
                      use_qkv_bias=True)),
    "granite": ("GraniteForCausalLM",
                dict(HF, num_key_value_heads=2, rms_norm_eps=1e-3, embedding_multiplier=3.,
                     residual_multiplier=.22, attention_multiplier=.4, logits_scaling=3.)),
    "gpt_neo": ("GPTNeoForCausalLM",
                dict(vocab_size=61, hidden_size=24, num_layers=3, num_heads=3,
                     max_position_embeddings=48, attention_types=[[["global", "local"], 1],
                                                                  [["local"], 1]], window_size=7,
                     layer_norm_epsilon=1e-3, **IDS)),
    "gpt_neox-serial": ("GPTNeoXForSequenceClassification",
                        dict(
                            HF, use_parallel_residual=False, layer_norm_eps=1e-3, num_labels=3,
                            rope_parameters={
                                "rope_type": "default", "rope_theta": 500.,
                                "partial_rotary_factor": .7
                            })),
    "gpt_bigcode-mha": ("GPTBigCodeForTokenClassification",
                        dict(GPT, multi_query=False, num_labels=5)),
    "opt-350m": ("OPTForCausalLM",
                 dict(vocab_size=61, hidden_size=24, ffn_dim=40, num_hidden_layers=2,
                      num_attention_heads=3, max_position_embeddings=48, word_embed_proj_dim=10,
                      do_layer_norm_before=False, dropout=0., **dict(IDS, pad_token_id=3))),
    "bloom-6-heads": ("BloomForCausalLM",
                      dict(vocab_size=61, hidden_size=24, n_layer=2, n_head=6,
                           layer_norm_epsilon=1e-3, apply_residual_connection_post_layernorm=True,
                           **IDS)),
    "mpt": ("MptForCausalLM",
            dict(vocab_size=61, d_model=24, n_layers=2, n_heads=6, max_seq_len=48,
                 layer_norm_epsilon=1e-3, attn_config=dict(softmax_scale=.3), **IDS)),
    "mpt-clip": ("MptForCausalLM",
                 dict(vocab_size=61, d_model=24, n_layers=2, n_heads=3, max_seq_len=48,
                      layer_norm_epsilon=1e-3, attn_config=dict(clip_qkv=.7), **IDS)),
    "falcon-groups": ("FalconForCausalLM",
                      dict(FALCON, hidden_size=32, num_attention_heads=4, num_kv_heads=2,
                           new_decoder_architecture=True, ffn_hidden_size=40)),
    "falcon-alibi": ("FalconForCausalLM",
                     dict(FALCON, hidden_size=24, num_attention_heads=6, multi_query=False,
                          alibi=True, parallel_attn=False, bias=True)),
    "cohere-qk-norm": ("CohereForCausalLM",
                       dict(HF, num_key_value_heads=2, use_qk_norm=True, attention_bias=True,
                            layer_norm_eps=1e-3, logit_scale=.4)),
    "gptj-odd": ("GPTJForCausalLM", dict(GPT, n_embd=40, rotary_dim=6)),
    "gemma3-nested": ("Gemma3ForCausalLM",
                      dict(
                          HF, num_hidden_layers=3, num_key_value_heads=1, head_dim=10,
                          query_pre_attn_scalar=7, sliding_window=7,
                          layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                          rms_norm_eps=1e-3, final_logit_softcapping=3., attn_logit_softcapping=2.,
                          attention_bias=True, rope_parameters={
                              "full_attention": {
                                  "rope_type": "linear", "factor": 4., "rope_theta": 3000.
                              }, "sliding_attention": {"rope_type": "default", "rope_theta": 100.}
                          })),
    "qwen2_moe": ("Qwen2MoeForCausalLM",
                  dict(HF, num_hidden_layers=3, num_key_value_heads=2, rms_norm_eps=1e-3,
                       num_experts=6, num_experts_per_tok=3, moe_intermediate_size=10,
                       shared_expert_intermediate_size=18, mlp_only_layers=[1],
                       output_router_logits=True, router_aux_loss_coef=.3)),
    "qwen3_moe-step": ("Qwen3MoeForCausalLM",
                       dict(HF, num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-3, num_experts=5,
                            num_experts_per_tok=2, moe_intermediate_size=10, decoder_sparse_step=2,
                            use_sliding_window=True, sliding_window=7)),
    "gpt_oss-balanced": ("GptOssForCausalLM",
                         dict(
                             HF, num_key_value_heads=2, head_dim=8, rms_norm_eps=1e-3,
                             num_local_experts=5, num_experts_per_tok=2, sliding_window=7,
                             swiglu_limit=.8, output_router_logits=True, router_aux_loss_coef=.3,
                             rope_parameters={
                                 "rope_type": "yarn", "rope_theta": 500., "factor": 4.,
                                 "original_max_position_embeddings": 16, "beta_fast": 32.,
                                 "beta_slow": 1., "truncate": False
                             })),
    "bart-causal": ("BartForCausalLM",
                    dict(vocab_size=61, d_model=24, decoder_layers=2, decoder_attention_heads=3,
                         decoder_ffn_dim=40, max_position_embeddings=48, scale_embedding=True,
                         dropout=0., forced_eos_token_id=None, **IDS)),
    "electra-generator": ("ElectraForMaskedLM",
                          dict(BERT, embedding_size=24, tie_word_embeddings=False)),
    "albert-groups": ("AlbertForTokenClassification",
                      dict(
                          dict(BERT, num_hidden_layers=3), embedding_size=10, num_hidden_groups=2,
                          inner_group_num=2, num_labels=5, classifier_dropout_prob=0.)),
}
SETS = {
    "greedy": dict(max_new_tokens=14, num_beams=1),
    "greedy_rep": dict(max_new_tokens=12, num_beams=1, repetition_penalty=1.4,
                       no_repeat_ngram_size=2), "greedy_min": dict(max_new_tokens=12,
                                                                   min_new_tokens=9, num_beams=1),
    "beam4": dict(max_new_tokens=10, num_beams=4, num_return_sequences=4, length_penalty=1.,
                  early_stopping=False)
}


def batch(config, cls):
    pad = config.pad_token_id
    x = ids(config.vocab_size, 3, 13, low=4)
    mask = torch.ones_like(x)
    for row in range(3):
        mask[row, 13 - 3 * row:] = 0
    x = torch.where(mask == 0, pad, x)
    labels = torch.tensor([1, 0, 2]) if "Sequence" in cls else torch.where(
        mask == 0, -100, x % 5 if "Token" in cls else x)
    return dict(input_ids=x, attention_mask=mask, labels=labels)


def train(model, inputs):
    parameters = [p for p in model.parameters() if p.grad is not None or p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=5e-3, betas=(.9, .999), eps=1e-8, weight_decay=.01)
    losses, norms = [], []
    for step in range(6):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        losses.append(loss.item())
        if step == 5:
            break
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.).item())
        optimizer.step()
    return losses, norms


def generate(model, config, name, tensors):
    """Sets whose ids float64 gives too."""
    base = dict(do_sample=False, **IDS)
    base["pad_token_id"] = config.pad_token_id
    for p, length in enumerate((3, 7, 11)):
        prompt = ids(config.vocab_size, 1, length, seed=20 + p, low=4)
        tensors[f"gen.{p}.in.input_ids"] = prompt
        for set_name, options in SETS.items():
            found = []
            for double in (True, False):
                model = model.double() if double else model.float()
                found.append(
                    model.generate(prompt, attention_mask=torch.ones_like(prompt),
                                   return_dict_in_generate=True, output_scores=True,
                                   use_cache=False, **base, **options))
            if found[0].sequences.shape != found[1].sequences.shape or (
                    found[0].sequences != found[1].sequences).any():
                print(f"{name}: {set_name} of prompt {p} is left out: float64 gives other ids")
                continue
            tensors[f"gen.{p}.{set_name}"] = found[1].sequences
            if set_name == "greedy":
                tensors[f"gen.{p}.greedy.logp"] = torch.stack([s[0] for s in found[1].scores[:4]
                                                               ]).float().log_softmax(-1)
            if options["num_beams"] > 1:
                tensors[f"gen.{p}.{set_name}.score"] = found[1].sequences_scores.float()
    return dict(base=base, sets=SETS)


def write(name, folder):
    cls, settings = MODELS[name]
    config_class = getattr(
        transformers,
        cls.split("For")[0] +
        "Config") if not cls.startswith("Gemma3") else transformers.Gemma3TextConfig
    config = config_class(**settings)
    model = make(cls, config, sum(map(ord, name)))
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    disk = set(load_file(os.path.join(folder, "model.safetensors")))
    inputs = batch(config, cls)
    tensors = {"in." + k: v for k, v in inputs.items()}
    exact, exact_grads = run_torch(model, inputs, True)
    want, grads = run_torch(model, inputs, False)
    # the decoder of an encoder-decoder alone keeps weights that nothing reads
    unreached = {name for name, p in model.named_parameters() if p.grad is None}
    disk -= unreached
    grads = {k: v for k, v in grads.items() if k[5:] in disk}
    assert {k[5:] for k in grads} == disk, disk ^ {k[5:] for k in grads}
    want.update(grads)
    exact.update(exact_grads)
    noise = {
        k: [(v.double() - exact[k].double()).abs().max().item(),
            v.abs().max().item()]
        for k, v in want.items()
    }
    tensors.update({k: v.float() for k, v in want.items()})
    start = {k: v.clone() for k, v in model.state_dict().items()}
    runs = []
    for double in (True, False):
        model = model.double() if double else model.float()
        model.load_state_dict(start)
        runs.append(train(model, inputs))
    model.load_state_dict(start)
    tensors["train.loss"], tensors["train.grad_norm"] = torch.tensor(runs[1][0]), torch.tensor(
        runs[1][1])
    oracle = {
        "family": config.model_type, "class": cls,
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "no_grad": [k[5:] for k, v in grads.items() if not v.abs().max() > 0] + sorted(unreached),
        "noise": noise,
        "train": {
            "lr": 5e-3, "betas": [.9, .999], "eps": 1e-8, "weight_decay": .01, "clip_grad_norm": 1.,
            "steps": 5, "noise": [abs(a - b) for a, b in zip(runs[0][0], runs[1][0])]
        }
    }
    if "CausalLM" in cls:
        oracle["generate"] = generate(model, config, name, tensors)
    save_file({k: v.clone().contiguous()
               for k, v in tensors.items()}, os.path.join(folder, "oracle.safetensors"))
    json.dump(oracle, open(os.path.join(folder, "oracle.json"), "w"), indent=1)
    print(f"{name}: {len(want)} tensors, loss {want['loss'].item():.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="")
    parser.add_argument("fixtures", nargs="?", default="tests/fixtures")
    options = parser.parse_args()
    for name in MODELS:
        if options.only in name:
            write(name, os.path.join(options.fixtures, name))


if __name__ == "__main__":
    main()
