#!/usr/bin/env python3
"""Writes tests/fixtures/forward-cases/FIXTURE.safetensors: what transformers (eager attention)
answers to batches with masks and position ids of every kind, for models that lie in
tests/fixtures. Tensors are called CASE/in.NAME, CASE/out.NAME, CASE/loss, CASE/grad.NAME;
CASE/noise.NAME is |float32 - float64|.

    python3 tools/oracle/make_forward_cases.py [tests/fixtures]"""
import os, sys
import torch, transformers
from safetensors.torch import save_file
from check_forward import batches, right_padded, run_torch

MODELS = {
    "gpt2": ("GPT2LMHeadModel", "causal", [
        "transformer.h.0.ln_1.bias", "transformer.h.0.attn.c_proj.weight", "transformer.ln_f.weight"
    ]), "llama": ("LlamaForCausalLM", "causal", [
        "model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.k_proj.weight",
        "model.norm.weight"
    ]), "mistral": ("MistralForCausalLM", "causal", [
        "model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.k_proj.weight",
        "model.norm.weight"
    ]), "bert": ("BertForPreTraining", "masked", [
        "bert.embeddings.position_embeddings.weight",
        "bert.encoder.layer.0.attention.self.key.weight", "bert.pooler.dense.bias"
    ]), "roberta": ("RobertaForMaskedLM", "padded", [
        "roberta.embeddings.position_embeddings.weight", "lm_head.layer_norm.weight"
    ]), "bert-multichoice": ("BertForMultipleChoice", "choices", [
        "bert.pooler.dense.weight", "classifier.weight"
    ]), "marian": ("MarianMTModel", "translation", [
        "model.encoder.layers.0.self_attn.v_proj.weight",
        "model.decoder.layers.0.encoder_attn.k_proj.weight"
    ]), "mbart": ("MBartForConditionalGeneration", "translation", [
        "model.encoder.embed_positions.weight", "model.decoder.layernorm_embedding.weight",
        "model.decoder.layers.0.encoder_attn.k_proj.weight"
    ])
}


def padded(vocab, pad):
    """Batches for models whose positions count the tokens that are not padding."""
    for label, inputs in batches(vocab, "masked"):
        yield label, inputs
        mask = inputs.get("attention_mask")
        if mask is not None and label in ("right padding", "left padding", "holes"):
            ids = torch.where(mask == 0, pad, inputs["input_ids"])
            yield label + " of padding tokens", dict(inputs, input_ids=ids)
            yield label + " without its mask", dict(input_ids=ids, labels=inputs["labels"])


def choices(vocab):
    """Two questions of three choices; the first token stands for a choice, seen or not."""
    x, right = (v[:, None].repeat(1, 3, 1)[:2] for v in right_padded(vocab))
    for c in range(3):
        x[:, c] = x[:, c].roll(c, -1)
    labels = torch.tensor([1, 2])
    yield "no mask", dict(input_ids=x, labels=labels)
    yield "right padding", dict(input_ids=x, attention_mask=right, labels=labels)
    yield "left padding", dict(input_ids=x, attention_mask=right.flip(-1), labels=labels)
    first, holes = torch.ones_like(right), right.clone()
    first[:, :, 0] = holes[:, 1:, 2:5] = 0
    yield "the first token masked", dict(input_ids=x, attention_mask=first, labels=labels)
    yield "holes", dict(input_ids=x, attention_mask=holes, labels=labels)
    yield "one choice", dict(input_ids=x[:, :1], attention_mask=first[:, :1], labels=labels * 0)
    yield "one token", dict(input_ids=x[..., :1], labels=labels)
    yield "one question, no labels", dict(input_ids=x[:1], attention_mask=right[:1])


def translation(vocab):
    x, right = right_padded(vocab - 1)
    y = right_padded(vocab - 1, T=7, seed=4)[0]
    holes, nothing = right.clone(), right.clone()
    holes[:, 4], nothing[1] = 0, 0
    short = y.clone()
    short[1, 5:] = -100
    mask = torch.ones(3, 7, dtype=torch.long)
    mask[2, 5:] = 0
    yield "no mask", dict(input_ids=x, labels=y)
    yield "right padding", dict(input_ids=x, attention_mask=right, labels=short)
    yield "left padding", dict(input_ids=x, attention_mask=right.flip(1), labels=short)
    yield "holes", dict(input_ids=x, attention_mask=holes, labels=short)
    yield "a source of padding", dict(input_ids=x, attention_mask=nothing, labels=y)
    yield "decoder mask", dict(input_ids=x, attention_mask=right, decoder_input_ids=y,
                               decoder_attention_mask=mask, labels=torch.where(mask == 0, -100, y))
    yield "one token", dict(input_ids=x[:, :1], decoder_input_ids=y[:, :1])


def main():
    fixtures = sys.argv[1] if len(sys.argv) > 1 else "tests/fixtures"
    os.makedirs(os.path.join(fixtures, "forward-cases"), exist_ok=True)
    for fixture, (cls, kind, gradients) in MODELS.items():
        path = os.path.join(fixtures, fixture)
        model = getattr(transformers, cls).from_pretrained(path, attn_implementation="eager",
                                                           dtype=torch.float32).eval()
        vocab, tensors = model.config.vocab_size, {}
        cases = {
            "translation": lambda: translation(vocab),
            "choices": lambda: choices(vocab),
            "padded": lambda: padded(vocab, model.config.pad_token_id)
        }.get(kind, lambda: batches(vocab, kind))
        for label, inputs in cases():
            if kind == "masked" and "labels" in inputs:
                inputs["next_sentence_label"] = torch.arange(inputs["input_ids"].shape[0]) % 2
            try:
                want, grads = run_torch(model, inputs, False)
                exact, exact_grads = run_torch(model, inputs, True)
            except (RuntimeError, ValueError, IndexError, KeyError):
                continue
            last = f".{model.config.num_hidden_layers}"
            hidden = [k for k in want if "hidden_states" in k and k.endswith(last)]
            if kind == "choices":
                hidden = ["out.logits"]
            kept = {
                k: (want[k], exact[k])
                for k in hidden + ["loss", "out.seq_relationship_logits"] if k in want
            }
            for name in gradients:
                if "grad." + name in grads and want["loss"].isfinite().all():
                    disk = name.replace("transformer.", "") if fixture == "gpt2" else name
                    kept["grad." + disk] = (grads["grad." + name],
                                            exact_grads.get("grad." + name, grads["grad." + name]))
            for name, value in inputs.items():
                tensors[f"{label}/in.{name}"] = value.clone().contiguous()
            for name, (value, other) in kept.items():
                noise = (value.double() -
                         other.double()).abs().max().item() if value.numel() else 0.
                tensors[f"{label}/{name}"] = value.float().clone().contiguous()
                tensors[f"{label}/noise.{name}"] = torch.tensor([noise if noise == noise else 0.])
        save_file(tensors, os.path.join(fixtures, "forward-cases", fixture + ".safetensors"))
        print(fixture, len({t.split("/")[0] for t in tensors}), "cases")


if __name__ == "__main__":
    main()
