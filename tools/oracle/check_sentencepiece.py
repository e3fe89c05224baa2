#!/usr/bin/env python3
"""Compares `heed tokenize` on .model and .tiktoken files with the sentencepiece and tiktoken
packages, on hostile random text.

    python3 tools/oracle/check_sentencepiece.py FILE... [--heed build/release/heed] [--texts 4000]
        [--seed 1]

Needs sentencepiece, and tiktoken for .tiktoken files (split into words as cl100k_base)."""
import argparse, base64, json, random, subprocess, sys
import check_tokenizers

CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
          r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")


def encoder(path):
    """The package's function from a text to ids."""
    if path.endswith(".tiktoken"):
        import tiktoken
        with open(path, "rb") as file:
            ranks = {base64.b64decode(a): int(b) for a, b in (line.split() for line in file)}
        encoding = tiktoken.Encoding("t", pat_str=CL100K, mergeable_ranks=ranks, special_tokens={})
        return encoding.encode_ordinary
    import sentencepiece
    return sentencepiece.SentencePieceProcessor(model_file=path).encode


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total = 0
    for path in options.files:
        rng, encode = random.Random(options.seed), encoder(path)
        texts = [check_tokenizers.hostile(rng) for _ in range(options.texts)]
        done = subprocess.run(
            [options.heed, "tokenize", "-m", path, "--no-special", "--jsonl", "-"],
            input="\n".join(json.dumps({"text": text}) for text in texts).encode(),
            capture_output=True)
        if done.returncode:
            sys.exit(done.stderr.decode())
        wrong = 0
        for text, line in zip(texts, done.stdout.decode().splitlines()):
            if json.loads(line) != encode(text):
                wrong += 1
                if wrong <= 3:
                    print(f"{text!r}: {line}, expected {encode(text)}")
        print(f"{path}: {wrong} of {len(texts)} texts differ")
        total += wrong
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
