"""A clip of kept speech for a player: a file in the private folder, gone with the next clip, the page or the person."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.audio import Audio
from demo.exporting import private_folder
from demo.leavings import discard


class HeardClip:
    """One per session; a copy is always a fresh one. `path`: of the file, None where there is none."""

    def __init__(self):
        self.path: str | None = None

    def __deepcopy__(self, _memo) -> HeardClip:
        return HeardClip()

    def show(self, sound: Audio | None) -> str | None:
        """Write `sound` in the place of the clip before; its path, None for no sound."""
        self.leave()
        if sound is not None:
            import soundfile

            self.path = str(Path(tempfile.mkdtemp(prefix="clip-", dir=private_folder())) / "segment.wav")
            soundfile.write(self.path, sound.samples, sound.rate, subtype="PCM_16")
        return self.path

    def leave(self) -> None:
        """Delete the clip."""
        discard([self.path])
        self.path = None
