#!/usr/bin/env python3
"""FSMT's tokenizer, hostile random text and random ids, against transformers and sacremoses, for
every pair of its languages.

    python3 tools/oracle/check_moses.py FOLDER [--heed build/release/heed] [--texts 500]
        [--seed 1]

FOLDER holds vocab-src.json, vocab-tgt.json, merges.txt and tokenizer_config.json. Half of the
pairs get another vocabulary to decode by, and merges whose result no vocabulary holds.
Characters that came after Python's Unicode are left out. Needs transformers and sacremoses."""
import argparse, json, os, random, sys, tempfile, unicodedata
import check_tokenizers
from check_tokenizers import heed, hostile, write
from transformers.models.fsmt.tokenization_fsmt import FSMTTokenizer

WORDS = [
    "Mr.", "No. 5", "No. x", "z.B. das", "d.h.", "5. Mai", "usw.", "в 1990г. он", "XXвв. и", "руб.",
    "e.g.", "U.S.A.", "etc..", "a.b.", "...", "....", "3,5", "a,b", ",,", "don't", "'tis",
    "rock'n'roll", "1990's", "l'eau", "\"x\"", "„Ja“,", "»so«", "\u00a0:", "5\u00a0000", "5 %",
    "( a )", ") .", "foo-bar", "a-b-c", "--", "``x''", "Straße.", "Ende. klein", "Ende. Groß", ".'",
    "<b>", "&amp;", "[x|y]", "x_y@z.de", "你好。", "１２", "James' horse", "'s", "$5", "¿que?", "¡ay!",
    "@-@", "&#124;", "\" \" \"", "' '", "„", "“"
]


def words(rng):
    return "".join(
        rng.choice(WORDS) + rng.choice([" ", " ", " ", "", "  ", "\u00a0"])
        for _ in range(rng.randrange(1, 14)))


def vary(folder, out, languages, rng, lower):
    """A folder for these languages; for half of them ids mean other tokens to the target, and a
    few tokens are gone."""
    config = json.load(open(os.path.join(folder, "tokenizer_config.json")))
    config.update(langs=list(languages), do_lower_case=lower)
    source, merges = json.load(open(os.path.join(folder, "vocab-src.json"))), open(
        os.path.join(folder, "merges.txt")).read()
    target = dict(source)
    if rng.random() < .5:
        kept = [token for token in source if not token.startswith("<")]
        moved = kept[:]
        rng.shuffle(moved)
        target.update({token: source[other] for token, other in zip(kept, moved)})
        results = [
            "".join(line.split()[:2]) for line in merges.splitlines() if len(line.split()) >= 2
        ]
        for token in rng.sample([token for token in results if token in source], 2):
            del source[token]
    json.dump(config, open(os.path.join(out, "tokenizer_config.json"), "w"))
    json.dump(source, open(os.path.join(out, "vocab-src.json"), "w"))
    json.dump(target, open(os.path.join(out, "vocab-tgt.json"), "w"))
    open(os.path.join(out, "merges.txt"), "w").write(merges)
    return max(target.values()) + 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    check_tokenizers.HEED = options.heed
    failed = 0
    for languages in [("en", "de"), ("de", "en"), ("en", "ru"), ("ru", "en"), ("de", "ru")]:
        rng = random.Random(f"{options.seed} {languages}")
        with tempfile.TemporaryDirectory() as out:
            limit = vary(options.folder, out, languages, rng, lower=languages == ("de", "ru"))
            theirs = FSMTTokenizer.from_pretrained(out)
            texts = [rng.choice([hostile, words])(rng) for _ in range(options.texts)]
            texts = [
                "".join(c for c in text if unicodedata.category(c) != "Cn" and c != "Σ")
                for text in texts
            ]
            lines = os.path.join(out, "lines.jsonl")
            write(lines, [{"text": text} for text in texts])
            wrong = [(text, found, want)
                     for text, found in zip(texts, heed("tokenize", "-m", out, "--jsonl", lines))
                     for want in [theirs(text)["input_ids"]] if found != want]
            lists = [theirs(text)["input_ids"]
                     for text in texts] + [[rng.randrange(limit) for _ in range(rng.randrange(14))]
                                           for _ in texts]
            lists = [[i for i in ids if i in theirs.decoder] for ids in lists]
            write(lines, [{"ids": ids} for ids in lists])
            for skip in (True, False):
                decoded = heed("tokenize", "-m", out, "--jsonl", lines, "--decode",
                               *(["--skip-special"] if skip else []))
                wrong += [(ids, found, want) for ids, found in zip(lists, decoded)
                          for want in [theirs.decode(ids, skip_special_tokens=skip)]
                          if found != want]
        failed += len(wrong)
        for case in wrong[:4]:
            print("  ", *map(repr, case), sep="\n    ")
        print(
            f"{languages[0]}-{languages[1]}: {len(texts)} texts, {2 * len(lists)} decodings, "
            f"{len(wrong)} mismatches", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
