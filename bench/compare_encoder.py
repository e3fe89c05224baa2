#!/usr/bin/env python3
"""all-MiniLM-L6-v2 (BERT, 6 layers of 384) beside PyTorch in f32 and beside onnxruntime at the
fastest precision of each side.

    bench/compare_encoder.py [--only PATH...] [--rounds 5] [--threads 2] [--build build/release]
    [--json FILE]

PyTorch runs eager and compiled, and counts with the better; mixed lengths are padded there and
ragged here, padding is not counted. Outputs: last hidden states at tokens, within 1e-5 of the
largest. Where precision is free, a side may round weights and activations as long as the mean of
each sequence's hidden states keeps a cosine of 0.9995 with PyTorch's in f32: onnxruntime in f32
and with its dynamic quantization to int8, heed with weights as they are, with weights and
operands in bf16, and in blocks of 8 bits."""
import os, subprocess, tempfile
import rounds
from rounds import Row, Worker, interleave

HERE = os.path.dirname(os.path.abspath(__file__))
COSINE = 0.9995


def folder_of(setup):
    return os.path.join(setup.real, "minilm")


def peer(setup, kind, batch, shortest, longest, *flags):
    command = [
        setup.python,
        os.path.join(HERE, "peer_encoder.py"), kind,
        folder_of(setup), "--threads", setup.threads, "--made", setup.made
    ]
    return Worker(
        command + ["--batch", batch, "--shortest", shortest, "--longest", longest, *flags],
        setup.threads)


def ours(setup, batch, shortest, longest, *flags):
    command = [setup.heed, "bench", "-m", folder_of(setup), "--on-request", "-t", setup.threads]
    return Worker(command + ["--batch", batch, "--lengths", f"{shortest}-{longest}", *flags],
                  setup.threads)


def hidden_of_heed(setup, inputs, *flags):
    from safetensors.numpy import load_file, save_file
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: value
                   for name, value in inputs.items() if name.startswith("in.")},
                  f"{folder}/in.safetensors")
        command = [
            setup.heed, "forward",
            folder_of(setup), "--in", f"{folder}/in.safetensors", "--out",
            f"{folder}/out.safetensors", *flags
        ]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return load_file(f"{folder}/out.safetensors")["out.last_hidden_state"]


def outputs_of(worker):
    from safetensors.numpy import load_file
    with tempfile.TemporaryDirectory() as folder:
        worker.ask(outputs_file=f"{folder}/out.safetensors")
        return load_file(f"{folder}/out.safetensors")


def means(hidden, mask):
    weights = mask[:, :, None].astype(float)
    return (hidden * weights).sum(1) / weights.sum(1)


def least_cosine(a, b, mask):
    import numpy as np
    x, y = means(a, mask), means(b, mask)
    return float(((x * y).sum(1) / np.sqrt((x * x).sum(1) * (y * y).sum(1))).min())


def close_all(workers):
    for worker in workers:
        worker.close()


def share(setup, row, rate, batch, longest):
    speed = rounds.heed_json(setup.heed, "bench", "-m", folder_of(setup), "--batch", batch, "-p",
                             longest, "--rounds", 1, threads=setup.threads)
    row.share, row.share_of = rate * speed["prefill_operations_per_token"] / speed["machine"][
        "flops_per_second"], "f32 peak"
    return row


def in_f32(name, batch, shortest, longest, minimum, target):
    def path(setup):
        import numpy as np
        workers = {
            "PyTorch eager": peer(setup, "torch", batch, shortest, longest),
            "PyTorch compiled": peer(setup, "torch", batch, shortest, longest, "--compiled")
        }
        reference = outputs_of(workers["PyTorch eager"])
        mask, hidden = reference["in.attention_mask"][:, :,
                                                      None] > 0, reference["last_hidden_state"]
        difference = np.abs(np.where(mask,
                                     hidden_of_heed(setup, reference) - hidden,
                                     0)).max() / np.abs(hidden).max()
        mine = ours(setup, batch, shortest, longest)
        sides = {"heed": lambda: mine.ask()["prefill_tokens_per_second"]}
        for label, worker in workers.items():
            sides[label] = lambda worker=worker: worker.ask()["rate"]
        result = interleave(sides, setup.rounds)
        close_all([mine, *workers.values()])
        row = Row(name, "tokens/s", result, minimum, target,
                  f"hidden states within {difference:.1e} of the largest (limit 1e-5)",
                  bool(difference < 1e-5),
                  command=f"heed bench -m minilm --batch {batch} --lengths {shortest}-{longest}")
        yield share(setup, row, result.median("heed"), batch, longest)

    return path


def at_any_precision(name, batch, shortest, longest, minimum, target):
    def path(setup):
        torch = peer(setup, "torch", batch, shortest, longest)
        reference = outputs_of(torch)
        torch.close()
        mask = reference["in.attention_mask"]
        ways = {
            "f32": (), "bf16": ("--weights", "bf16", "--compute", "bf16"),
            "q8_0": ("--weights", "q8_0")
        }
        hidden = reference["last_hidden_state"]
        cosines = {
            label: least_cosine(hidden_of_heed(setup, reference, *flags), hidden, mask)
            for label, flags in ways.items()
        }
        mine = {
            label: ours(setup, batch, shortest, longest, *ways[label])
            for label in ways if cosines[label] >= COSINE
        }
        peers = {
            "onnxruntime f32": peer(setup, "onnxruntime", batch, shortest, longest),
            "onnxruntime int8": peer(setup, "onnxruntime", batch, shortest, longest, "--int8")
        }
        for label, worker in list(peers.items()):
            cosines[label] = least_cosine(outputs_of(worker)["last_hidden_state"], hidden, mask)
            if cosines[label] < COSINE:
                peers.pop(label).close()
        sides = {
            f"heed {label}": (lambda worker=worker: worker.ask()["prefill_tokens_per_second"])
            for label, worker in mine.items()
        }
        sides.update({
            label: (lambda worker=worker: worker.ask()["rate"])
            for label, worker in peers.items()
        })
        result = interleave(sides, setup.rounds)
        close_all([*mine.values(), *peers.values()])
        best = max((label for label in sides if label.startswith("heed")), key=result.median)
        kept = {
            "heed": result.values[best],
            **{label: values
               for label, values in result.values.items() if label in peers}
        }
        said = ", ".join(f"{label} {cosine:.5f}" for label, cosine in cosines.items())
        yield Row(
            f"{name}, fastest with cosine {COSINE}", "tokens/s", rounds.Result(kept), minimum,
            target, f"heed in {best.split()[1]}; minimum cosine with PyTorch in f32: {said} (what "
            f"is below {COSINE} takes no part)",
            command=f"heed bench -m minilm --batch {batch} -p {longest} "
            f"{' '.join(ways[best.split()[1]])}".strip(),
            note="; ".join(f"{label} "
                           f"{rounds.figure(result.median(label))}" for label in result.values))

    return path


PATHS = {
    "encoder-1x32": in_f32("MiniLM, 1 x 32, f32", 1, 32, 32, 1.2, 1.4),
    "encoder-32x128": in_f32("MiniLM, 32 x 128, f32", 32, 128, 128, 1.2,
                             1.4), "encoder-mixed": in_f32("MiniLM, 32 of 8 to 128, f32", 32, 8,
                                                           128, 1.8, 2.5),
    "encoder-any-1x32": at_any_precision("MiniLM, 1 x 32", 1, 32, 32, 1.2, 1.8),
    "encoder-any-32x128": at_any_precision("MiniLM, 32 x 128", 32, 128, 128, 1.2, 1.8)
}

if __name__ == "__main__":
    rounds.main(PATHS, __doc__)
