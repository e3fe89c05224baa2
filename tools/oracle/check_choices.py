"""`heed eval --choices` against log-likelihoods by transformers, counted as
lm-evaluation-harness counts them.

    python tools/oracle/check_choices.py build/release/heed tests/fixtures/llama ...
    python tools/oracle/check_choices.py --write tests/fixtures/choices/llama.jsonl
        tests/fixtures/llama

The second writes what tests/evaluate reads.

The tokenizer is tokenizer.json as it stands: the classes of transformers 5 rebuild parts of it,
so that a leading blank can differ."""
import json
import random
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def questions(seed, count):
    r = random.Random(seed)
    words = [
        "the", "a", "Hello", "world", "cat", "ü", "日本", "dog's", "x1", "runs", "far", "42", "?",
        "end."
    ]
    made = []
    for i in range(count):
        context = " ".join(r.choices(words, k=r.choice([0, 1, 3, 6, 40] if i else [3]))) + r.choice(
            ["", "", " ", "  "])
        choices = list(
            dict.fromkeys(" ".join(r.choices(words, k=r.randrange(1, 4)))
                          for _ in range(r.randrange(2, 5))))
        if len(choices) > 1:
            answer = r.randrange(len(choices))
            made.append({
                "context": context, "choices": choices,
                "answer": choices[answer] if r.random() < .3 else answer
            })
    return made


def likelihoods(model, tokenizer, question, context_length):
    found = []
    for choice in question["choices"]:
        context, continuation = question["context"], " " + choice
        blanks = len(context) - len(context.rstrip())
        if blanks:
            continuation = context[-blanks:] + continuation
            context = context[:-blanks]
        encode = lambda text: tokenizer.encode(text, add_special_tokens=False)
        start = tokenizer.bos_token_id
        if start is None:
            start = tokenizer.eos_token_id
        first = encode(context) if context else [start]
        rest = encode(context + continuation)[len(first):] if context else encode(continuation)
        ids = torch.tensor([(first + rest)[-(context_length + 1):]])
        rest = rest[-(ids.shape[1] - 1):]
        with torch.no_grad():
            logp = model(ids[:, :-1]).logits.double().log_softmax(-1)[0,
                                                                      -len(rest):] if rest else None
        found.append(sum(logp[i, t].item() for i, t in enumerate(rest)))
    return found


def check(program, folder, write=None):
    torch.set_num_threads(1)
    tokenizer, model = PreTrainedTokenizerFast.from_pretrained(
        folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    context = model.config.max_position_embeddings
    asked = questions(3, 40)
    wanted = [likelihoods(model, tokenizer, q, context) for q in asked]
    if write:
        with open(write, "w") as file:
            for q, w in zip(asked, wanted):
                file.write(json.dumps({**q, "log_likelihoods": w}) + "\n")
        return 0
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("\n".join(json.dumps(q) for q in asked))
        file.flush()
        run = subprocess.run(
            [program, "eval", "-m", folder, "--choices", file.name, "--each", "--json", "-t", "1"],
            capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    *lines, total = [json.loads(line) for line in run.stdout.splitlines()]
    worst = max(
        abs(a - b) / max(1, abs(b)) for line, w in zip(lines, wanted, strict=True)
        for a, b in zip(line["log_likelihoods"], w, strict=True))
    best = {
        "acc": lambda v, c: v, "acc_norm": lambda v, c: v / len(c),
        "acc_bytes": lambda v, c: v / len(c.encode())
    }
    wrong = worst > 1e-5
    for name, score in best.items():
        right = 0
        for q, w in zip(asked, wanted):
            values = [score(v, c) for v, c in zip(w, q["choices"])]
            answer = q["answer"] if isinstance(q["answer"], int) else q["choices"].index(
                q["answer"])
            right += values.index(max(values)) == answer
        wrong |= abs(total[name] - right / len(asked)) > 1e-9
    print(f"{folder}: {len(asked)} questions, largest relative difference {worst:.2e}, {total}, "
          f"{'WRONG' if wrong else 'right'}")
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        sys.exit(check(None, sys.argv[3], sys.argv[2]))
    sys.exit(1 if sum(check(sys.argv[1], folder) for folder in sys.argv[2:]) else 0)
