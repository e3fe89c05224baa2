#!/usr/bin/env python3
"""Compares `heed train` with PyTorch, update by update, on random tiny models.

    python3 tools/oracle/check_training.py [--heed build/release/heed] [--only WORD]

Every update reads the whole of a small data set, so that its order does not matter; where an
epoch of causal training begins is drawn by heed, and here every beginning is tried until the
loss is heed's. Then loss, gradient norm and learning rate of each update, the loss on validation
data and the final weights must be PyTorch's, with transformers' models and schedules. Also:
RUN/average is the mean of the last checkpoints, accumulated gradients are those of the large
batch, gradient checkpointing gives the same updates. Needs torch, transformers and safetensors."""
import argparse, json, math, os, random, struct, subprocess, sys, tempfile
import torch, transformers
from safetensors.torch import load_file
import check_forward as models

HEED, TEXT, END = "build/release/heed", "share/shakespeare/valid.txt", 2


def heed(*command):
    done = subprocess.run([HEED] + [str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"heed {' '.join(map(str, command))}\nends with {done.returncode}: "
                         f"{done.stderr}")


# ---- what heed's rows hold ----


def causal_sequences(documents, length, shift):
    """Rows of `length` tokens from `shift` on, round the end; pieces of texts within a row are
    sequences; every token but a text's last predicts the next."""
    stream = [token for document in documents for token in document]
    ends, at = [], 0
    for document in documents:
        at += len(document)
        ends.append(at)
    found, at, stop = [], shift, shift + len(stream)
    while at < stop:
        row_stop = min(at + length, stop)
        while at < row_stop:
            begin = at % len(stream)
            end = next(e for e in ends if e > begin)
            count = min(end - begin, row_stop - at)
            inputs = stream[begin:begin + count]
            if begin + count == end:
                inputs = inputs[:-1]
            if inputs:
                found.append((inputs, stream[begin + 1:begin + 1 + len(inputs)]))
            at += count
    return found


def causal_loss(model, sequences, smoothing=0.0):
    total, labels = 0, 0
    for ids, targets in sequences:
        logits = model(torch.tensor([ids])).logits[0]
        total = total + torch.nn.functional.cross_entropy(
            logits, torch.tensor(targets), reduction="sum", label_smoothing=smoothing)
        labels += len(targets)
    return total / labels


def pair_loss(model, pairs, smoothing=0.0):
    total, labels = 0, 0
    for source, target in pairs:
        start = model.config.decoder_start_token_id
        logits = model(input_ids=torch.tensor([source]),
                       decoder_input_ids=torch.tensor([[start] + target[:-1]])).logits[0]
        total = total + torch.nn.functional.cross_entropy(
            logits, torch.tensor(target), reduction="sum", label_smoothing=smoothing)
        labels += len(target)
    return total / labels


# ---- update rules ----


def optimizer_of(model, flags):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    decay = flags.get("--weight-decay", .1 if flags["--optimizer"] == "adamw" else 0.)
    groups = [{"params": matrices, "weight_decay": decay},
              {"params": vectors, "weight_decay": decay if "--decay-all" in flags else 0.}]
    betas = (flags.get("--adam-beta1",
                       .9), flags.get("--adam-beta2", .95 if flags["kind"] == "clm" else .999))
    if flags["--optimizer"] == "sgd":
        return torch.optim.SGD(groups, lr=1, momentum=flags.get("--momentum", 0.),
                               nesterov="--nesterov" in flags)
    return {"adamw": torch.optim.AdamW,
            "adam": torch.optim.Adam}[flags["--optimizer"]](groups, lr=1, betas=betas, eps=1e-8)


def rates(flags, steps):
    """transformers' schedule over a rate of 1."""
    dummy = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=flags["--learning-rate"])
    scheduler = transformers.get_scheduler(flags["--lr-scheduler-type"], dummy,
                                           num_warmup_steps=flags.get("--warmup-steps",
                                                                      0), num_training_steps=steps)
    found = []
    for _ in range(steps):
        found.append(dummy.param_groups[0]["lr"])
        dummy.step()
        scheduler.step()
    return found


def arguments_of(flags):
    found = []
    for name, value in flags.items():
        if name.startswith("--"):
            found += [name] if value is True else [name, value]
    return found


def close(what, found, expected, tolerance, problems):
    if not abs(found - expected) <= tolerance * max(abs(expected), 1e-3):
        problems.append(f"{what} is {found}, expected {expected}")


def follow(model, log, steps, candidates, loss_of, flags):
    """Repeats heed's updates; returns problems."""
    optimizer, problems, planned = optimizer_of(model, flags), [], rates(flags, steps)
    for step in range(steps):
        line = log[step]
        with torch.no_grad():
            best = min(
                candidates, key=lambda data: abs(
                    loss_of(model, data, flags.get("--label-smoothing", 0.)).item() - line["loss"]))
        optimizer.zero_grad()
        loss = loss_of(model, best, flags.get("--label-smoothing", 0.))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(),
                                              flags.get("--max-grad-norm", 1.0) or math.inf)
        close(f"loss of update {step + 1}", line["loss"], loss.item(), 2e-5, problems)
        close(f"gradient norm of update {step + 1}", line["grad_norm"], norm.item(), 1e-4, problems)
        close(f"rate of update {step + 1}", line["lr"], planned[step], 1e-6, problems)
        for group in optimizer.param_groups:
            group["lr"] = line["lr"]
        optimizer.step()
        if problems:
            break
    return problems


def compare_weights(model, folder, tolerance):
    disk, problems = load_file(os.path.join(folder, "model.safetensors")), []
    for name, p in model.named_parameters():
        if name in disk and not (disk[name] -
                                 p).abs().max().item() <= tolerance * p.abs().max().item():
            problems.append(f"{name} is off by {(disk[name] - p).abs().max().item():.2g}")
    return problems


# ---- trials ----


def causal_trial(build, flags, steps, folder, seed):
    cls, config = build(eos_token_id=END, bos_token_id=1, pad_token_id=0)
    model, rng = models.make(cls, config, seed), random.Random(seed)
    init, run, data = (os.path.join(folder, name) for name in ["init", "run", "data.bin"])
    model.save_pretrained(init)
    documents = [[rng.randrange(3, 61) for _ in range(rng.randrange(1, 19))] + [END]
                 for _ in range(7)]
    with open(data, "wb") as file:
        file.write(
            struct.pack(f"<{sum(map(len, documents))}H",
                        *[token for document in documents for token in document]))
    flags = dict(flags, kind="clm")
    heed("train", "--init", init, "--data", data, "--valid", data, "--out", run, "--context", 16,
         "--batch-size", 64, "--max-steps", steps, "--eval-steps", steps, "--dropout", 0, "-q",
         *arguments_of(flags))
    log = [json.loads(line) for line in open(os.path.join(run, "log.jsonl"))]
    problems = follow(model, log, steps,
                      [causal_sequences(documents, 16, shift) for shift in range(16)], causal_loss,
                      flags)
    with torch.no_grad():
        close("loss on validation data", log[-1]["eval_loss"],
              causal_loss(model, causal_sequences(documents, 16, 0)).item(), 1e-4, problems)
    return problems + (compare_weights(model, run, 2e-5) if flags["--optimizer"] == "sgd" else [])


def pair_trial(flags, steps, folder, seed):
    tokenizer = os.path.join(folder, "tokenizer")
    heed("tokenize", "--train", "bpe", "--data", TEXT, "--vocab-size", 300, "--out", tokenizer,
         "--sentence-ends")
    cls, config = models.marian(vocab_size=300, decoder_vocab_size=300, pad_token_id=0,
                                decoder_start_token_id=0, eos_token_id=1)
    model, rng = models.make(cls, config, seed), random.Random(seed)
    init, run, data = (os.path.join(folder, name) for name in ["init", "run", "data.tsv"])
    model.save_pretrained(init)
    for name in os.listdir(tokenizer):
        with open(os.path.join(tokenizer, name), "rb") as a, open(os.path.join(init, name),
                                                                  "wb") as b:
            b.write(a.read())
    words = open(TEXT, encoding="utf-8").read().split()
    texts = [(" ".join(rng.sample(words, rng.randrange(1, 5))),
              " ".join(rng.sample(words, rng.randrange(1, 6)))) for _ in range(6)]
    with open(data, "w", encoding="utf-8") as file:
        file.writelines(f"{a}\t{b}\n" for a, b in texts)
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(tokenizer)
    pairs = [(theirs(a)["input_ids"], theirs(b)["input_ids"]) for a, b in texts]
    flags = dict(flags, kind="seq2seq")
    heed("train", "--init", init, "--data", data, "--valid", data, "--out", run, "--batch-size", 6,
         "--max-steps", steps, "--eval-steps", steps, "--dropout", 0, "-q", *arguments_of(flags))
    log = [json.loads(line) for line in open(os.path.join(run, "log.jsonl"))]
    problems = follow(model, log, steps, [pairs], pair_loss, flags)
    with torch.no_grad():
        close("loss on validation data", log[-1]["eval_loss"],
              pair_loss(model, pairs).item(), 1e-4, problems)
    return problems + (compare_weights(model, run, 2e-5) if flags["--optimizer"] == "sgd" else [])


def same_runs(label, one, other, tolerance):
    a, b = load_file(os.path.join(one, "model.safetensors")), load_file(
        os.path.join(other, "model.safetensors"))
    return [
        f"{label}: {name} differs by {(a[name] - b[name]).abs().max().item():.2g}" for name in a
        if not (a[name] - b[name]).abs().max() <= tolerance * a[name].abs().max()
    ]


def laws_trial(folder, seed):
    usual = [
        "train", "--data", TEXT, "--layers", 3, "--d-model", 32, "--heads", 2, "--context", 16,
        "--max-steps", 9, "--optimizer", "sgd", "--seed", seed, "-q"
    ]
    runs = {name: os.path.join(folder, name) for name in ["plain", "accumulated", "checkpointed"]}
    heed(*usual, "--out", runs["plain"], "--batch-size", 8, "--save-steps", 2, "--average-last", 3,
         "--save-total-limit", 0)
    heed(*usual, "--out", runs["accumulated"], "--batch-size", 2, "--gradient-accumulation-steps",
         4)
    heed(*usual, "--out", runs["checkpointed"], "--batch-size", 8, "--gradient-checkpointing")
    problems = same_runs("accumulation", runs["plain"], runs["accumulated"], 1e-5) + same_runs(
        "checkpointing", runs["plain"], runs["checkpointed"], 1e-6)
    steps = sorted(
        int(name.split("-")[1]) for name in os.listdir(runs["plain"])
        if name.startswith("checkpoint-"))[-3:]
    last = [
        load_file(os.path.join(runs["plain"], f"checkpoint-{step}", "model.safetensors"))
        for step in steps
    ]
    mean = load_file(os.path.join(runs["plain"], "average", "model.safetensors"))
    for name, found in mean.items():
        expected = sum(part[name].double() for part in last) / len(last)
        if (found - expected).abs().max() > 1e-7 * expected.abs().max():
            problems.append(f"average of {steps}: {name} is off by "
                            f"{(found - expected).abs().max().item():.2g}")
    return problems


def trials():
    adamw = {
        "--optimizer": "adamw", "--learning-rate": 3e-3, "--lr-scheduler-type": "cosine",
        "--warmup-steps": 2
    }
    sgd = {
        "--optimizer": "sgd", "--learning-rate": .05, "--lr-scheduler-type": "linear",
        "--warmup-steps": 0, "--momentum": .9
    }
    for name, build in [
        ("gpt2", models.gpt2),
        ("gpt2 untied", lambda **c: models.gpt2(tie_word_embeddings=False, **c)),
        ("llama", models.llama),
        ("llama tied",
         lambda **c: models.llama(tie_word_embeddings=True, attention_bias=True, mlp_bias=True, **c)
         ), ("mistral", lambda **c: models.mistral(sliding_window=4, **c)), ("qwen2", models.qwen2)
    ]:
        yield f"{name} adamw", lambda f, s, build=build: causal_trial(build, adamw, 6, f, s)
        yield f"{name} sgd, nesterov, clipped", lambda f, s, build=build: causal_trial(
            build, dict(sgd, **{"--nesterov": True, "--max-grad-norm": .3}), 6, f, s)
        yield f"{name} adam, smoothed, not clipped", lambda f, s, build=build: causal_trial(
            build,
            dict(
                adamw, **{
                    "--optimizer": "adam", "--label-smoothing": .1, "--max-grad-norm": 0,
                    "--weight-decay": .05, "--decay-all": True
                }), 6, f, s)
    for label, more in [("adamw", adamw),
                        ("adamw, smoothed", dict(adamw, **{"--label-smoothing": .1})), ("sgd", sgd),
                        ("inverse square root",
                         dict(adamw, **{"--lr-scheduler-type": "inverse_sqrt"}))]:
        yield f"marian {label}", lambda f, s, more=more: pair_trial(more, 8, f, s)
    yield "accumulation, checkpointing, average", laws_trial


def main():
    global HEED
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--heed", default=HEED)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    HEED, failed, total = options.heed, 0, 0
    torch.set_num_threads(1)
    for number, (label, trial) in enumerate(trials()):
        if options.only not in label:
            continue
        with tempfile.TemporaryDirectory() as folder:
            problems = trial(folder, number + 1)
        total, failed = total + 1, failed + bool(problems)
        if problems:
            print(f"FAILED {label}: " + "; ".join(problems[:3]), flush=True)
    print(f"{total - failed} of {total} trainings agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
