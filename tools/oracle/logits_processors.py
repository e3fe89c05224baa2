"""Writes tests/fixtures/logits_processors: what transformers makes of rows of logits under many
generation configs.

oracle.json "cases": name -> {"config": members of generation_config.json, "prompt": ids given,
"source": uses in.source}. oracle.safetensors: in.history (4,H), in.logits (4,V), in.source
(4,S), out.<case> (4,V) after all processors, -inf for removed ones. Usage: python
tools/oracle/logits_processors.py (transformers 5.23, torch 2.11)
"""
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

V, H, S = 200, 24, 9
CASES = {
    "greedy_plain": ({}, 10),
    "repetition": (dict(repetition_penalty=1.4), 10),
    "repetition_below_1": (dict(repetition_penalty=0.7), 10),
    "ngram1": (dict(no_repeat_ngram_size=1), 10),
    "ngram2": (dict(no_repeat_ngram_size=2), 10),
    "ngram4": (dict(no_repeat_ngram_size=4), 10),
    "ngram_longer_than_history": (dict(no_repeat_ngram_size=30), 10),
    "bad_words": (dict(bad_words_ids=[[3], [7, 11], [5], [1, 2, 3, 4], [9, 5]],
                       eos_token_id=5), 10),
    "sequence_bias": (dict(sequence_bias=[[[4], 2.5], [[9, 5], -3.0], [[11, 9, 5], 0.25]]), 10),
    "min_length_reached": (dict(min_length=H, eos_token_id=[5, 6]), 10),
    "min_length": (dict(min_length=H + 1, eos_token_id=[5, 6]), 10),
    "min_new_reached": (dict(min_new_tokens=H - 10, eos_token_id=5), 10),
    "min_new": (dict(min_new_tokens=H - 9, eos_token_id=5), 10),
    "forced_bos_late": (dict(forced_bos_token_id=17), 10),
    "forced_eos": (dict(forced_eos_token_id=[5, 8], max_length=H + 1), 10),
    "forced_eos_early": (dict(forced_eos_token_id=5, max_length=H + 2), 10),
    "suppress": (dict(suppress_tokens=[1, 5, 9, 199]), 10),
    "begin_suppress": (dict(begin_suppress_tokens=[1, 5]), H),
    "begin_suppress_late": (dict(begin_suppress_tokens=[1, 5]), H - 1),
    "decay": (dict(exponential_decay_length_penalty=(3, 1.1), eos_token_id=5), 10),
    "decay_not_yet": (dict(exponential_decay_length_penalty=(14, 1.1), eos_token_id=5), 10),
    "renormalize": (dict(renormalize_logits=True, suppress_tokens=[3]), 10),
    "encoder_repetition": (dict(encoder_repetition_penalty=1.7), 10, True),
    "encoder_ngram": (dict(encoder_no_repeat_ngram_size=3), 10, True),
    "encoder_ngram1": (dict(encoder_no_repeat_ngram_size=1), 10, True),
    "temperature": (dict(do_sample=True, temperature=0.6, top_k=0), 10),
    "top_k": (dict(do_sample=True, top_k=17), 10),
    "top_k_all": (dict(do_sample=True, top_k=5000), 10),
    "top_p": (dict(do_sample=True, top_p=0.83, top_k=0), 10),
    "top_p_zero": (dict(do_sample=True, top_p=0.0, top_k=0), 10),
    "min_p": (dict(do_sample=True, min_p=0.07, top_k=0), 10),
    "top_h": (dict(do_sample=True, top_h=0.45, top_k=0), 10),
    "typical": (dict(do_sample=True, typical_p=0.6, top_k=0), 10),
    "typical_narrow": (dict(do_sample=True, typical_p=0.05, top_k=0), 10),
    "epsilon": (dict(do_sample=True, epsilon_cutoff=0.003, top_k=0), 10),
    "eta": (dict(do_sample=True, eta_cutoff=0.004, top_k=0), 10),
    "sampling_off": (dict(temperature=0.6, top_k=3, top_p=0.5), 10),
    "chain": (dict(do_sample=True, repetition_penalty=1.2, no_repeat_ngram_size=2,
                   bad_words_ids=[[3],
                                  [7, 11]], min_new_tokens=20, suppress_tokens=[9], temperature=0.8,
                   top_k=40, top_p=0.9, min_p=0.02, renormalize_logits=True, eos_token_id=5), 10),
    "chain_all": (dict(do_sample=True, sequence_bias=[[[4], 2.5], [[9, 5], -3.0]],
                       encoder_repetition_penalty=1.1, repetition_penalty=1.2,
                       no_repeat_ngram_size=3, encoder_no_repeat_ngram_size=3, bad_words_ids=[[3]],
                       temperature=1.3, top_h=0.9, top_k=60, top_p=0.97, min_p=0.01, typical_p=0.9,
                       epsilon_cutoff=0.0005, eta_cutoff=0.0005, eos_token_id=5), 10, True),
}


def main():
    torch.manual_seed(3)
    history = torch.randint(0, 13, (4, H))  # few ids, so that n-grams repeat
    history[:, -3:] = torch.tensor([[11, 9, 3], [2, 7, 9], [1, 2, 3], [11, 9, 9]])
    history[2, 4:8] = torch.tensor([1, 2, 3, 4])
    source = torch.randint(0, 13, (4, S))
    source[0, 2:5] = torch.tensor([9, 3, 8])
    logits = torch.randn(4, V) * torch.tensor([[2.0], [3.0], [1.0], [4.0]])
    tensors = {"in.history": history, "in.source": source, "in.logits": logits}
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=V, n_embd=8, n_layer=1, n_head=1, n_positions=64, bos_token_id=None,
                   eos_token_id=None))
    cases = {}
    for name, (config, prompt, *with_source) in CASES.items():
        settings = GenerationConfig(**({"top_k": 0} | config))
        settings.max_length = config.get("max_length", 100)
        model._prepare_special_tokens(settings, True, device="cpu")
        processors = model._get_logits_processor(settings, input_ids_seq_length=prompt,
                                                 encoder_input_ids=source if with_source else None,
                                                 device="cpu", model_kwargs={})
        tensors["out." + name] = processors(history, logits.clone()).clone()
        cases[name] = {"config": config, "prompt": prompt, "source": bool(with_source)}
    folder = pathlib.Path(__file__).parents[2] / "tests/fixtures/logits_processors"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "oracle.safetensors")
    (folder / "oracle.safetensors").chmod(0o644)
    with open(folder / "oracle.json", "w") as file:
        json.dump({"cases": cases}, file, indent=1)


main()
