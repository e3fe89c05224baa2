#!/usr/bin/env python3
"""What heed trains, transformers loads: same logits, same ids.

Trains a small model of each family for a few updates with `heed train`, loads the run directory
with transformers, and compares logits (`heed forward`), token ids and decoded text (`heed
tokenize`) and greedy continuations (`heed generate`). Needs torch, transformers, tokenizers,
safetensors.

    tools/check_roundtrip.py [--heed build/release/heed] [--text share/shakespeare/valid.txt]
"""
import argparse, json, os, subprocess, sys, tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer
import transformers

transformers.logging.disable_progress_bar()

SIZES = [
    "--layers", "2", "--d-model", "48", "--heads", "4", "--context", "32", "--batch-size", "4",
    "--max-steps", "6", "--seed", "3"
]


def run(*command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(str(part) for part in command)}\nends with {done.returncode}: "
                 f"{done.stderr}")


def inputs_of(family, vocabulary):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, vocabulary, (2, 11), generator=generator)
    if family != "transformer":
        return {"input_ids": ids}
    return {
        "input_ids": ids, "decoder_input_ids": torch.randint(5, vocabulary, (2, 7),
                                                             generator=generator)
    }


def same_generation(heed, model, loaded, inputs):
    prompt = inputs["input_ids"][:1]
    settings = dict(max_new_tokens=12, do_sample=False)
    expected = loaded.generate(prompt, **settings)[0].tolist()
    skipped = 1 if loaded.config.is_encoder_decoder else prompt.shape[1]
    found = subprocess.run([
        heed, "generate", "-m", model, "--prompt-ids", ",".join(str(i) for i in prompt[0].tolist()),
        "-n", "12", "--temp", "0", "--ids"
    ], check=True, capture_output=True, text=True).stdout
    return json.loads(found) == expected[skipped:]


def check(heed, family, kind, text, folder):
    tokenizer = os.path.join(folder, "tokenizer")
    special = {"transformer": ["--sentence-ends"], "bert": ["--masking"]}.get(family, [])
    if kind == "char":
        tokenizer = "char"
    else:
        run(heed, "tokenize", "--train", kind, "--data", text, "--vocab-size", 400, "--out",
            tokenizer, *special)
    data = [text]
    if family == "transformer":
        lines = [line for line in open(text, encoding="utf-8").read().split("\n") if line][:200]
        data = [os.path.join(folder, "a.txt"), os.path.join(folder, "b.txt"), "--pairs"]
        for path in data[:2]:
            open(path, "w", encoding="utf-8").write("\n".join(lines) + "\n")
    model = os.path.join(folder, "run")
    run(heed, "train", "--family", family, "--data", *data, "--tokenizer", tokenizer, "--out",
        model, *SIZES)
    config = AutoConfig.from_pretrained(model)
    loaded = getattr(transformers, config.architectures[0]).from_pretrained(model).eval()
    inputs = inputs_of(family, config.vocab_size)
    with torch.no_grad():
        expected = loaded(**inputs).logits
    save_file({"in." + name: tensor
               for name, tensor in inputs.items()}, os.path.join(folder, "in.safetensors"))
    run(heed, "forward", model, "--in", os.path.join(folder, "in.safetensors"), "--out",
        os.path.join(folder, "out.safetensors"))
    found = load_file(os.path.join(folder, "out.safetensors"))["out.logits"]
    difference = (found - expected).abs().max().item() / expected.abs().max().item()
    texts = [
        "Hello, world!", "First Citizen:\nBefore we proceed", "  blanks and\ttabs ", "naïve "
        "café "
        "你好 🙂", ""
    ]
    lines = os.path.join(folder, "texts.jsonl")
    open(lines, "w", encoding="utf-8").write("".join(json.dumps({"text": t}) + "\n" for t in texts))
    output = subprocess.run([heed, "tokenize", "-m", model, "--jsonl", lines], check=True,
                            capture_output=True, text=True).stdout
    theirs = AutoTokenizer.from_pretrained(model)
    expected = [theirs(t)["input_ids"] for t in texts]
    same = [json.loads(line) for line in output.splitlines()] == expected
    open(lines, "w",
         encoding="utf-8").write("".join(json.dumps({"ids": ids}) + "\n" for ids in expected))
    output = subprocess.run([heed, "tokenize", "-m", model, "--decode", "--jsonl", lines],
                            check=True, capture_output=True, text=True).stdout
    decoded = [json.loads(line)
               for line in output.splitlines()] == [theirs.decode(ids) for ids in expected]
    written = family == "bert" or same_generation(heed, model, loaded, inputs)
    words = ["DIFFER", "equal"]
    print(
        f"{family:12} {kind:5} written as {config.model_type:8} logits differ by "
        f"{difference:.1e} of the largest, ids {words[same]}, "
        f"decoded text {words[decoded]}, "
        f"{'no generation' if family == 'bert' else 'greedy ids ' + words[written]}", flush=True)
    return difference < 1e-5 and same and decoded and written


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--text", default="share/shakespeare/valid.txt")
    arguments = parser.parse_args()
    good = True
    for family in ["heed", "llama", "gpt2", "bert", "transformer"]:
        for kind in ["bpe", "char"]:
            with tempfile.TemporaryDirectory() as folder:
                good = check(os.path.abspath(arguments.heed), family, kind,
                             os.path.abspath(arguments.text), folder) and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
