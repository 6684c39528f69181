"""The README's picture: both models side by side over a real recording, as it is and through a noisy telephone.

    python scripts/headline.py --output docs/headline.svg

The example voices are enrolled in a folder of their own; the recording is demo/samples/conversation.opus, whose true
turns are in conversation.csv. Everything drawn is computed here.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core.audio import Audio, decode
from core.channels import apply
from core.heads import NOT_ENOUGH_SPEECH, UNKNOWN
from core.recognizer import Recognizer
from core.timeline import Timeline
from demo.examples import PEOPLE, SAMPLES, clip
from demo.palette import UNKNOWN_COLOUR, colours, ink_on

WIDTH, LEFT, RIGHT = 980, 150, 24
LANE, GAP = 34, 6  # heights
LANES = (("cnn", "CNN-SVM"), ("ann", "ANN-SVM"), ("both", "both, fused"))
SEED = 1


def timelines(recognizer: Recognizer, sound: Audio) -> list[tuple[str, Timeline]]:
    """The recording as it is, and through a noisy telephone."""
    chance = np.random.default_rng(SEED)
    worse = apply("noise10", apply("phone", sound, chance=chance), chance=chance)
    heard = (("as recorded", sound), ("through a telephone, with noise at 10 dB", worse))
    return [(title, recognizer.timeline(one, source="conversation")) for title, one in heard]


def truth() -> list[tuple[float, float, str]]:
    """Start, end, who really speaks."""
    with (SAMPLES / "conversation.csv").open(newline="", encoding="utf-8") as file:
        return [(float(row["start"]), float(row["end"]), row["name"]) for row in csv.DictReader(file)]


def draw(parts: list[tuple[str, Timeline]], spoken: list[tuple[float, float, str]], seconds: float) -> str:
    """The picture as SVG: for each part the truth as a thin line and one lane per model, height = probability."""
    colour_of = colours(PEOPLE)

    def at(second: float) -> float:
        return LEFT + second / seconds * (WIDTH - LEFT - RIGHT)

    body, y = [], 16
    for title, timeline in parts:
        body.append(f'<text x="{LEFT}" y="{y + 14}" font-weight="650">{escape(title)}</text>')
        y += 24
        body.append(f'<text x="{LEFT - 12}" y="{y + 10}" text-anchor="end" class="quiet">who really spoke</text>')
        for start, end, name in spoken:
            who = name if name in colour_of else UNKNOWN
            body.append(_box(at(start), y, at(end) - at(start), 12, colour_of.get(who, UNKNOWN_COLOUR), 1.0, "", name))
        y += 12 + GAP
        for answer, lane in LANES:
            body.append(f'<text x="{LEFT - 12}" y="{y + LANE / 2 + 5}" text-anchor="end">{lane}</text>')
            body.append(
                f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - RIGHT}" height="{LANE}" rx="5" fill="#eef0f3"/>'
            )
            for one in timeline.answers:
                decision, span = one.of(answer), one.segment
                if decision.name == NOT_ENOUGH_SPEECH:
                    continue
                height = LANE * decision.probability
                says = f"{lane}: {decision}"
                width = at(span.end) - at(span.start)
                colour = colour_of.get(decision.name, UNKNOWN_COLOUR)
                label = f"{decision.name} {percent(decision.probability)}"
                body.append(_box(at(span.start), y + LANE - height, width, height, colour, 0.92, label, says))
            y += LANE + GAP
        y += 14
    for second in range(0, int(seconds) + 1, 5):
        body.append(f'<text x="{at(second):.0f}" y="{y + 4}" text-anchor="middle" class="quiet">{second} s</text>')
    height = y + 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Both models '
        'over a conversation" style="font-family:system-ui,sans-serif;font-size:13px"><style>text{fill:#16191f}'
        ".quiet{fill:#5b6472;font-size:12px}.on{font-size:12px;font-weight:600}</style>"
        f'<rect width="{WIDTH}" height="{height}" rx="14" fill="#ffffff" stroke="#d9dde3"/>{"".join(body)}</svg>\n'
    )


def percent(probability: float) -> str:
    """As the app writes it: nothing is quite certain."""
    return "> 99 %" if probability > 0.99 else f"{probability * 100:.0f} %"


def _box(x: float, y: float, width: float, height: float, colour: str, opacity: float, label: str, says: str) -> str:
    text = ""
    if label:
        place = f'x="{x + width / 2:.1f}" y="{y + height - min(11.0, height / 2 - 4):.1f}"'
        text = f'<text {place} text-anchor="middle" class="on" style="fill:{ink_on(colour)}">{escape(label)}</text>'
    return (
        f'<g><title>{escape(says)}</title><rect x="{x + 1:.1f}" y="{y:.1f}" width="{width - 2:.1f}" '
        f'height="{height:.1f}" rx="4" fill="{colour}" fill-opacity="{opacity}"/>{text}</g>'
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/headline.svg"))
    args = parser.parse_args(argv)
    sound = decode(clip("conversation"))
    with tempfile.TemporaryDirectory() as home:
        recognizer = Recognizer(home)
        for name in PEOPLE:
            recognizer.enrol(
                name, decode(clip(f"{name.lower()}_enrol")), consent=True, sure=True, source="example voice"
            )
        parts = timelines(recognizer, sound)
    args.output.write_text(draw(parts, truth(), sound.duration), encoding="utf-8")
    for title, timeline in parts:
        print(title)
        for answer in timeline.answers:
            print(" ", answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
