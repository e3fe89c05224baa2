#!/usr/bin/env python3
"""How long a command of heed works on after Ctrl-C.

usage: interrupt.py HEED CONFIG.json TEXT [--moments N]

CONFIG.json describes a decoder (a model with random weights is made from it), TEXT is a file of a
few megabytes. Each case is started N times; SIGINT comes at N moments spread evenly over its first
seconds. One line for each case: the median and the largest time in ms from the signal to the end of
the process. The end of a training includes the writing of its checkpoint."""
import argparse
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

SPAN = 6.0  # seconds from the start in which signals come


def cases(heed, model, text, work):
    ids = ",".join(str(7 + i % 400) for i in range(4000))
    run = os.path.join(work, "run")
    train = [heed, "train", "--data", text, "--out", run, "--max-steps", "100000"]
    return [
        ("generate, long prompt", [heed, "generate", "-m", model, "--prompt-ids", ids, "-n", "9"]),
        ("generate, writing", [heed, "generate", "-m", model, "--prompt-ids", "7,8,9", "--ids"]),
        ("bench, reading", [heed, "bench", "-m", model, "-p", "4000"]),
        ("train, characters", train + ["--layers", "4", "--d-model", "256", "--batch-size", "32"]),
        ("train, wide", train + ["--layers", "2", "--d-model", "1024", "--context", "512"]),
        ("convert",
         [heed, "convert", model, "--out",
          os.path.join(work, "x.gguf"), "--dtype", "q4_k"]),
    ]


def wait_until_running(process):
    """The program sets its signals up within a few ms; before that Python's child may still
    exec."""
    time.sleep(0.05)
    return process.poll() is None


def latency(command, moment):
    """Milliseconds from SIGINT at `moment` to the end; None when the command ended before."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        if not wait_until_running(process):
            return None
        time.sleep(moment)
        if process.poll() is not None:
            return None
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait()
        return 1000 * (time.monotonic() - begin)


def measure(command, moments, work):
    found = []
    for i in range(moments):
        shutil.rmtree(os.path.join(work, "run"), ignore_errors=True)
        value = latency(command, SPAN * i / moments)
        if value is not None:
            found.append(value)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("heed")
    parser.add_argument("config")
    parser.add_argument("text")
    parser.add_argument("--moments", type=int, default=12)
    options = parser.parse_args()
    heed = os.path.abspath(options.heed)
    with tempfile.TemporaryDirectory() as work:
        model = os.path.join(work, "model")
        subprocess.run([heed, "convert", "--random", options.config, "--out", model], check=True)
        print(f"{'case':24} {'median ms':>10} {'largest ms':>10} {'times':>6}")
        for name, command in cases(heed, model, options.text, work):
            found = measure(command, options.moments, work)
            if found:
                print(
                    f"{name:24} {statistics.median(found):10.0f} {max(found):10.0f} "
                    f"{len(found):6}", flush=True)
            else:
                print(f"{name:24} ended before any signal", flush=True)


if __name__ == "__main__":
    main()
