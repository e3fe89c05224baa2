"""Fine-tuning on conversations against transformers: the loss of the first update, over all
answers and nothing else.

    python tools/oracle/check_conversations.py build/release/heed tests/fixtures/qwen2
    tests/fixtures/smollm2 ...

The texts and the tokens to learn are found here in another way than in heed: by transformers'
own mask where a template has generation blocks, else by looking for the answers' texts.
Templates: those of tests/fixtures/chat-templates, and small ones for what is difficult."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).parents[2] / "tests/fixtures/chat-templates"
TEMPLATES = {
    name: (ROOT / f"{name}.jinja").read_text()
    for name in ("chatml", "zephyr", "llama3", "tools")
}
# The answer is marked; without the end of the turn.
TEMPLATES["marked"] = ("{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% "
                       "generation %}{{ m.content }}{% endgeneration %}"
                       "{% else %}{{ m.content }}{% endif %}|{% endfor %}{% if "
                       "add_generation_prompt %}<assistant>{% endif %}")
# Earlier answers are written without their thoughts: each answer is a text of its own.
TEMPLATES["thoughts"] = ("{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and "
                         "not loop.last %}{{ m.content.split('=')[-1] }}"
                         "{% else %}{{ m.content }}{% endif %}|{% endfor %}{% if "
                         "add_generation_prompt %}<assistant>{% endif %}")
# The prompt opens what the answer does not have.
TEMPLATES["opened"] = ("{% for m in messages %}<{{ m.role }}>{{ m.content }}|{% endfor %}"
                       "{% if add_generation_prompt %}<assistant>THINK{% endif %}")
WORDS = "the cat sees a moon; Grüße an 日本 = 12 + x".split(" ")


def conversations(count, seed):
    """Objects of a .jsonl and, for each, (messages, first message to learn from)."""
    draw = random.Random(seed)

    def say():
        return " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 12)))

    for _ in range(count):
        messages = [{"role": "system", "content": say()}] if draw.random() < 0.5 else []
        for _ in range(draw.randint(1, 3)):
            messages += [{"role": "user", "content": say()},
                         {"role": "assistant", "content": say()}]
        kind = draw.randrange(4)
        if kind == 0:
            messages = messages[-2:]
            yield {"prompt": messages[0]["content"],
                   "completion": messages[1]["content"]}, messages, 1
        elif kind == 1:
            yield {"prompt": messages[:-1],
                   "completion": messages[-1:]}, messages, len(messages) - 1
        else:
            if draw.random() < 0.3:
                messages[-1]["weight"] = 0
            yield {"messages": messages}, messages, 0


def texts_of(tokenizer, name, messages, first):
    """Texts with the spans of their answers."""
    def render(some, prompt=False):
        return tokenizer.apply_chat_template(some, tokenize=False, add_generation_prompt=prompt)

    learned = [
        i for i, m in enumerate(messages)
        if i >= first and m["role"] == "assistant" and m.get("weight", 1) != 0
    ]
    whole, spans, singles = render(messages), [], []
    ends = {
        "chatml": "<|im_end|>", "tools": "<|im_end|>", "zephyr": tokenizer.eos_token or "",
        "llama3": "<|eot_id|>", "marked": "", "thoughts": "|", "opened": "|"
    }
    for i in learned:
        text = render(messages[:i + 1])
        content = messages[i]["content"]
        begin = text.rindex(content)
        span = (begin, begin + len(content) + len(ends[name]))
        assert text[span[1] - len(ends[name]):span[1]] == ends[name], (name, text)
        if whole.startswith(text):
            spans.append(span)
        else:
            singles.append((text, [span]))
    return singles + ([(whole, spans)] if spans else [])


def labeled(tokenizer, text, spans, special=False):
    encoding = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
    ids, marks = encoding["input_ids"], []
    for begin, end in encoding["offset_mapping"]:
        marks.append(any(end > a and begin < b for a, b in spans))
    return ids, marks


def expected(model, tokenizer, samples, length):
    total, count = 0.0, 0
    for ids, marks in samples:
        ids, marks = ids[:length], marks[:length]
        marks = [False] + marks[1:]
        if not any(marks):
            continue
        x = torch.tensor([ids])
        with torch.no_grad():
            logits = model(x).logits[0].double().log_softmax(-1)
        for t in range(1, len(ids)):
            if marks[t]:
                total -= logits[t - 1, ids[t]].item()
                count += 1
    return total / max(count, 1), count


def run(program, folder, lines, work, length, *options):
    data = work / "data.jsonl"
    data.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    out = work / "run"
    command = [
        program, "train", "--init", folder, "--data",
        str(data), "--out",
        str(out), "--max-steps", "1", "--batch-size", "4096", "--context",
        str(length), "-t", "1"
    ]
    done = subprocess.run(command + list(options), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loss = json.loads((out / "log.jsonl").read_text().splitlines()[0])["loss"]
    subprocess.run(["rm", "-rf", str(out)], check=True)
    return loss


def check(program, folder):
    named = json.loads((pathlib.Path(folder) / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{folder}/tokenizer.json",
        **{key: named[key]
           for key in ("bos_token", "eos_token") if named.get(key)})
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    wrong = compared = 0
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        for number, (kind, template) in enumerate(TEMPLATES.items()):
            if "bos_token" in template and not tokenizer.bos_token:
                continue
            for length in {
                    min(length, model.config.max_position_embeddings)
                    for length in (60, 128, 300)
            }:
                tokenizer.chat_template = template
                (work / "t.jinja").write_text(template)
                lines, samples = [], []
                for line, messages, first in conversations(40, 100 * number + length):
                    lines.append(line)
                    samples += [
                        labeled(tokenizer, text, spans)
                        for text, spans in texts_of(tokenizer, kind, messages, first)
                    ]
                wanted, count = expected(model, tokenizer, samples, length)
                if count == 0:
                    continue
                found = run(program, folder, lines, work, length, "--template",
                            str(work / "t.jinja"))
                compared += 1
                if abs(found - wanted) > 2e-5 * abs(wanted):
                    wrong += 1
                    print(f"  {folder}, {kind}, {length} tokens: wanted {wanted:.6f} over {count} "
                          f"tokens, found {found:.6f}")
        lines = [line for line, _, _ in conversations(60, 5) if isinstance(line.get("prompt"), str)]
        samples = []
        for line in lines:
            ids, marks = labeled(
                tokenizer, line["prompt"] + line["completion"],
                [(len(line["prompt"]), len(line["prompt"]) + len(line["completion"]))],
                special=True)
            if tokenizer.eos_token_id is not None:
                if ids[-1] != tokenizer.eos_token_id:
                    ids, marks = ids + [tokenizer.eos_token_id], marks + [True]
                marks[-1] = True
            samples.append((ids, marks))
        wanted, count = expected(model, tokenizer, samples, 64)
        found = run(program, folder, lines, work, 64, "--template", "none")
        if abs(found - wanted) > 2e-5 * abs(wanted):
            wrong += 1
            print(f"  {folder}, plain: wanted {wanted:.6f} over {count} tokens, found {found:.6f}")
    print(f"{folder}: {compared + 1} losses, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(1 if sum(check(sys.argv[1], folder) for folder in sys.argv[2:]) else 0)
