"""A bar chart of the rows of a comparison as SVG: heed's speed over the best peer's, floor and
goal marked. Colors and sizes are those of heed's own plots (src/plot/plot_frame.c); light or dark
follows the viewer. As PNG too, on white, where cairosvg is installed."""
import html, os, sys

INK, QUIET, GRID = "#1f2937", "#6b7280", "#e5e7eb"
REACHED, FLOOR, BELOW = "#059669", "#2563eb", "#ea580c"
WIDTH, LEFT, RIGHT, TOP, ROW, FOOT = 900, 310, 160, 78, 26, 44
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


def draw(rows):
    rows = [row for row in rows if row.result.ratio is not None or row.by_share]
    longest = max([row.score for row in rows if not row.by_share] + [2.0] +
                  [row.goal or 0 for row in rows if not row.by_share])
    longest = min(longest, 8.0) * 1.05
    height = TOP + ROW * len(rows) + FOOT
    place = lambda value: LEFT + min(value, longest) / longest * (WIDTH - LEFT - RIGHT)
    bottom = height - FOOT
    parts = sheet(
        WIDTH, height, "heed beside its peers",
        "times the best peer's speed, or the share of a peak; medians of interleaved "
        "rounds, two threads; | floor, || goal")
    step = 1 if longest > 3 else 0.5
    ticks = [step * i for i in range(int(longest / step) + 1)]
    for tick in ticks:
        parts += [
            line(place(tick), TOP - 8, place(tick), bottom, "grid", GRID),
            text(place(tick), bottom + 18, f"{tick:g}", 12, "quiet", "middle")
        ]
    parts.append(line(place(1), TOP - 8, place(1), bottom, "mark", INK, 1, "3 3"))
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        color = {"goal": REACHED, "floor": FLOOR}.get(row.verdict, BELOW)
        parts.append(text(LEFT - 10, y + 14, row.path, 12, "ink", "end"))
        parts.append(f'<rect rx="1.5" fill="{color}" x="{LEFT}" y="{y + 2}" '
                     f'width="{max(place(row.score) - LEFT, 1):.1f}" height="{ROW - 10}"/>')
        for value, gaps in ((row.floor, (0, )), (row.goal, (-1.5, 1.5))):
            if value is not None:
                parts += [
                    line(place(value) + gap, y,
                         place(value) + gap, y + ROW - 6, "mark", INK, 1.2) for gap in gaps
                ]
        said = f"{row.score:.2f} x {row.result.best}"
        if row.by_share:
            said = f"{100 * row.score:.0f} % of {row.share_of}"
        parts.append(text(place(max(row.score, row.goal or 0)) + 8, y + 14, said, 12, "quiet"))
    swatches = ((REACHED, "goal reached"), (FLOOR, "floor reached"), (BELOW, "below floor"))
    for number, (color, words) in enumerate(swatches):
        x = LEFT + 130 * number
        parts += [
            f'<rect rx="1.5" fill="{color}" x="{x}" y="{height - 18}" width="12" '
            f'height="12"/>',
            text(x + 18, height - 8, words, 12, "quiet")
        ]
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
