"""Conversations of `heed chat` against transformers: the same template, greedy answers, several
turns.

    python tools/oracle/check_chat.py build/release/heed tests/fixtures/qwen2
    tests/fixtures/smollm2 ..."""
import json
import pathlib
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TURNS = ["Hi", "a b?", "x"]


def check(program, folder, template):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer.chat_template = pathlib.Path(template).read_text()
    command = [
        program, "chat", "-m", folder, "--template", template, "--system", "s", "--temp", "0", "-n",
        "6", "--json", "-c", "256", "-t", "1"
    ]
    run = subprocess.run(command, input="\n".join(TURNS) + "\n", capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    turns = [json.loads(line) for line in run.stdout.splitlines()]
    messages, wrong, kept = [{"role": "system", "content": "s"}], 0, 0
    for said, turn in zip(TURNS, turns, strict=True):
        messages.append({"role": "user", "content": said})
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True,
                                            return_tensors="pt", return_dict=False)
        with torch.no_grad():
            out = model.generate(ids, max_new_tokens=6, do_sample=False, num_beams=1,
                                 repetition_penalty=1.0)
        text = tokenizer.decode(out[0, ids.shape[1]:], skip_special_tokens=True)
        if text != turn["text"] or ids.shape[1] != turn["prompt_tokens"] or turn[
                "kept_tokens"] < kept:
            wrong += 1
            print("  wanted", repr(text), ids.shape[1], "found", turn)
        kept = 1
        messages.append({"role": "assistant", "content": turn["text"]})
    print(f"{folder}: {len(TURNS)} turns, {wrong} wrong; read again: "
          f"{[t['prompt_tokens'] - t['kept_tokens'] for t in turns]} of "
          f"{[t['prompt_tokens'] for t in turns]}")
    return wrong


def main():
    template = str(pathlib.Path(__file__).parents[2] / "tests/fixtures/chat-templates/chatml.jinja")
    return 1 if sum(check(sys.argv[1], folder, template) for folder in sys.argv[2:]) else 0


if __name__ == "__main__":
    sys.exit(main())
