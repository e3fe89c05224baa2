#!/usr/bin/env python3
"""Greedy ids of a GGUF file by heed and by llama.cpp: for how many tokens they agree, and how
close the two best logits are where they part.

    tools/oracle/check_llama_greedy.py HEED FILE.gguf [--reference llm_reference.json]
        [--count 32] [--threads 2]

llama.cpp runs with each of its own choices: keys and values in f16 or f32, with flash attention
and without. All of them compute the same model and round differently; how far llama.cpp agrees
with itself is what anybody else can be asked for. First come the pairs of llama.cpp with itself,
then heed (its caches in f32 and f16) with each. With --reference the prompts and the first
answer are that file's ("greedy": prompt_ids, ids). Needs llama-cpp-python and numpy."""
import argparse, ctypes, json, os, subprocess, sys

import numpy as np
import llama_cpp

PROMPTS = ("The capital of France is", "Once upon a time, there was a", "def fibonacci(n):", "The "
           "three primary colors are", "Water boils at")
F32, F16 = 0, 1


def llama_answers(path, prompts, count, threads, cache, flash):
    """For each prompt the ids, and the distances of the two largest logits."""
    model = llama_cpp.Llama(path, n_ctx=512, n_batch=512, n_threads=threads,
                            n_threads_batch=threads, flash_attn=flash, type_k=cache, type_v=cache,
                            verbose=False)
    memory, size = llama_cpp.llama_get_memory(model.ctx), model.n_vocab()

    def read(ids):
        tokens = (ctypes.c_int32 * len(ids))(*ids)
        if llama_cpp.llama_decode(model.ctx, llama_cpp.llama_batch_get_one(tokens, len(ids))) != 0:
            raise RuntimeError("llama_decode failed")
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1),
                                     shape=(size, )).copy()

    answers = []
    for prompt in prompts:
        llama_cpp.llama_memory_clear(memory, False)
        logits, ids, gaps = read(prompt), [], []
        for _ in range(count):
            least, most = np.partition(logits, -2)[-2:]
            ids.append(int(logits.argmax()))
            gaps.append(float(most - least))
            logits = read(ids[-1:])
        answers.append((ids, gaps))
    model.close()
    return answers


def heed_answers(heed, path, prompts, count, threads, cache):
    answers = []
    for prompt in prompts:
        command = [
            heed, "generate", "-m", path, "--prompt-ids", ",".join(map(str, prompt)), "--ids", "-n",
            str(count), "--temp", "0", "--repeat-penalty", "1", "--cache", cache, "-t",
            str(threads)
        ]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        answers.append((json.loads(out.splitlines()[0]), None))
    return answers


def compare(name, found, expected):
    """One line: tokens that agree for each prompt, with the gap of whoever knows it where they
    part."""
    words = []
    for (ids, gaps), (other, other_gaps) in zip(found, expected):
        same = next((i for i, (a, b) in enumerate(zip(ids, other)) if a != b),
                    min(len(ids), len(other)))
        gap = [g[same] for g in (gaps, other_gaps) if g and same < len(g)]
        # heed stops after the token that ends an answer, llama.cpp writes on
        ended = same == len(ids) < len(other)
        words.append(f"{same}" + (" (ended)" if ended else f" (gap {max(gap):.2f})" if gap else ""))
    print(f"{name:66}  {', '.join(words)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heed")
    parser.add_argument("model")
    parser.add_argument("--reference")
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    sides = {}
    if given.reference:
        entry = json.load(open(given.reference))[os.path.basename(given.model)]["greedy"]
        prompts = [item["prompt_ids"] for item in entry]
        sides["reference"] = [(item["ids"], None) for item in entry]
    else:
        model = llama_cpp.Llama(given.model, vocab_only=True, verbose=False)
        prompts = [model.tokenize(text.encode()) for text in PROMPTS]
    for flash in (False, True):
        for cache, name in ((F16, "f16"), (F32, "f32")):
            sides[f"llama.cpp, cache {name}{', flash attention' if flash else ''}"] = llama_answers(
                given.model, prompts, given.count, given.threads, cache, flash)
    peers = list(sides)
    for i, name in enumerate(peers):
        for other in peers[:i]:
            compare(f"{name} / {other}", sides[name], sides[other])
    for cache in ("f32", "f16"):
        mine = heed_answers(given.heed, given.model, prompts, given.count, given.threads, cache)
        for other in peers:
            compare(f"heed, cache {cache} / {other}", mine, sides[other])


if __name__ == "__main__":
    main()
