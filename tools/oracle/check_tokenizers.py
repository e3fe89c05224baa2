#!/usr/bin/env python3
"""Compares `heed tokenize` with the tokenizers library on hostile random text, and vocabularies
that both train.

    python3 tools/oracle/check_tokenizers.py FOLDER... [--heed build/release/heed] [--texts 4000]
    [--seed 1] [--train FILE...] [--time]

FOLDER holds a tokenizer.json; with --train vocabularies that heed learns from FILE (char and
bpe, plain and with special tokens) are compared too, and the merges of bpe with those that the
library learns. Ids with and without special tokens, offsets, pairs, decoding of the ids and of
random ids. --time measures 1 MB against 10 MB of one letter, blanks, combining marks, digits,
and of mixed text. Needs tokenizers."""
import argparse, json, os, random, subprocess, sys, tempfile, time, unicodedata
import tokenizers

HEED = "build/release/heed"
RANGES = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x600, 0x6FF),
          (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x2000, 0x206F),
          (0x20D0, 0x20F0), (0x2100, 0x21FF), (0x2460, 0x24FF), (0x3000, 0x30FF), (0x4E00, 0x4F00),
          (0xAC00, 0xAD00), (0xD7B0, 0xD7FF), (0xE000, 0xE010), (0xF900, 0xFAFF), (0xFB00, 0xFB4F),
          (0xFE00, 0xFE0F), (0xFF00, 0xFFEF), (0xFFF9, 0xFFFD), (0x1D400, 0x1D7FF),
          (0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x20040), (0x2F800, 0x2F8FF),
          (0xE0100, 0xE01EF), (0x10FFF0, 0x10FFFF), (0x0, 0x1F), (0x7F, 0x9F)]
PIECES = [
    "'s", "'LL", "\u2019re", " ", "  ", "   ", "\n", "\r\n", "\r", "\t", "\u00a0", "\u3000",
    "\u200d", "\u200b", "\ufeff", "\u0301", "e\u0301", "\u1e9e", "\u0130", "\u03a3", "ﬁ", "½", "Ⅷ",
    "٣", "१२३", "1234567", "3.14", "can't", "WE'VE", "naïve", "don’t", "...", "!!!", "——", "你好",
    "안녕", "🙂", "👩‍👩‍👧", "🇩🇪", "\ufffd", "\x00", "\x85", "##ing", "▁", "Ġ", "Ċ", "<s>", "</s>",
    "<pad>", "[CLS]", "[MASK]", " [MASK]", "[MASK] ", "<|endoftext|>", "<mask>", " <mask> ",
    "<|begin_of_text|>", "<|im_start|>", "<unk>", "a" * 40, "ab" * 60, "x" * 130, "ꙮ", "ẞ", "ß",
    "Å", "Å", "각", "각"
]


def hostile(rng):
    parts = []
    for _ in range(rng.choice([1, 2, 3, 5, 8, 13, 30])):
        kind = rng.random()
        if kind < .35:
            parts.append(rng.choice(PIECES))
        elif kind < .6:
            low, high = rng.choice(RANGES)
            parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randrange(1, 6))))
        elif kind < .75:
            parts.append("".join(
                rng.choice("abcdefghijklmnopqrstuvwxyzABC ") for _ in range(rng.randrange(1, 12))))
        elif kind < .85:
            parts.append(rng.choice(PIECES) * rng.randrange(1, 9))
        else:
            while True:
                c = rng.randrange(0x110000)
                if not 0xD800 <= c < 0xE000:
                    break
            parts.append(chr(c))
    return "".join(parts)


def heed(*command):
    done = subprocess.run([HEED] + [str(part) for part in command], capture_output=True)
    if done.returncode:
        raise SystemExit(f"heed {' '.join(map(str, command))}\nends with {done.returncode}: "
                         f"{done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.decode().split("\n") if line]


def write(path, items):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(item) + "\n" for item in items)


def check(folder, count, seed):
    theirs = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    theirs.no_truncation(), theirs.no_padding()
    rng = random.Random(f"{seed} {os.path.basename(folder)}")
    texts = [""] + [hostile(rng) for _ in range(count)]
    bad = {}

    def note(what, text, found, expected):
        if found != expected:
            bad.setdefault(what, []).append((text, found, expected))

    with tempfile.TemporaryDirectory() as scratch:
        lines = os.path.join(scratch, "lines.jsonl")
        write(lines, [{"text": text, "pair": texts[-1 - i]} for i, text in enumerate(texts)])
        encoded = [theirs.encode(text) for text in texts]
        for text, found, e in zip(texts,
                                  heed("tokenize", "-m", folder, "--jsonl", lines, "--offsets"),
                                  encoded):
            note("ids", text, found["ids"], e.ids)
            note("offsets", text, found["offsets"], [list(o) for o in e.offsets])
        for text, found in zip(texts,
                               heed("tokenize", "-m", folder, "--jsonl", lines, "--no-special")):
            note("ids without special tokens", text, found,
                 theirs.encode(text, add_special_tokens=False).ids)
        pairs = texts[:count // 4]
        for i, (text, found) in enumerate(
                zip(pairs, heed("tokenize", "-m", folder, "--jsonl", lines, "--offsets",
                                "--pairs"))):
            e = theirs.encode(text, texts[-1 - i])
            note("ids of pairs", text, found["ids"], e.ids)
            note("offsets of pairs", text, found["offsets"], [list(o) for o in e.offsets])
        limit = max(theirs.get_vocab().values()) + 1
        lists = [e.ids
                 for e in encoded] + [[rng.randrange(limit) for _ in range(rng.randrange(12))]
                                      for _ in range(count)]
        write(lines, [{"ids": ids} for ids in lists])
        for skip in [False, True]:
            for ids, found in zip(
                    lists,
                    heed("tokenize", "-m", folder, "--jsonl", lines, "--decode",
                         *(["--skip-special"] if skip else []))):
                note("decoding", ids, found, theirs.decode(ids, skip_special_tokens=skip))
    for what, cases in bad.items():
        text, found, expected = min(cases, key=lambda c: len(c[0]))
        print(f"FAILED {folder}: {what}, {len(cases)} times; shortest {text!r}:\n  heed    "
              f"{found}\n  library {expected}")
    print(
        f"{os.path.basename(folder):22} {len(texts)} texts, {len(pairs)} pairs, "
        f"{2 * len(lists)} decodings: {sum(map(len, bad.values()))} mismatches", flush=True)
    return not bad


def check_training(path, sizes):
    """Merges of byte-level BPE: both train on the same file."""
    good = True
    for size in sizes:
        theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
        theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        theirs.train([path],
                     tokenizers.trainers.BpeTrainer(
                         vocab_size=size, show_progress=False,
                         initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
        expected = json.loads(theirs.to_str())["model"]
        with tempfile.TemporaryDirectory() as folder:
            heed("tokenize", "--train", "bpe", "--data", path, "--vocab-size", size, "--out",
                 folder)
            found = json.load(open(os.path.join(folder, "tokenizer.json"),
                                   encoding="utf-8"))["model"]
        same = [list(m) for m in found["merges"]] == [list(m) for m in expected["merges"]
                                                      ] and found["vocab"] == expected["vocab"]
        print(
            f"training on {path}, vocabulary {size}: {len(expected['merges'])} merges "
            f"{'equal' if same else 'DIFFER'}", flush=True)
        good = good and same
    return good


def measure(folder):
    kinds = {
        "one letter": "a", "blanks": " ", "combining marks": "\u0301", "digits": "7", "line "
        "ends": "\n", "mixed": "It's 7 o'clock, naïve café!\n  你好 "
    }
    for name, unit in kinds.items():
        seconds = []
        for size in [1_000_000, 10_000_000]:
            with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
                json.dump({"text": unit * (size // len(unit.encode()))}, file, ensure_ascii=False)
                file.flush()
                begin = time.perf_counter()
                subprocess.run([HEED, "tokenize", "-m", folder, "--jsonl", file.name], check=True,
                               stdout=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - begin)
        print(
            f"{os.path.basename(folder):22} {name:16} 1 MB {seconds[0]:6.2f} s, 10 MB "
            f"{seconds[1]:6.2f} s", flush=True)


def main():
    global HEED
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--heed", default=HEED)
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--train", nargs="*", default=[],
                        help="text files to train vocabularies on")
    options = parser.parse_args()
    HEED = options.heed
    good = all(
        [check(folder.rstrip("/"), options.texts, options.seed) for folder in options.folders])
    for path in options.train:
        good = check_training(path, [300, 1000, 5000]) and good
        with tempfile.TemporaryDirectory() as scratch:
            for kind in ["char", "bpe"]:
                for flags in [[], ["--sentence-ends"], ["--masking"]]:
                    folder = os.path.join(scratch, kind + "".join(flags))
                    heed("tokenize", "--train", kind, "--data", path, "--vocab-size",
                         0 if kind == "char" else 700, "--out", folder, *flags)
                    good = check(folder, options.texts, options.seed) and good
                    if options.time and not flags:
                        measure(folder)
    if options.time:
        for folder in options.folders:
            measure(folder.rstrip("/"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
