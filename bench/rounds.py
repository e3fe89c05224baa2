"""Rounds of several sides in turn (A B A B ...), what comes of them, and how it is shown. Shared
by the programs of bench/.

    rows = [Row("prefill 512", "tokens/s", interleave({"heed": ours, "llama.cpp": theirs},
    rounds=5), minimum=3, target=6, agreement="...")]
    print_table(rows); write_json(path, rows, peaks)

A side is a function without arguments that measures once and returns a rate: more is better. The
first side is ours. Peers that take long to load live in a Worker: a process of their own that is
loaded once and asked once a round.

A module of paths, bench/compare_X.py, has `PATHS = {"name": function(setup) that yields Rows}`
and ends with `rounds.main(PATHS, __doc__)`; bench/compare runs the paths of all such modules."""
import argparse, dataclasses, fnmatch, json, os, statistics, subprocess, sys, time


@dataclasses.dataclass
class Setup:
    """What every path gets: where heed was built, how to measure, where models lie or may be
    made."""
    build: str = "build/release"
    threads: int = 2
    rounds: int = 5
    real: str = os.environ.get("HEED_REAL_WEIGHTS", os.path.expanduser("~/.cache/heed/real"))
    python: str = sys.executable  # has the peers
    made: str = "build/compare"  # models that `heed convert --random` writes, exported graphs
    _peaks: tuple = None

    @property
    def heed(self):
        return os.path.join(self.build, "heed")

    def peaks(self):
        """`heed bench --machine --json`, measured at most a minute ago."""
        if not self._peaks or time.monotonic() - self._peaks[0] > 60:
            self._peaks = (time.monotonic(),
                           heed_json(self.heed, "bench", "--machine", threads=self.threads))
        return self._peaks[1]


@dataclasses.dataclass
class Result:
    """Rates of each side by round; `ours` is the first side, `best` the peer with the largest
    median."""
    values: dict

    @property
    def ours(self):
        return next(iter(self.values))

    @property
    def best(self):
        peers = list(self.values)[1:]
        return max(peers, key=self.median) if peers else None

    def median(self, side):
        return statistics.median(self.values[side])

    def spread(self, side):
        """(largest - smallest) / median."""
        values = self.values[side]
        return (max(values) - min(values)) / statistics.median(values)

    def ratios(self):
        """Ours to the best peer's, round by round."""
        return [a / b for a, b in zip(self.values[self.ours], self.values[self.best])
                ] if self.best else []

    @property
    def ratio(self):
        return statistics.median(self.ratios()) if self.best else None


@dataclasses.dataclass
class Row:
    """One line of the table. `share` (0 to 1) of `share_of`, say "read bandwidth", is what is
    judged where there is no peer."""
    path: str
    unit: str
    result: Result
    minimum: float = None
    target: float = None
    # how the outputs were compared, with figures; "" where there is nothing to compare
    agreement: str = ""
    agrees: bool = True
    share: float = None
    share_of: str = ""
    by_share: bool = False  # minimum and target are shares
    command: str = ""
    note: str = ""

    @property
    def score(self):
        return self.share if self.by_share else self.result.ratio

    @property
    def verdict(self):
        if not self.agrees:
            return "outputs differ"
        if self.score is None or self.minimum is None:
            return ""
        if self.target is not None and self.score >= self.target:
            return "target"
        return "minimum" if self.score >= self.minimum else "below minimum"


def interleave(sides, rounds=5, warm=1, progress=True):
    """Runs every side once a round, in turn; `warm` rounds first that do not count. Sides:
    {name: function returning a rate}."""
    values = {name: [] for name in sides}
    for number in range(-warm, rounds):
        for name, run in sides.items():
            rate = run()
            if number >= 0:
                values[name].append(rate)
        if progress and number >= 0:
            parts = "   ".join(f"{name} {figure(series[-1])}" for name, series in values.items())
            print(f"  round {number + 1}: {parts}", file=sys.stderr, flush=True)
    return Result(values)


class Worker:
    """A peer in a process of its own. The program reads one JSON object a line from stdin and
    answers each with one on stdout; what it prints when it has loaded is `hello`. Its threads:
    OMP_NUM_THREADS and whatever the program does with it."""
    def __init__(self, command, threads=2, environment=None):
        variables = {
            **os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", **(environment or {})
        }
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=variables)
        self.hello = self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended without an answer (exit "
                               f"{self.process.wait()})")
        return json.loads(line)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def answers_only():
    """Keeps stdout for the answers of serve(): call it before libraries that print there are at
    work. Their words go to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def serve(handle, hello=None, answers=None):
    """The other end of a Worker: answers every line of stdin with handle(**request), until it
    ends. answers: from answers_only()."""
    answers = answers or answers_only()
    print(json.dumps(hello or {}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(handle(**json.loads(line))), file=answers, flush=True)


def heed_json(heed, *arguments, threads=2):
    """What `heed ARGUMENTS --json -t threads` prints, as an object."""
    command = [str(heed), *map(str, arguments), "--json", "-t", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def figure(value):
    """Three to four figures: 12345, 1234, 123.4, 12.34, 1.234."""
    for limit, digits in ((1000, 0), (100, 1), (10, 2)):
        if value >= limit:
            return f"{value:.{digits}f}"
    return f"{value:.3f}"


def cells(row):
    """The columns of a row as text: path, ours, peer, ratio, share, minimum, target, verdict."""
    result = row.result

    def number(value):
        if value is None:
            return ""
        return f"{100 * value:.0f} %" if row.by_share else f"{value:g}"

    side = lambda name: f"{figure(result.median(name))} ±{50 * result.spread(name):.0f} %"
    ratios = result.ratios()
    return [
        row.path, f"{side(result.ours)} {row.unit}",
        f"{result.best} {side(result.best)}" if result.best else "",
        f"{result.ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else "",
        f"{100 * row.share:.0f} % of {row.share_of}" if row.share is not None else "",
        number(row.minimum),
        number(row.target), row.verdict
    ]


HEADINGS = ["path", "heed", "peer", "ratio", "share of peak", "minimum", "target", "reached"]


def print_table(rows, out=sys.stdout):
    lines = [HEADINGS] + [cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip(), file=out)
    for row in rows:
        if row.agreement:
            print(f"{row.path}: {row.agreement}", file=out)


def markdown_table(rows):
    lines = [HEADINGS + ["outputs"]] + [cells(row) + [row.agreement] for row in rows]
    return "\n".join(["| " + " | ".join(lines[0]) + " |", "|" + "---|" * len(lines[0])] +
                     ["| " + " | ".join(line) + " |" for line in lines[1:]]) + "\n"


def machine_line(machine):
    """What `heed bench --machine --json` said, in a line."""
    giga = lambda key: machine[key] / 1e9
    return (f"Machine, measured in the same minutes: {machine['threads']} threads, "
            f"{machine['instruction_set']}; f32 {giga('flops_per_second'):.0f}, "
            f"bf16 {giga('bf16_flops_per_second'):.0f}, int8 {giga('int8_ops_per_second'):.0f} "
            f"G(FL)OP/s; "
            f"{giga('memory_bytes_per_second'):.1f} GB/s read from memory.")


def row_object(row):
    result = row.result
    sides = {
        name: {"median": result.median(name), "spread": result.spread(name), "rounds": values}
        for name, values in result.values.items()
    }
    fields = {
        name: value
        for name, value in dataclasses.asdict(row).items()
        if name != "result" and value not in (None, "")
    }
    return {
        **fields, "sides": sides, "peer": result.best, "ratio": result.ratio,
        "ratios": result.ratios(), "reached": row.verdict
    }


def row_from_object(entry):
    names = {field.name for field in dataclasses.fields(Row)} - {"result"}
    return Row(result=Result({name: side["rounds"]
                              for name, side in entry["sides"].items()}),
               **{k: v
                  for k, v in entry.items() if k in names})


@dataclasses.dataclass
class Published:
    """What a published table says of a row: the best peer, and the median of the rounds' ratios."""
    best: str
    ratio: float


def rows_from_markdown(path):
    """The rows with a ratio of the tables in a Markdown file whose headings are HEADINGS, for a
    chart: the rounds are gone."""
    rows, inside = [], False
    for line in open(path, encoding="utf-8"):
        columns = [column.strip() for column in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif columns[:len(HEADINGS)] == HEADINGS:
            inside = True
        elif inside and " ±" in columns[2]:
            peer = columns[2].split(" ±")[0].rsplit(" ", 1)[0]
            result = Published(peer, float(columns[3].split()[0]))
            rows.append(Row(columns[0], columns[1].rsplit(" ", 1)[-1], result))
    return rows


def write_json(path, rows, machine=None):
    # whole before the file is touched
    text = json.dumps({"machine": machine, "rows": [row_object(row) for row in rows]}, indent=1)
    with open(path, "w") as file:
        file.write(text + "\n")


def run_paths(paths, setup):
    """Rows of all paths; a path that cannot run says why on stderr and the others go on."""
    rows, failed = [], {}
    for name, path in paths.items():
        print(name, file=sys.stderr, flush=True)
        try:
            for row in path(setup):
                rows.append(row)
                print(
                    "  " + "  ".join(cell for cell in cells(row)[:-3] if cell) + f"  "
                    f"{row.verdict}", file=sys.stderr, flush=True)
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {error}"
            print(f"  cannot run: {failed[name]}", file=sys.stderr, flush=True)
    return rows, failed


def add_arguments(parser, setup):
    parser.add_argument("--only", nargs="+", metavar="PATH", help="paths to run; * and ? match; "
                        "default: all")
    parser.add_argument("--rounds", type=int, default=setup.rounds)
    parser.add_argument("--threads", type=int, default=setup.threads)
    parser.add_argument("--build", default=setup.build, help="folder where heed was built")
    parser.add_argument("--json", metavar="FILE", help="write rows, rounds and the machine's peaks")
    parser.add_argument("--list", action="store_true", help="print the paths")


def choose(paths, only):
    chosen = {
        name: path
        for name, path in paths.items()
        if not only or any(fnmatch.fnmatch(name, pattern) for pattern in only)
    }
    if not chosen:
        sys.exit(f"no path is called {' or '.join(only)}: expected one of {', '.join(paths)}")
    return chosen


def main(paths, doc, arguments=None):
    """The command line of one module of paths."""
    parser = argparse.ArgumentParser(description=doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, Setup())
    given = parser.parse_args(arguments)
    if given.list:
        return print("\n".join(paths))
    setup = Setup(build=given.build, threads=given.threads, rounds=given.rounds)
    rows, failed = run_paths(choose(paths, given.only), setup)
    print_table(rows)
    if given.json:
        write_json(given.json, rows, setup.peaks())
    if failed or not all(row.agrees for row in rows):
        sys.exit(1)
