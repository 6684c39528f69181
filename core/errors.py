"""Every error this project raises on purpose, as one tree.

    SpeakerError                 root: catch this to catch them all
    ├── AudioError               what was given is not usable sound
    │   ├── DecodeError          empty, truncated, or not audio at all
    │   ├── AudioTooLong         longer than the stated cap
    │   └── EnrolmentRefused     sound, but not good enough to learn a voice from
    │       └── VoiceInDoubt     good sound, but perhaps not the voice it is said to be: ask, then insist
    ├── SourceError              where the sound should come from
    │   ├── LinkError            no link, a host that is not allowed, or a link that cannot be had
    │   ├── FetchError           a server of audiobooks that does not give what was asked for
    │   │   └── FileRefused      one of its files that is not there, or is not sound
    │   ├── MicrophoneError      no input device, or it went away
    │   └── Cancelled            the user stopped it
    ├── StoreError               the speaker store
    │   ├── InvalidName          a name that cannot be used
    │   ├── DuplicateName        that name is taken
    │   ├── UnknownSpeaker       no such person
    │   ├── ConsentMissing       nobody said that the person agrees
    │   └── PeopleFileError      a file of people that cannot be taken up
    ├── ModelError               weights missing, altered, or of another version
    └── DatasetError             a training or evaluation folder that cannot be used

A message says what was found, what was needed and what to do. `Unknown` and `NotEnoughSpeech` are results (see
`core.heads`), not errors.
"""


def reason(error: BaseException) -> str:
    """Why something failed, in the operating system's words where it has any ("No space left on device")."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class SpeakerError(Exception):
    """Root of all errors raised on purpose; its text is written for the person at the screen."""


class AudioError(SpeakerError):
    """What was given is not usable sound."""


class DecodeError(AudioError):
    """Empty, truncated, or not audio at all."""


class AudioTooLong(AudioError):
    """Longer than the stated cap."""


class EnrolmentRefused(AudioError):
    """Sound, but not good enough to learn a voice from; nothing was stored."""


class VoiceInDoubt(EnrolmentRefused):
    """The voice is enrolled under another name, or is not that of the person; nothing was stored, unless insisted."""


class SourceError(SpeakerError):
    """The place the sound should come from did not deliver."""


class LinkError(SourceError):
    """No link, a host that is not allowed, or a link that cannot be had."""


class FetchError(SourceError):
    """A server of audiobooks that does not give what was asked for; trying again later may help."""


class FileRefused(FetchError):
    """One of its files that is not there, or is not sound; trying again does not help."""


class MicrophoneError(SourceError):
    """No input device, or it went away."""


class Cancelled(SourceError):
    """The user stopped it."""


class StoreError(SpeakerError):
    """The speaker store could not do what was asked."""


class InvalidName(StoreError):
    """A name that cannot be used."""


class DuplicateName(StoreError):
    """That name is taken."""


class UnknownSpeaker(StoreError):
    """No such person is enrolled."""


class ConsentMissing(StoreError):
    """Nobody said that the person agrees to be enrolled; nothing was stored."""


class PeopleFileError(StoreError):
    """A file of people that cannot be taken up, or made."""


class ModelError(SpeakerError):
    """Weights are missing, altered, or of another version."""


class DatasetError(SpeakerError):
    """A training or evaluation folder that cannot be used."""
