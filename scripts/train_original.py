"""Train the original experiment's two networks on recordings: the baselines that ours are compared with.

    python scripts/train_original.py ../shared/speech/train --output runs/original

DIR holds recordings laid out as DIR/<speaker>/...; the speakers with the most speech are taken, 80 as the original had.
Inputs, optimisers and split are those of the original's notebooks (`core.original`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from core import original, protocol
from core.errors import DatasetError, SpeakerError
from core.packages import need
from core.segments import prepare, speech_segments


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+", metavar="DIR", help="DIR/<speaker>/... ; several are joined")
    parser.add_argument("--output", type=Path, default=Path("runs/original"), help="weights go here")
    parser.add_argument("--speakers", type=int, default=80, help="those with the most files or bytes (default 80)")
    parser.add_argument("--segments", type=int, default=40, help="of one speaker at most (default 40)")
    parser.add_argument("--cnn-epochs", type=int, default=30)
    parser.add_argument("--ann-epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def segments_of(args: argparse.Namespace) -> tuple[list[np.ndarray], np.ndarray]:
    """Prepared segments and their speakers."""
    people = [person for folder in args.folder for person in protocol.find_people(folder)]
    people.sort(key=lambda one: -sum(file.stat().st_size for session in one.sessions for file in session.files))
    trouble: list[str] = []
    samples, owner = [], []
    for index, person in enumerate(people[: args.speakers]):
        count = 0
        for session in person.sessions:
            for _, piece in speech_segments([protocol.read(session, trouble)]):
                clip = prepare(piece.between(0.0, 5.0)) if count < args.segments else None
                if clip is not None:
                    samples.append(clip)
                    owner.append(index)
                    count += 1
    for line in trouble:
        print(f"note: {line}", file=sys.stderr)
    if len(set(owner)) < 2:
        raise DatasetError(f"{len(set(owner))} speakers with speech in {args.folder[0]}: 2 are needed at least")
    return samples, np.unique(owner, return_inverse=True)[1]


def main(argv: list[str] | None = None) -> int:
    args = arguments().parse_args(argv)
    try:
        need("keras", "matplotlib")
        samples, owner = segments_of(args)
        print(f"{len(samples)} segments of {owner.max() + 1} speakers", flush=True)
        for network, epochs in zip(original.NETWORKS, (args.cnn_epochs, args.ann_epochs), strict=True):
            body, done = original.train(
                network, original.inputs(network, samples), owner, epochs=epochs, seed=args.seed
            )
            original.save(args.output, body, done)
            print(
                f"{network}: {done.validation_accuracy:.1%} of the 30 % held out (of the same recordings), "
                f"{done.parameters} parameters, {done.seconds:.0f} s",
                flush=True,
            )
    except SpeakerError as error:
        print(f"train_original: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
