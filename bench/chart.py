"""A bar chart of some rows of a comparison as SVG: heed's speed over the best peer's. Colors and
sizes are those of heed's own plots (src/plot/plot_frame.c); light or dark follows the viewer. As
PNG too, on white, where cairosvg is installed."""
import html, os, sys

INK, QUIET, GRID = "#1f2937", "#6b7280", "#e5e7eb"
REACHED, FLOOR, BELOW = "#059669", "#2563eb", "#ea580c"
WIDTH, TOP, ROW, FOOT = 900, 82, 28, 36
CHARACTER = 6.9  # the widest that a character of 12 pixels is on average
# The rows that a chart shows, one or two of each kind of work; all rows stand in the table.
HEADLINES = ("f32 matmul 2048", "f32 matmul 8 x 2048 x 2048", "bf16 matmul 2048",
             "prefill 512, SmolLM2-135M Q4_1", "prefill 512, 0.4 B Q4_K",
             "prefill 512 at 8k depth, 1 B Q4_0", "decode, SmolLM2-135M Q4_1", "decode, 1 B Q4_0",
             "MiniLM, 32 x 128, f32", "training 6x384, context 256, 12 rows",
             "training GPT-2 124M, 4 x 256", "attention, forward + backward, 64 causal 2048")
MOST_BARS = 12
DARK = """<style>@media (prefers-color-scheme: dark) {
 .ground { fill: #111827 } .ink { fill: #e5e7eb } .quiet { fill: #9ca3af }
 .grid { stroke: #374151 } .mark { stroke: #e5e7eb } }</style>"""


def text(x, y, words, size=12, kind="ink", anchor="start", weight=""):
    color = INK if kind == "ink" else QUIET
    return (f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" '
            f'text-anchor="{anchor}"' + (f' font-weight="{weight}"' if weight else "") +
            f'>{html.escape(words)}</text>')


def line(x1, y1, x2, y2, kind, color, thickness=1, dashes=""):
    return (f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{color}" stroke-width="{thickness}"' +
            (f' stroke-dasharray="{dashes}"' if dashes else "") + "/>")


def sheet(width, height, title, words):
    """The beginning of a drawing: its ground, what it shows, and how."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif">', DARK,
        f'<rect class="ground" width="{width}" height="{height}" fill="#ffffff"/>',
        text(20, 30, title, 17, weight="600"),
        text(20, 50, words, 12, "quiet")
    ]


def chosen(rows):
    """The headlines among the rows, or, where there are none, the first rows that have a peer."""
    rows = [row for row in rows if row.result.ratio is not None]
    return ([row for row in rows if row.path in HEADLINES] or rows)[:MOST_BARS]


def draw(rows):
    rows = chosen(rows)
    said = [f"{row.result.ratio:.2f} x {row.result.best}" for row in rows]
    left = 20 + CHARACTER * max(len(row.path) for row in rows)
    right = 20 + CHARACTER * max(map(len, said))
    longest = max([row.result.ratio for row in rows] + [2.0]) * 1.02
    height = TOP + ROW * len(rows) + FOOT
    place = lambda value: left + value / longest * (WIDTH - left - right)
    bottom = height - FOOT
    parts = sheet(
        WIDTH, height, "heed beside its peers",
        "times the speed of the best peer, which is named; medians of interleaved rounds, "
        "the same weights, two threads")
    for tick in range(int(longest) + 1):
        parts += [
            line(place(tick), TOP - 8, place(tick), bottom, "grid", GRID),
            text(place(tick), bottom + 18, f"{tick:g}", 12, "quiet", "middle")
        ]
    parts.append(line(place(1), TOP - 8, place(1), bottom, "mark", INK, 1, "3 3"))
    for number, (row, words) in enumerate(zip(rows, said)):
        y = TOP + ROW * number
        color = REACHED if row.result.ratio >= 1 else BELOW
        parts.append(text(left - 10, y + 15, row.path, 12, "ink", "end"))
        parts.append(f'<rect rx="1.5" fill="{color}" x="{left:.1f}" y="{y + 2}" '
                     f'width="{place(row.result.ratio) - left:.1f}" height="{ROW - 10}"/>')
        parts.append(text(max(place(row.result.ratio), place(1)) + 8, y + 15, words, 12, "quiet"))
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(path, rows):
    svg = draw(rows)
    with open(path, "w") as file:
        file.write(svg)
    try:
        import cairosvg
        cairosvg.svg2png(bytestring=svg.replace(DARK, "").encode(),
                         write_to=os.path.splitext(path)[0] + ".png", scale=2)
    except (ImportError, OSError) as error:
        print(f"no PNG: {error}", file=sys.stderr)
