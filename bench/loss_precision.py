#!/usr/bin/env python3
"""Loss curves of one training in f32 and with bf16 operands (`--bf16`: f32 master weights, sums
in f32), several seeds each: is bf16 within the noise?

    bench/loss_precision.py [--heed build/release/heed] [--steps 2000] [--seeds 3] [--threads 2]
    [--runs build/loss_precision] [--chart FILE.svg]

The training is nanoGPT's configuration for a CPU (4 layers of 128, context 64, 12 rows) on
share/shakespeare. Runs that are in --runs already are not run again. Prints the validation loss
of every seed and precision at each evaluation, in nats per character, with two figures beside
it: how far bf16 is from f32 with the same seed (mean of the seeds), and how far the seeds of f32
are from each other (standard deviation). Needs nothing but Python."""
import argparse, json, os, statistics, subprocess, sys

import chart

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = os.path.join(os.path.dirname(HERE), "share", "shakespeare")
PRECISIONS = {"f32": [], "bf16": ["--bf16"]}
COLOURS = {"f32": chart.FLOOR, "bf16": chart.BELOW}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 900, 420, 60, 20, 78, 44


def train(given, precision, seed):
    """The log of a run, made if it is not there."""
    folder = os.path.join(given.runs, f"{precision}-{seed}")
    log = os.path.join(folder, "log.jsonl")
    lines = [json.loads(line) for line in open(log)] if os.path.exists(log) else []
    if not lines or lines[-1]["step"] != given.steps:
        command = [
            given.heed, "train", "--data", f"{TEXTS}/train.txt", "--valid", f"{TEXTS}/valid.txt",
            "--out", folder, "--tokenizer", "char", "--layers", 4, "--d-model", 128, "--heads", 4,
            "--context", 64, "--batch-size", 12, "--max-steps", given.steps, "--learning-rate",
            "1e-3", "--adam-beta2", 0.99, "--warmup-steps", 100, "--eval-steps",
            max(given.steps // 8,
                1), "--save-steps", 0, "--seed", seed, "-t", given.threads, "--quiet"
        ]
        subprocess.run([str(part) for part in command + PRECISIONS[precision]], check=True)
        lines = [json.loads(line) for line in open(log)]
    return lines


def smoothed(lines, window=50):
    """(step, mean training loss of the last `window` updates), from the first whole window on."""
    losses = [(line["step"], line["loss"]) for line in lines if "loss" in line]
    return [(losses[i][0], statistics.fmean(loss for _, loss in losses[i - window + 1:i + 1]))
            for i in range(window - 1, len(losses), 10)]


def print_table(evaluations, seeds):
    steps = [step for step, _ in evaluations["f32", seeds[0]]]
    print("| update | " + " | ".join(f"{precision}, seed {seed}" for precision in PRECISIONS
                                     for seed in seeds) + " | bf16 - f32 | seeds apart |")
    print("|---" * (len(PRECISIONS) * len(seeds) + 3) + "|")
    for i, step in enumerate(steps):
        at = {key: values[i][1] for key, values in evaluations.items()}
        apart = statistics.fmean(at["bf16", seed] - at["f32", seed] for seed in seeds)
        noise = statistics.stdev(at["f32", seed]
                                 for seed in seeds) if len(seeds) > 1 else float("nan")
        print(f"| {step} | " + " | ".join(f"{at[precision, seed]:.4f}" for precision in PRECISIONS
                                          for seed in seeds) + f" | {apart:+.4f} | {noise:.4f} |")


def draw(curves, steps, file):
    values = [loss for points in curves.values() for _, loss in points]
    low, high = int(min(values) * 5) / 5, min(max(values), 3.0)
    x = lambda step: LEFT + step / steps * (WIDTH - LEFT - RIGHT)
    y = lambda loss: TOP + (high - loss) / (high - low) * (HEIGHT - TOP - FOOT)
    parts = chart.sheet(
        WIDTH, HEIGHT, "Training in f32 and with bf16 operands",
        "nats per character, mean of 50 updates; 4 layers of 128, context 64, 12 "
        "rows; a line for each seed")
    for tick in [low + 0.2 * i for i in range(int((high - low) / 0.2) + 1)]:
        parts += [
            chart.line(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid", chart.GRID),
            chart.text(LEFT - 8,
                       y(tick) + 4, f"{tick:.1f}", 12, "quiet", "end")
        ]
    for tick in range(0, steps + 1, max(steps // 8, 1)):
        parts.append(chart.text(x(tick), HEIGHT - FOOT + 18, str(tick), 12, "quiet", "middle"))
    for (precision, _), points in curves.items():
        path = " ".join(f"{x(step):.1f},{y(min(loss, high)):.1f}" for step, loss in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[precision]}" '
                     f'stroke-width="1.2" opacity="0.8"/>')
    for i, precision in enumerate(PRECISIONS):
        parts += [
            chart.line(WIDTH - 180, TOP + 20 * i, WIDTH - 150, TOP + 20 * i, "curve",
                       COLOURS[precision], 2),
            chart.text(WIDTH - 142, TOP + 4 + 20 * i, precision)
        ]
    parts.append("</svg>")
    with open(file, "w") as out:
        out.write("\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heed", default="build/release/heed")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", default="build/loss_precision")
    parser.add_argument("--chart", metavar="FILE.svg")
    given = parser.parse_args()
    os.makedirs(given.runs, exist_ok=True)
    seeds = range(1, given.seeds + 1)
    logs = {(precision, seed): train(given, precision, seed)
            for seed in seeds
            for precision in PRECISIONS}
    print_table(
        {
            key: [(line["step"], line["eval_loss"]) for line in lines if "eval_loss" in line]
            for key, lines in logs.items()
        }, seeds)
    if given.chart:
        draw({key: smoothed(lines) for key, lines in logs.items()}, given.steps, given.chart)
        print(f"wrote {given.chart}", file=sys.stderr)


if __name__ == "__main__":
    main()
