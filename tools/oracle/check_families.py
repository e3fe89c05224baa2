#!/usr/bin/env python3
"""Every decoder family with options drawn at random, against transformers: outputs, loss, all
gradients, and the ids of greedy generation.

    python3 tools/oracle/check_families.py [--heed build/release/heed] [--only FAMILY]
        [--count 8] [--seed 1]

COUNT models of each family: sizes, heads, windows, rotary kinds, caps, experts, norms, biases,
tied or not, masks of every kind. Outputs as check_forward.py compares them. Ids: a prompt
continued by both; where they part, the two best logits of transformers have to lie within 1e-4
of each other. Needs torch, transformers and safetensors."""
import argparse, json, random, subprocess, sys, tempfile
import torch, transformers
import check_experts, check_forward as forward


def rotary(rng, E, only=None):
    theta = rng.choice([50., 500., 1e4, 1e6])
    original = rng.choice([6, 16, 40])
    factors = lambda: [round(1 + rng.random() * 5, 3) for _ in range(E // 2)]
    kinds = [{"rope_type": "default",
              "rope_theta": theta}, {"rope_type": "default", "rope_theta": theta},
             {"rope_type": "linear", "rope_theta": theta, "factor": rng.choice([2., 3.5, 8.])},
             {"rope_type": "dynamic", "rope_theta": theta, "factor": rng.choice([2., 4.])}, {
                 "rope_type": "yarn", "rope_theta": theta, "factor": rng.choice([2., 4., 16.]),
                 "original_max_position_embeddings": original
             }, {
                 "rope_type": "llama3", "rope_theta": theta, "factor": 8., "low_freq_factor": 1.,
                 "high_freq_factor": rng.choice([2.,
                                                 4.]), "original_max_position_embeddings": original
             }, {
                 "rope_type": "longrope", "rope_theta": theta,
                 "original_max_position_embeddings": original, "factor": 4.,
                 "short_factor": factors(), "long_factor": factors()
             }]
    return rng.choice([kind for kind in kinds if not only or kind["rope_type"] in only])


def draw(rng, family):
    """Class stem, configuration class and settings."""
    pick = rng.choice
    flag = lambda: rng.random() < .5
    H, L, F = pick([1, 2, 4, 6]), pick([1, 2, 3]), pick([5, 16, 40, 64])
    E = pick([4, 8, 16, 32])
    V, T, eps = pick([61, 131, 300]), pick([3, 17, 40, 66]), pick([1e-3, 1e-5])
    longest = pick([80, 256])
    tie, activation = flag(), pick(["silu", "gelu", "gelu_pytorch_tanh", "relu"])
    base = dict(vocab_size=V, bos_token_id=1, eos_token_id=2, pad_token_id=0,
                tie_word_embeddings=tie)
    hf = dict(base, hidden_size=H * E, intermediate_size=F, num_hidden_layers=L,
              num_attention_heads=H, max_position_embeddings=max(longest, 1))
    grouped = dict(hf, num_key_value_heads=pick([k for k in range(1, H + 1) if H % k == 0]),
                   hidden_act=activation)
    rms = dict(grouped, rms_norm_eps=eps)
    free = dict(head_dim=E, hidden_size=pick([H * E, 12 * H, 20 * H]))
    window = pick([None, 1, 5, 16, 64, 100])
    kinds = [pick(["sliding_attention", "full_attention"]) for _ in range(L)]
    gpt = dict(base, n_embd=H * E, n_layer=L, n_head=H, n_positions=256, resid_pdrop=0.,
               embd_pdrop=0., attn_pdrop=0., layer_norm_epsilon=eps,
               activation_function=pick(["gelu_new", "gelu", "relu"]))

    def partial(kinds=("default", )):
        """Rotary positions on a part of each head, odd numbers of channels among them."""
        share = pick([s for s in (.25, .3, .4, .5, .7, .75, .9, 1.) if int(E * s) > 0])
        # dynamic divides by channels - 2
        return dict(
            rotary(rng, E, [kind for kind in kinds if kind != "dynamic" or int(E * share) != 2]),
            partial_rotary_factor=share)

    experts = pick([2, 5, 8])
    routed = dict(num_experts=experts,
                  num_experts_per_tok=pick([k for k in (1, 2, 4)
                                            if k <= experts]), moe_intermediate_size=pick([6, 24]),
                  decoder_sparse_step=pick([1, 1, 2]), mlp_only_layers=pick([[], [], [0], [L - 1]]),
                  norm_topk_prob=flag(), output_router_logits=flag(), router_aux_loss_coef=.2)
    rope = dict(rope_parameters=rotary(rng, E))
    scaled = rotary(rng, E, ["longrope"])
    slide = dict(use_sliding_window=flag(), sliding_window=pick([2, 9, 33]),
                 max_window_layers=pick(range(L + 1)))
    alike = H * E  # the width that has to divide into heads
    settings = {
        "llama": ("Llama",
                  dict(rms, **free,
                       rope_parameters=pick([rope["rope_parameters"]] * 3 + [partial()]),
                       attention_bias=flag(), mlp_bias=flag())),
        "mistral": ("Mistral", dict(rms, **free, **rope, sliding_window=window)),
        "mixtral": ("Mixtral",
                    dict(rms, **free, **rope, sliding_window=window, num_local_experts=experts,
                         num_experts_per_tok=routed["num_experts_per_tok"],
                         output_router_logits=flag(), router_aux_loss_coef=.3)),
        "qwen2": ("Qwen2", dict(rms, **rope, **slide)),
        "qwen3": ("Qwen3", dict(rms, **free, **rope, **slide, attention_bias=flag())),
        "qwen2_moe": ("Qwen2Moe",
                      dict(rms, **slide, **routed, shared_expert_intermediate_size=pick([5, 18]),
                           qkv_bias=flag())),
        "qwen3_moe": ("Qwen3Moe", dict(rms, **free, **routed, attention_bias=flag())),
        "gpt_oss": ("GptOss",
                    dict(
                        rms, **free, num_local_experts=experts,
                        num_experts_per_tok=routed["num_experts_per_tok"],
                        sliding_window=pick([1, 4, 40]), layer_types=kinds, attention_bias=flag(),
                        rope_parameters={
                            "rope_type": "yarn", "rope_theta": 500., "factor": 4.,
                            "original_max_position_embeddings": 16, "beta_fast": 32.,
                            "beta_slow": 1., "truncate": flag()
                        })),
        "olmo2": ("Olmo2", dict(rms, **rope, attention_bias=flag())),
        "gemma": ("Gemma", dict(rms, **free)),
        "gemma2": ("Gemma2",
                   dict(rms, **free, query_pre_attn_scalar=pick([5, 16, 64]),
                        sliding_window=pick([2, 7, 33]), layer_types=kinds,
                        attn_logit_softcapping=pick([None, .5, 5.]),
                        final_logit_softcapping=pick([None, 2., 30.]))),
        "gemma3": ("Gemma3",
                   dict(
                       rms, **free, query_pre_attn_scalar=pick([5, 16, 64]),
                       sliding_window=pick([2, 7, 33]), layer_types=kinds,
                       final_logit_softcapping=pick([None, 3.]), attention_bias=flag(),
                       rope_parameters={
                           "full_attention": pick(
                               [{"rope_type": "linear", "factor": 8., "rope_theta": 3000.},
                                {"rope_type": "default", "rope_theta": 1e6}]),
                           "sliding_attention": {"rope_type": "default", "rope_theta": 50.}
                       })),
        "phi": ("Phi",
                dict(grouped, layer_norm_eps=eps, qk_layernorm=flag(), rope_parameters=partial())),
        "phi3": ("Phi3",
                 dict(
                     rms, sliding_window=window, rope_parameters=pick([partial(), scaled]),
                     original_max_position_embeddings=scaled.get("original_max_position_embeddings",
                                                                 64))),
        "cohere": ("Cohere",
                   dict(grouped, layer_norm_eps=eps, logit_scale=pick([.0625, .4, 1.]),
                        use_qk_norm=flag(), attention_bias=flag())),
        "starcoder2": ("Starcoder2",
                       dict(grouped, norm_epsilon=eps, sliding_window=window, use_bias=flag())),
        "stablelm": ("StableLm",
                     dict(grouped, layer_norm_eps=eps, use_qkv_bias=flag(), hidden_dropout=0.,
                          use_parallel_residual=flag(), rope_parameters=dict(
                              rotary(rng, E, ["default", "linear", "llama3"]),
                              partial_rotary_factor=pick([.5, 1.])))),
        "granite": ("Granite",
                    dict(rms, **free, **rope, attention_bias=flag(), mlp_bias=flag(),
                         embedding_multiplier=pick([1., 12., .3]),
                         residual_multiplier=pick([1., .22, 1.7]),
                         attention_multiplier=pick([1., .015625, .4]),
                         logits_scaling=pick([1., 8., 49., .7]))),
        "gpt_neox": ("GPTNeoX",
                     dict(hf, hidden_act=activation, layer_norm_eps=eps,
                          use_parallel_residual=flag(), attention_bias=flag(),
                          rope_parameters=partial(["default", "linear", "llama3", "dynamic"]))),
        "gptj": ("GPTJ",
                 dict(gpt, rotary_dim=pick([r for r in (2, 4, 8, 16) if r <= E]),
                      n_inner=pick([None, F]))),
        "gpt_bigcode": ("GPTBigCode",
                        dict(gpt, multi_query=flag(), scale_attn_weights=flag(),
                             n_inner=pick([None, F]))),
        "opt": ("OPT",
                dict(base, hidden_size=alike, ffn_dim=F, num_hidden_layers=L, num_attention_heads=H,
                     max_position_embeddings=256, word_embed_proj_dim=pick([alike, 10]),
                     do_layer_norm_before=flag(), dropout=0., enable_bias=flag(),
                     activation_function=pick(["relu", "gelu"]))),
        "bloom": ("Bloom",
                  dict(base, hidden_size=alike, n_layer=L, n_head=H, layer_norm_epsilon=eps,
                       apply_residual_connection_post_layernorm=flag(), hidden_dropout=0.,
                       attention_dropout=0.)),
        "mpt": ("Mpt",
                dict(base, d_model=alike, n_layers=L, n_heads=H, max_seq_len=256,
                     expansion_ratio=pick([2, 4]), layer_norm_epsilon=eps,
                     attn_config=dict(softmax_scale=pick([None, .2]), clip_qkv=pick([None, .3])))),
        "falcon": ("Falcon",
                   dict(base, hidden_size=alike, num_hidden_layers=L, num_attention_heads=H,
                        layer_norm_epsilon=eps, multi_query=flag(), parallel_attn=flag(),
                        bias=flag(), alibi=flag(), ffn_hidden_size=pick([F, 4 * alike]),
                        max_position_embeddings=256)),
    }
    stem, c = settings[family]
    if family == "falcon" and flag():
        c.update(new_decoder_architecture=True, num_kv_heads=grouped["num_key_value_heads"],
                 num_ln_in_parallel_attn=pick([None, 1, 2]), alibi=False, parallel_attn=True)
    if family == "qwen2":
        c.pop("head_dim", None)
    return stem, c, V, T, E


FAMILIES = [
    "llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "gpt_oss", "olmo2",
    "gemma", "gemma2", "gemma3", "phi", "phi3", "cohere", "starcoder2", "stablelm", "granite",
    "gpt_neox", "gptj", "gpt_bigcode", "opt", "bloom", "mpt", "falcon"
]


def batch(rng, family, stem, V, T, number):
    """A head, its settings and a batch."""
    B = rng.choice([1, 2, 3])
    x = forward.ids(V, B, T, seed=number)
    mask = forward.drawn_mask(rng, B, T)
    # what their padding on the left does is refused, or has no gradient there
    if mask is not None and family in ("opt", "mpt"):
        mask = torch.stack([m.sort(descending=True)[0] for m in mask])
    labels = x if mask is None else torch.where(mask == 0, -100, x)
    # a masked token is not scored either: what it sees is not the same everywhere
    if mask is not None:
        labels = torch.where(
            torch.cat([torch.zeros_like(mask[:, :1]), mask[:, :-1]], 1) == 0, -100, labels)
    head = rng.choice(
        ["CausalLM", "CausalLM", "CausalLM", "SequenceClassification", "TokenClassification"])
    inputs = dict(input_ids=x, attention_mask=mask)
    if head == "CausalLM" or stem in forward.WITHOUT["For" + head]:
        return "ForCausalLM", {}, dict(inputs, labels=labels)
    if head == "TokenClassification":
        return "ForTokenClassification", dict(num_labels=5), dict(
            inputs, labels=torch.where(labels < 0, -100, labels % 5))
    if mask is not None:  # the last token that is not padding is scored
        mask = inputs["attention_mask"] = torch.stack([m.sort(descending=True)[0] for m in mask])
        inputs["input_ids"] = torch.where(mask == 0, 0, x)
    return "ForSequenceClassification", dict(num_labels=3), dict(inputs, labels=torch.arange(B) % 3)


def generated(heed, folder, model, V, T, number):
    """Both continue a prompt; None, or what differs."""
    prompt = forward.ids(V, 1, min(T, 30), seed=number + 77)
    model = model.float()
    options = dict(do_sample=False, num_beams=1, max_new_tokens=12, eos_token_id=2, bos_token_id=1,
                   pad_token_id=0, return_dict_in_generate=True, output_scores=True,
                   use_cache=False)
    if getattr(model.config, "alibi", False):
        model.config._attn_implementation = "sdpa"
    try:
        with torch.no_grad():
            out = model.generate(prompt, attention_mask=torch.ones_like(prompt), **options)
    except IndexError:  # the balance of experts in a model without any
        forward.UNKNOWN.append("generation")
        return None
    want = out.sequences[0, prompt.shape[1]:].tolist()
    done = subprocess.run([
        heed, "generate", "-m", folder, "--prompt-ids", ",".join(map(str, prompt[0].tolist())),
        "-n", "12", "--temp", "0", "--ids"
    ], capture_output=True, text=True)
    if done.returncode:
        return f"heed generate answers {done.returncode}: {done.stderr.strip()}"
    got = json.loads(done.stdout)
    for i, (a, b) in enumerate(zip(want, got)):
        if a != b:
            gap = (out.scores[i][0, a] - out.scores[i][0, b]).item()
            return None if abs(
                gap) < 1e-4 else f"id {i} is {b}, expected {a}, logits {gap:.3g} apart"
    return None if len(want) == len(got) else f"{len(got)} ids, expected {len(want)}"


def check(heed, family, number, rng):
    stem, settings, V, T, E = draw(rng, family)
    head, more, inputs = batch(rng, family, stem, V, T, number)
    config = getattr(transformers, "Gemma3TextConfig" if stem == "Gemma3" else stem +
                     "Config")(**dict(settings, **more))
    model = check_experts.make(
        ("Gemma3Text" if stem == "Gemma3" and head != "ForCausalLM" else stem) + head, config,
        number)
    inputs = {k: v for k, v in inputs.items() if v is not None}
    share = settings.get("rope_parameters", {}).get("partial_rotary_factor", 1)
    with tempfile.TemporaryDirectory() as folder:
        # the parts that it cuts from a head and the cosines are not equally wide
        if family == "phi" and int(E * share) % 2:
            return forward.check_refused(heed, folder, model, inputs,
                                         "family phi turns pairs"), settings, head, T
        problems = forward.check(heed, folder, f"{family} {number}", model, inputs, [""])
        if head == "ForCausalLM":
            wrong = generated(heed, folder, model, V, T, number)
            problems += [wrong] if wrong else []
    return problems, settings, head, T


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--only", default="")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    forward.run_torch = check_experts.run_torch
    failed = total = 0
    for family in FAMILIES:
        if options.only not in ("", family):
            continue
        bad = 0
        for number in range(options.count):
            problems, settings, head, T = check(options.heed, family, options.seed * 1000 + number,
                                                random.Random(f"{family} {options.seed} {number}"))
            bad += bool(problems)
            if problems:
                print(
                    f"FAILED {family} {options.seed}.{number} {head}, {T} tokens: "
                    f"{'; '.join(problems[:3])} ({len(problems)})\n    {settings}", flush=True)
        total, failed = total + options.count, failed + bad
        print(f"{family}: {options.count - bad} of {options.count} agree", flush=True)
    return forward.summarize(failed, total)


if __name__ == "__main__":
    sys.exit(main())
