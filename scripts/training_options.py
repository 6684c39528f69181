"""What train_cnn.py and train_ann.py are both asked on the command line."""

from __future__ import annotations

import argparse


def add_common(parser: argparse.ArgumentParser) -> None:
    """Rate and margin, the teacher, who is left out, checkpoints and the seed."""
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default 0.002)")
    parser.add_argument("--margin", type=float, default=0.2, help="radians (default 0.2)")
    parser.add_argument(
        "--teacher",
        type=float,
        default=0.0,
        metavar="WEIGHT",
        help="learn from a teacher's embeddings too (scripts/teach.py), with --variants; 0: not (default)",
    )
    parser.add_argument(
        "--labels",
        type=float,
        default=1.0,
        metavar="WEIGHT",
        help="of who speaks, beside the teacher; 0: learn from the teacher alone (default 1)",
    )
    parser.add_argument("--min-segments", type=int, default=2, help="leave out speakers with fewer (default 2)")
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints (default 500)")
    parser.add_argument("--minutes", type=float, help="stop after this long, to be resumed")
    parser.add_argument("--seed", type=int, default=0)
