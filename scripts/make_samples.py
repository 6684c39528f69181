"""Make `demo/samples`: five synthetic example voices to enrol and test, a stranger, and a conversation.

    python scripts/make_samples.py [--out demo/samples]

Needs the programs flite (voices slt, rms, awb, kal16) and espeak-ng; see demo/samples/README.md for their licences.
Nothing of the library depends on this script or on the files it makes, except tests and the "example voices" button.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as `python scripts/make_samples.py` from anywhere

from core.audio import SAMPLE_RATE, Audio, concatenate, decode  # noqa: E402
from core.segments import condense, normalise, speech_segments  # noqa: E402

SPEECH_SECONDS = 36.0  # s of speech, pauses cut, in an enrolment: six segments and a little more
FULL_SEGMENTS = 6  # segments of 5 s that an enrolment must give
PAUSE_SECONDS = 0.3  # s of silence between sentences
EDGE_SECONDS = 0.15  # s of silence at each end of a turn
FADE_SECONDS = 0.01  # s: no clicks where a turn begins and ends
BIT_RATE = 32_000  # bit/s of the Opus files
MIN_STRETCH, MAX_STRETCH = 0.75, 1.3  # how much slower or faster a turn may be spoken to fill its time


@dataclass(frozen=True)
class Voice:
    """A synthetic voice: `engine` is flite or espeak-ng, `voice` its name there, `words` words a minute (espeak-ng)."""

    name: str
    engine: str
    voice: str
    words: int = 150

    def say(self, text: str, *, stretch: float = 1.0) -> Audio:
        """Speak `text`, `stretch` times as long as usual, at -20 dBFS; silence at both ends is cut."""
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "speech.wav")
            if self.engine == "flite":
                slower = ["--setf", f"duration_stretch={stretch:.3f}"]
                command = ["flite", "-voice", self.voice, *slower, "-t", text, "-o", path]
            else:
                command = ["espeak-ng", "-v", self.voice, "-s", f"{self.words / stretch:.0f}", "-w", path, text]
            subprocess.run(command, check=True, capture_output=True)
            audio = decode(path)
        heard = np.flatnonzero(np.abs(audio.samples) > 10 ** (-45 / 20))
        return Audio(normalise(audio.samples[heard[0] : heard[-1] + 1]))


AMINA = Voice("Amina", "flite", "slt")
KOFI = Voice("Kofi", "flite", "rms")
SVEN = Voice("Sven", "flite", "awb")
JO = Voice("Jo", "espeak-ng", "en-us+m3")
MEI = Voice("Mei", "espeak-ng", "en-us+Annie")
STRANGER = Voice("stranger", "flite", "kal16")
ENROLLED = (AMINA, KOFI, SVEN, JO, MEI)

ENROLMENT = (
    "Good morning, and thank you for taking the time to read these few lines aloud.",
    "Far up on the northern shore stands a lighthouse that nobody has painted for thirty years.",
    "Its keeper counts the ships that pass, and writes every number into a small blue book.",
    "On quiet days there are only fishing boats, two ferries, and perhaps a yellow tug.",
    "When the fog rolls in, he rings a heavy bell and waits for an answer across the water.",
    "Once a week his cousin brings fresh bread, onions, paper, and a bag of strong black coffee.",
    "They sit by the window, argue about the weather, and usually agree in the end.",
    "In autumn the geese fly over in long uneven lines, calling to each other through the dusk.",
    "He has thought of leaving more than once, yet each spring he finds another reason to stay.",
    "The garden behind the wall grows beans, thyme, and one stubborn cherry tree.",
    "If you visit, knock twice, wipe your boots, and ask him about the winter of the great storm.",
    "He will laugh, pour you a cup, and begin with the words: you would hardly believe it.",
    "By the time the story is over, the lamp above is burning and the tide has turned.",
)
TESTS = {
    "Amina": (
        "The bakery on our corner opens at seven, and by half past eight nothing is left but crumbs.",
        "My brother prefers the lemon cake, although he would never admit it to our mother.",
        "Could you please save me a warm roll until I come back from the station?",
    ),
    "Kofi": (
        "We repaired the old bicycle with a spoon, some wire, and a great deal of patience.",
        "It squeaks whenever the road goes uphill, which in this town is nearly always.",
        "Still, I would not trade it for a new one, even if somebody offered.",
    ),
    "Sven": (
        "The museum keeps its oldest map in a dark room on the second floor.",
        "Half of the islands on it do not exist, and one of the oceans is far too narrow.",
        "Visitors stand before it for a long while and whisper, as if the paper could hear.",
    ),
    "Jo": (
        "Tomorrow the choir rehearses in the school hall, because the roof of the church is leaking.",
        "We still need two altos, a patient pianist, and someone to carry the chairs.",
        "Bring a jacket, since nobody has found the key to the heating room.",
    ),
    "Mei": (
        "I planted three kinds of tomato this year, and the smallest ones turned out the best.",
        "The neighbours' cat sleeps between the pots and guards them against the pigeons.",
        "Take as many as you like, but leave the green ones for another week.",
    ),
    "stranger": (
        "The last bus to the valley leaves at nine, unless the driver is talking to his wife.",
        "I missed it twice in March and walked home under a very bright moon.",
        "Nobody else was on the road, only an owl and the sound of the river.",
    ),
}
CONVERSATION: tuple[tuple[Voice, int, str], ...] = (
    (AMINA, 5, "So, have you two decided where we are going to meet on Saturday evening?"),
    (KOFI, 10, "I was thinking of the little place behind the theatre. They cook well, it is never too loud, "
               "and we could walk to the river afterwards."),
    (MEI, 5, "That sounds lovely, but is it open before the concert begins at eight?"),
    (KOFI, 5, "I called them this morning, and the kitchen starts at half past five."),
    (AMINA, 5, "Perfect. Then I will book a quiet table for all six of us, and one spare chair for the coats."),
    (MEI, 10, "Please ask for a table near the window. Last time we sat beside the door, and whenever a guest came in, "
              "all of my napkins flew away."),
)  # fmt: skip


def joined(sentences: Iterable[Audio]) -> Audio:
    """Sentences with `PAUSE_SECONDS` of silence after each."""
    pause = Audio(np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32))
    return concatenate([part for sentence in sentences for part in (sentence, pause)])


def enrolment(voice: Voice) -> Audio:
    """As many sentences of `ENROLMENT` as give `SPEECH_SECONDS` of speech."""
    sentences: list[Audio] = []
    for text in ENROLMENT:
        sentences.append(voice.say(text))
        audio = joined(sentences)
        if condense(audio)[0].duration >= SPEECH_SECONDS:
            break
    segments = sum(span.duration >= 5.0 for span, _ in speech_segments([audio]))
    if segments < FULL_SEGMENTS:
        raise SystemExit(f"{voice.name}: {segments} full segments of speech, {FULL_SEGMENTS} needed: add sentences")
    return audio


def turn(voice: Voice, text: str, seconds: int) -> Audio:
    """`text` spoken so that it fills `seconds`, with a short silence at each end."""
    wanted, stretch = seconds - 2 * EDGE_SECONDS, 1.0
    for _ in range(4):
        audio = voice.say(text, stretch=stretch)
        if 0.94 * wanted <= audio.duration <= wanted:
            break
        stretch *= 0.97 * wanted / audio.duration
    if audio.duration > wanted or not MIN_STRETCH <= stretch <= MAX_STRETCH:
        raise SystemExit(f"{voice.name}: {audio.duration:.1f} s at stretch {stretch:.2f} for {seconds} s: {text!r}")
    samples = np.zeros(seconds * SAMPLE_RATE, np.float32)
    ramp = np.linspace(0.0, 1.0, round(FADE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    speech = audio.samples.copy()
    speech[: len(ramp)] *= ramp
    speech[-len(ramp) :] *= ramp[::-1]
    start = (len(samples) - len(speech)) // 2
    samples[start : start + len(speech)] = speech
    return Audio(samples)


def write_opus(path: Path, audio: Audio) -> None:
    """Write 16 kHz mono `audio` as Ogg Opus."""
    import av

    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = BIT_RATE
        frame = av.AudioFrame.from_ndarray(np.clip(audio.samples, -1, 1)[None], format="flt", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for part in (frame, None):
            container.mux(stream.encode(part))


def write_conversation(folder: Path) -> None:
    """`conversation.opus` and its truth, `conversation.csv` (start and end in seconds, name)."""
    parts = [turn(voice, text, seconds) for voice, seconds, text in CONVERSATION]
    write_opus(folder / "conversation.opus", concatenate(parts))
    start = 0
    with (folder / "conversation.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["start", "end", "name"])
        for voice, seconds, _ in CONVERSATION:
            writer.writerow([start, start + seconds, voice.name])
            start += seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the example voices of demo/samples.")
    parser.add_argument("--out", type=Path, default=ROOT / "demo" / "samples", help="folder to write to")
    folder: Path = parser.parse_args().out
    for program in ("flite", "espeak-ng"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not installed: sudo apt-get install {program}")
    folder.mkdir(parents=True, exist_ok=True)
    for voice in ENROLLED:
        write_opus(folder / f"{voice.name.lower()}_enrol.opus", enrolment(voice))
    for voice in (*ENROLLED, STRANGER):
        write_opus(folder / f"{voice.name.lower()}_test.opus", joined(voice.say(text) for text in TESTS[voice.name]))
    write_conversation(folder)
    for path in sorted(folder.glob("*.opus")):
        print(f"{path.name:20s} {path.stat().st_size / 1000:6.0f} kB {decode(path).duration:5.1f} s")


if __name__ == "__main__":
    main()
