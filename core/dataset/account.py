"""What a choice of readers amounts to, in words and tables: before anything is fetched, and kept beside the dataset."""

from __future__ import annotations

import csv
import io
from collections import Counter

from core.dataset.audiobooks import disk_needed, probe_of
from core.dataset.probe import Probe
from core.dataset.selection import Reader, Rules, Sieve, pieces_of

SEGMENTS_A_MINUTE = 10.5  # of read speech without its pauses, about
Probes = dict[str, Probe | str]


def readers_table(chosen: list[Reader], rules: Rules, probes: Probes) -> str:
    """One line a reader: what is taken of whom, and what the probe estimates."""
    lines = [f"{'reader':>7}  {'name':<28} {'language':<10} {'books':>5} {'minutes':>7} {'MB':>6}  estimated"]
    for reader in chosen:
        pieces, probe = pieces_of(reader, rules), probes.get(reader.id)
        heard = (
            f"{probe.snr:.0f} dB, {probe.bandwidth:.0f} Hz, {probe.voice} voice ({probe.pitch:.0f} Hz)"
            if isinstance(probe, Probe)
            else "not probed yet, taken as good"
        )
        lines.append(
            f"{reader.id:>7}  {reader.name[:28]:<28} {reader.language:<10} {len({p.book.id for p in pieces}):>5} "
            f"{sum(p.end - p.start for p in pieces) / 60.0:>7.1f} {sum(p.bytes for p in pieces) / 1e6:>6.1f}  {heard}"
        )
    return "\n".join(lines)


def totals(
    chosen: list[Reader], rules: Rules, tried: list[Reader], probes: Probes, sieve: Sieve, keep_wav: bool
) -> str:
    """How many of whom, what the filters removed, and what is to be fetched and kept."""
    pieces = [piece for reader in chosen for piece in pieces_of(reader, rules)]
    seconds = sum(piece.end - piece.start for piece in pieces)
    unknown = [reader for reader in tried if reader.id not in probes]
    mix = Counter(reader.language for reader in chosen)
    first = f", before it {sum(probe_of(r).bytes for r in unknown) / 1e6:,.1f} MB of probes" if unknown else ""
    return (
        f"{len(chosen)} speakers of {rules.speakers} wanted: {', '.join(f'{n} {name}' for name, n in mix.items())}\n"
        f"left out: {sieve}\n"
        f"to fetch: {sum(p.bytes for p in pieces) / 1e6:,.1f} MB of sound in {len(pieces)} requests{first}; "
        f"disk: about {disk_needed(seconds, keep_wav=keep_wav) / 1e6:,.0f} MB; "
        f"about {seconds / 60 * SEGMENTS_A_MINUTE:,.0f} segments"
    )


def readers_csv(chosen: list[Reader], probes: Probes) -> str:
    """readers.csv: who is in the dataset; what was estimated is called so."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    estimates = ("snr_estimate_db", "bandwidth_estimate_hz", "pitch_estimate_hz", "voice_estimate")
    writer.writerow(["speaker", "reader_id", "name", "language", *estimates])
    for reader in chosen:
        probe = probes[reader.id]
        heard = (probe.snr, probe.bandwidth, probe.pitch, probe.voice)
        writer.writerow([reader.speaker, reader.id, reader.name, reader.language, *heard])
    return table.getvalue()
