"""What the models listened to, as HTML: the spectrogram under its occlusion map, the features as bars."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np

from core.explain import REGIONS, REGIONS_HZ, Contribution, Contributions, Measure, Occlusion
from core.feature_words import in_words
from core.spectrogram import FMAX, FMIN, hz_to_mel, write_png
from demo import compare_texts as texts
from demo.answer_view import percent

HOT, COLD = (255, 196, 0), (40, 130, 255)  # RGB of patches that spoke for and against
ALPHA = 0.85  # of the strongest patch
TICKS_HZ = (100, 300, 1000, 2500, 4000, 7000)
SHOWN = 8  # families with a bar
NOTHING = 0.02  # log-odds: a largest drop below this explains nothing


def explained(occlusion: Occlusion, contributions: Contributions, *, cnn: str, ann: str) -> str:
    """Both models side by side. `cnn`, `ann`: what they answered, as sentences."""
    note = texts.WHY_CNN_NOTE.format(person=escape(occlusion.person))
    return (
        f'<div class="why"><section><h3>{texts.WHY_CNN}</h3><p>{escape(cnn)}</p>{picture(occlusion)}'
        f'<p>{in_a_sentence(occlusion)}</p><p class="quiet">{note} '
        f"{texts.TOOK.format(count=occlusion.drops.size, seconds=occlusion.seconds)}</p></section>"
        f"<section><h3>{texts.WHY_ANN.format(person=escape(contributions.person))}</h3><p>{escape(ann)}</p>"
        f'{bars(contributions)}</section></div><p class="quiet">{texts.WHY_NOTE}</p>'
    )


def answered(model: str, name: str, probability: float) -> str:
    """'CNN answered Kofi (97 %).'"""
    chance = percent(probability).replace("&gt;", ">").replace("&lt;", "<")
    return texts.SAYS.format(model=model, name=name, probability=chance)


def picture(one: Occlusion) -> str:
    """The spectrogram in grey, the map over it, frequencies at the side and seconds below."""
    base, over = io.BytesIO(), io.BytesIO()
    write_png(one.image, base)
    _heat(one.drops).save(over, format="PNG")
    sources = [base64.b64encode(file.getvalue()).decode() for file in (base, over)]
    low, high = hz_to_mel(FMIN), hz_to_mel(FMAX)
    side = "".join(
        f'<span style="bottom:{(hz_to_mel(hz) - low) / (high - low):.1%}">{hz / 1000:g}</span>' for hz in TICKS_HZ
    )
    below = "".join(f'<span style="left:{second / 5:.0%}">{second} s</span>' for second in range(5))
    return (
        f'<div class="occlusion"><div class="occlusion-hz" title="kHz">{side}</div><div class="occlusion-frame">'
        f'<img alt="spectrogram" src="data:image/png;base64,{sources[0]}"><img class="occlusion-heat" '
        f'alt="parts that carried the decision" src="data:image/png;base64,{sources[1]}"></div>'
        f'<div class="occlusion-time">{below}</div></div>'
    )


def _heat(drops: np.ndarray):
    """RGBA picture of one pixel per patch, low bands at the bottom; the browser smooths it."""
    from PIL import Image

    strength = drops / max(float(np.abs(drops).max()), NOTHING)
    pixels = np.zeros((*drops.shape, 4), np.uint8)
    pixels[..., :3] = np.where(strength[..., None] >= 0, HOT, COLD)
    pixels[..., 3] = (255 * ALPHA * np.abs(strength) ** 1.3).astype(np.uint8)
    return Image.fromarray(pixels[::-1].copy())


def in_a_sentence(one: Occlusion) -> str:
    """The strongest patch and the region with most of the evidence."""
    if one.drops.max() < NOTHING:
        return texts.WHY_CNN_NOTHING
    start, end, low, high = one.strongest()
    shares = one.regions()
    most = int(np.argmax(shares))
    return texts.WHY_CNN_SAYS.format(
        start=start,
        end=end,
        low=round(low, -1),
        high=round(high, -1),
        share=f"{shares[most]:.0%}",
        from_hz=REGIONS_HZ[most],
        to_hz=REGIONS_HZ[most + 1],
        about=REGIONS[most],
    )


def bars(one: Contributions) -> str:
    """A bar for each family, to the right what spoke for the person; the strongest columns in words."""
    shown = one.parts[:SHOWN]
    rest, others = sum(part.log_odds for part in one.parts[SHOWN:]), len(one.parts) - SHOWN
    most = max([abs(part.log_odds) for part in shown] + [1e-9])
    rows = "".join(_bar(part, most) for part in shown)
    more = f'<p class="quiet">{texts.REST.format(count=others, total=signed(rest, 2))}</p>' if rest else ""
    start, end = signed(one.average), signed(one.log_odds)
    note = texts.WHY_ANN_NOTE.format(person=escape(one.person), average=start, total=end)
    return f'<div class="evidence">{rows}</div>{more}<p class="quiet">{note}</p>'


def signed(value: float, digits: int = 1) -> str:
    """-8.21 -> '\u22128.2', 3.0 -> '+3.0': with a minus sign, no hyphen."""
    return f"{value:+.{digits}f}".replace("-", "\u2212")


def _bar(part: Contribution, most: float) -> str:
    width = abs(part.log_odds) / most * 50.0
    left = 50.0 if part.log_odds >= 0 else 50.0 - width
    kind = "for" if part.log_odds >= 0 else "against"
    about = part.family.about[0].upper() + part.family.about[1:]
    words = "; ".join(_measure(one) for one in part.measures)
    words = f" {texts.STRONGEST} {words}." if words else ""
    return (
        f'<details class="evidence-row"><summary><span>{part.family.title}</span><span class="evidence-track">'
        f'<i class="is-{kind}" style="left:{left:.1f}%;width:{max(width, 0.6):.1f}%"></i></span>'
        f"<b>{signed(part.log_odds)}</b></summary><p>{escape(about)}.{escape(words)}</p></details>"
    )


def _measure(one: Measure) -> str:
    way = texts.HIGHER if one.deviation >= 0 else texts.LOWER
    return texts.DEVIATION.format(what=in_words(one.column), amount=abs(one.deviation), way=way)
