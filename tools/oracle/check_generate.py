#!/usr/bin/env python3
"""Compares `heed generate` with transformers on random tiny models.

    python3 tools/oracle/check_generate.py [--heed build/release/heed] [--only WORD] [--trials N]

Parts: settings (penalties, n-grams, lengths, bad words, forced and suppressed ids, beams; one
prompt and several in one batch; ids and log-probabilities), texts (streaming, stop strings,
truncation, prompts beyond the context), sampling (chi-square of many draws against the exact
probabilities). Needs torch, transformers and safetensors."""
import argparse, json, math, os, random, subprocess, sys, tempfile
import torch, transformers
import check_forward as models

HEED = "build/release/heed"
TEXT = "share/shakespeare/valid.txt"


def heed(*command, expected=0):
    done = subprocess.run([HEED] + [str(part) for part in command], capture_output=True)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    if expected is not None and done.returncode != expected:
        raise SystemExit(f"heed {' '.join(str(part) for part in command)}\nends with "
                         f"{done.returncode}: {done.stderr}")
    return done


def objects(done):
    return [json.loads(line) for line in done.stdout.split("\n") if line]


BUILDERS = {
    "gpt2": models.gpt2, "llama": models.llama,
    "mistral": lambda **c: models.mistral(sliding_window=6, **c), "qwen2": models.qwen2,
    "marian": models.marian
}


# no end of sequence in config.json, which heed would take where generation_config.json names none
def special(family):
    return dict(bos_token_id=None, eos_token_id=None, pad_token_id=0,
                **({"decoder_start_token_id": 0} if family == "marian" else {}))


def make(family, seed, vocabulary, **more):
    sizes = dict(vocab_size=vocabulary,
                 decoder_vocab_size=vocabulary) if family == "marian" else dict(
                     vocab_size=vocabulary)
    cls, config = BUILDERS[family](**sizes, **special(family), **more)
    config.n_positions = getattr(config, "n_positions", 0)
    return models.make(cls, config, seed)


def save(model, folder, tokenizer, **settings):
    model.generation_config = transformers.GenerationConfig(**settings)
    model.save_pretrained(folder)
    for name in os.listdir(tokenizer):
        with open(os.path.join(tokenizer, name), "rb") as a, open(os.path.join(folder, name),
                                                                  "wb") as b:
            b.write(a.read())


def encode(folder, texts):
    lines = os.path.join(folder, "texts.jsonl")
    with open(lines, "w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    return objects(heed("tokenize", "-m", folder, "--jsonl", lines))


def passages(rng, count, longest):
    text = open(TEXT, encoding="utf-8").read()
    found = []
    while len(found) < count:
        at = rng.randrange(len(text) - 100)
        piece = " ".join(text[at:at + rng.randrange(3, longest)].split())
        if piece:
            found.append(piece)
    return found


# ---- settings ----


def draw_settings(rng, written, vocabulary, seq2seq):
    """Flags for heed, arguments for transformers, and what goes into generation_config.json."""
    flags, arguments, config = [], {}, dict(eos_token_id=rng.choice(written[2:]), pad_token_id=0)
    if seq2seq:
        config["decoder_start_token_id"] = 0

    def both(flag, name, value):
        flags.extend([flag, value])
        arguments[name] = value

    if rng.random() < .5:
        both("--repeat-penalty", "repetition_penalty", rng.choice([1.1, 1.5, 3.0, .7]))
    if rng.random() < .5:
        both("--no-repeat-ngram", "no_repeat_ngram_size", rng.choice([1, 2, 3]))
    if rng.random() < .5:
        both("--min-new-tokens", "min_new_tokens", rng.choice([3, 9, 30]))
    if rng.random() < .5:
        arguments["bad_words_ids"] = [[rng.choice(written) for _ in range(length)]
                                      for length in rng.choices([1, 1, 2, 3], k=3)]
    if rng.random() < .4:
        config["suppress_tokens"] = [
            token for token in rng.sample(written, 2) + [rng.randrange(vocabulary)]
            if token != config["eos_token_id"]
        ]
    if rng.random() < .4:
        config["begin_suppress_tokens"] = [written[0], rng.randrange(vocabulary)]
    if rng.random() < .3:
        config["forced_eos_token_id"] = config["eos_token_id"]
    if seq2seq and rng.random() < .4:
        config["forced_bos_token_id"] = rng.choice([
            token for token in range(5, vocabulary)
            if token not in config.get("suppress_tokens", [])
        ])
    if rng.random() < .35:
        both("--beams", "num_beams", rng.choice([2, 3, 5]))
        if rng.random() < .5:
            both("--length-penalty", "length_penalty", rng.choice([.3, 2.0, -1.0]))
        if rng.random() < .4:
            flags.append("--early-stopping")
            arguments["early_stopping"] = True
    return flags, arguments, config


def differences(want, got, name):
    """Log-probabilities of transformers and heed; -inf is null in JSON."""
    problems = []
    if len(want) != len(got):
        return [f"{name}: {len(got)} values, expected {len(want)}"]
    for i, (a, b) in enumerate(zip(want, got)):
        b = -math.inf if b is None else b
        if not (a == b or abs(a - b) <= 2e-5 * max(1, abs(a))):
            problems.append(f"{name} {i} is {b}, expected {a}")
    return problems[:1]


def compare_scores(model, prompt, out, found, arguments, seq2seq):
    new = out.sequences[0, 1 if seq2seq else prompt.shape[1]:]
    problems = []
    if "num_beams" not in arguments:
        want = [
            torch.log_softmax(score[0].double(), -1)[token].item()
            for score, token in zip(out.scores, new)
        ]
        problems += differences(want, [t["logprob"] for t in found["tokens"]], "log-probability")
    if not seq2seq:
        rows = torch.log_softmax(model(prompt).logits[0].double(), -1)
        want = [math.nan] + [rows[i, prompt[0, i + 1]].item() for i in range(prompt.shape[1] - 1)]
        problems += differences(want[1:], [t["logprob"] for t in found["prompt_tokens"]][1:],
                                "prompt log-probability")
    return problems


def settings_trial(rng, family, tokenizer, vocabulary, folder):
    model, seq2seq = make(family, rng.randrange(1 << 30), vocabulary), family == "marian"
    save(model, folder, tokenizer, pad_token_id=0, eos_token_id=None,
         **({"decoder_start_token_id": 0} if seq2seq else {}))
    texts = passages(rng, 4, 20)
    prompts = [torch.tensor([ids]) for ids in encode(folder, texts)]
    skip = lambda p: 1 if seq2seq else p.shape[1]
    written = model.generate(prompts[0], max_new_tokens=12,
                             do_sample=False)[0, skip(prompts[0]):].tolist()
    flags, arguments, config = draw_settings(rng, written, vocabulary, seq2seq)
    save(model, folder, tokenizer, **config)
    if "bad_words_ids" in arguments:
        flags += ["--bad-words", os.path.join(folder, "bad.txt")]
        with open(flags[-1], "w") as file:
            file.writelines(json.dumps(words) + "\n" for words in arguments["bad_words_ids"])
    lines = os.path.join(folder, "prompts.txt")
    with open(lines, "w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in texts)
    wanted = [
        model.generate(p, max_new_tokens=14, do_sample=False, return_dict_in_generate=True,
                       output_scores=True, **arguments) for p in prompts
    ]
    problems = []
    usual = ["generate", "-m", folder, "-n", 14, "--temp", 0, *flags]
    several = objects(heed(*usual, "--file", lines, "--logprobs", 0))
    one = objects(
        heed(*usual, "--prompt-ids", ",".join(str(i) for i in prompts[0][0].tolist()), "--logprobs",
             0))
    for i, (prompt, out) in enumerate(zip(prompts, wanted)):
        ids = out.sequences[0, skip(prompt):].tolist()
        if several[i]["ids"] != ids:
            problems.append(f"prompt {i}: {several[i]['ids']}, expected {ids}")
        else:
            problems += compare_scores(model, prompt, out, several[i], arguments, seq2seq)
    if (one[0]["ids"], one[0]["tokens"]) != (several[0]["ids"], several[0]["tokens"]):
        problems.append("a prompt alone and among others differ")
    return [f"{flags} {arguments} {config}: {p}" for p in problems]


# ---- texts ----


def complete_first(text, stops):
    """Where the text is cut: before the stop string that is complete first, of several the
    longest."""
    end, start = min((text.find(s) + len(s), text.find(s)) for s in stops)
    return len(text[:start].decode())


def text_trial(rng, family, tokenizer, vocabulary, folder):
    context = {"gpt2": dict(n_positions=32),
               "marian": dict(max_position_embeddings=32)}.get(family,
                                                               dict(max_position_embeddings=32))
    model, seq2seq, problems = make(family, rng.randrange(1 << 30), vocabulary,
                                    **context), family == "marian", []
    save(model, folder, tokenizer, pad_token_id=0, eos_token_id=None,
         **({"decoder_start_token_id": 0} if seq2seq else {}))
    prompt = passages(rng, 1, 12)[0]
    usual = ["generate", "-m", folder, "--temp", 0]
    whole = objects(heed(*usual, "-p", prompt, "-n", 16, "--json"))[0]
    if heed(*usual, "-p", prompt, "-n", 16).stdout != whole["text"] + "\n":
        problems.append("streaming and not streaming differ")
    for _ in range(6):
        text = whole["text"]
        at = rng.randrange(len(text) - 1)
        stops = [text[at:at + rng.randrange(1, 6)], text[-2:]]
        stops = [s for s in stops if "\n" not in s and s.strip() == s and s]
        if not stops:
            continue
        first = complete_first(text.encode(), [s.encode() for s in stops])
        found = objects(heed(*usual, "-p", prompt, "-n", 16, "--json", "--stop", *stops))[0]
        if found["text"] != text[:first] or found["finish"] != "stop":
            problems.append(f"stops {stops}: {found['text']!r}, expected {text[:first]!r}")
        if heed(*usual, "-p", prompt, "-n", 16, "--stop", *stops).stdout != text[:first] + "\n":
            problems.append(f"stops {stops}: streamed text differs")
    long = [rng.randrange(5, vocabulary) for _ in range(45)]
    given = ["--prompt-ids", ",".join(str(i) for i in long), "--ids"]
    refused = heed(*usual, *given, "-n", 4, expected=1)
    if "32" not in refused.stderr or "--truncate" not in refused.stderr:
        problems.append(f"a prompt beyond the context: {refused.stderr}")
    cut = heed(*usual, *given, "-n", 4, "--truncate")
    kept = int(__import__("re").search(r"its first (\d+) tokens", cut.stderr).group(1))
    expected = model.generate(torch.tensor([long[kept:]]), max_new_tokens=4,
                              do_sample=False)[0, 1 if seq2seq else len(long) - kept:].tolist()
    if json.loads(cut.stdout) != expected:
        problems.append(f"truncated to {len(long) - kept}: {cut.stdout}, expected {expected}")
    return problems


# ---- sampling ----


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
    """Written down from the definitions: temperature, the K likeliest, the fewest with P
    together, those above min_p of the likeliest."""
    scores = logits.double() / temperature
    p = torch.softmax(scores, -1)
    if top_k:
        p = torch.where(p < p.sort(descending=True).values[top_k - 1], 0, p)
        p = p / p.sum()
    if top_p < 1:
        order = p.argsort(descending=True)
        before = p[order].cumsum(0) - p[order]
        p[order[before >= top_p]] = 0
        p = p / p.sum()
    if min_p > 0:
        p = torch.where(p < min_p * p.max(), 0, p)
        p = p / p.sum()
    return p


def chi_square(counts, probabilities, draws):
    """Cells with less than 5 expected are joined. Returns the p-value, 0 when something
    impossible was drawn."""
    if any(counts[i] for i in range(len(counts)) if probabilities[i] == 0):
        return 0.0
    cells = [(counts[i], probabilities[i] * draws) for i in range(len(counts))
             if probabilities[i] > 0]
    small = [c for c in cells if c[1] < 5]
    cells = [c for c in cells if c[1] >= 5] + ([(sum(c[0] for c in small), sum(
        c[1] for c in small))] if small else [])
    statistic = sum((found - expected)**2 / expected for found, expected in cells if expected > 0)
    freedom = len(cells) - 1
    return 1.0 if freedom < 1 else torch.special.gammaincc(
        torch.tensor(freedom /
                     2, dtype=torch.float64), torch.tensor(statistic /
                                                           2, dtype=torch.float64)).item()


def sampling_trial(rng, family, tokenizer, vocabulary, folder):
    model, seq2seq, draws, results = make(family, rng.randrange(1 << 30),
                                          vocabulary), family == "marian", 3000, []
    save(model, folder, tokenizer, pad_token_id=0, eos_token_id=None,
         **({"decoder_start_token_id": 0} if seq2seq else {}))
    prompt = [rng.randrange(5, vocabulary) for _ in range(7)]
    x = torch.tensor([prompt])

    def logits(written):
        if seq2seq:
            return model(x, decoder_input_ids=torch.tensor([[0] + written])).logits[0, -1]
        return model(torch.tensor([prompt + written])).logits[0, -1]

    problems = []
    for settings in [
            dict(temperature=.5),
            dict(temperature=2.0),
            dict(top_k=5),
            dict(top_p=.7),
            dict(min_p=.1),
            dict(temperature=1.5, top_k=20, top_p=.9, min_p=.05)
    ]:
        flags = ["--temp", settings.get("temperature", 1.0)]
        for name, off in [("top_k", 0), ("top_p", 1.0), ("min_p", 0.0)]:
            flags += ["--" + name.replace("_", "-"), settings.get(name, off)]
        done = heed("generate", "-m", folder, "--prompt-ids", ",".join(map(str, prompt)), "-n", 2,
                    "--num-return", draws, "--seed", rng.randrange(1 << 30), "--ids", *flags)
        drawn = objects(done)
        counts = [0] * vocabulary
        for ids in drawn:
            counts[ids[0]] += 1
        with torch.no_grad():
            p = distribution(logits([]), **settings)
            value = chi_square(counts, p.tolist(), draws)
            likeliest = int(torch.tensor(counts).argmax())
            following = [ids[1] for ids in drawn if ids[0] == likeliest]
            counts = [0] * vocabulary
            for token in following:
                counts[token] += 1
            second = chi_square(counts,
                                distribution(logits([likeliest]), **settings).tolist(),
                                len(following))
        results += [value, second]
        if min(value, second) < 1e-5:
            problems.append(f"{settings}: p-values {value:.2g} and, of the second token, "
                            f"{second:.2g}")
    return problems, results


def main():
    global HEED
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default=HEED)
    parser.add_argument("--only", default="")
    parser.add_argument("--trials", type=int, default=8, help="models of each family and part")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    HEED, failed, values = options.heed, 0, []
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        tokenizers = {}
        for name, flags in [("plain", []), ("ends", ["--sentence-ends"])]:
            tokenizers[name] = os.path.join(scratch, name)
            heed("tokenize", "--train", "bpe", "--data", TEXT, "--vocab-size", 300, "--out",
                 tokenizers[name], *flags)
        for part, trial in [("settings", settings_trial), ("texts", text_trial),
                            ("sampling", sampling_trial)]:
            good = total = 0
            for family in BUILDERS:
                for number in range(options.trials if part !=
                                    "sampling" else max(1, options.trials // 8)):
                    label = f"{part} {family} {number}"
                    if options.only not in label:
                        continue
                    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
                        problems = trial(random.Random(f"{options.seed} {label}"), family,
                                         tokenizers["ends" if family == "marian" else "plain"], 300,
                                         folder)
                    if part == "sampling":
                        problems, found = problems
                        values += found
                    for problem in problems[:2]:
                        print(f"FAILED {label}: {problem}", flush=True)
                    good, total = good + (not problems), total + 1
            failed += total - good
            print(
                f"{part}: {good} of {total} agree" +
                (f"; {len(values)} p-values, smallest "
                 f"{min(values):.2g}" if part == "sampling" and values else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
