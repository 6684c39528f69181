"""Which microphone is meant: numbers change when one is plugged in, and Windows has each of them several times.

Only the table of devices is made up: no machine has them all.
"""

from types import SimpleNamespace

import pytest

from core.errors import MicrophoneError
from core.sources import microphone
from core.sources.microphone import devices, find_device
from demo.live import device_choices

LAPTOP, USB, BLUETOOTH = "Built-in microphone", "USB headset", "Bluetooth handsfree"
REALTEK = "Microphone Array (Realtek High Definition Audio)"


@pytest.fixture
def plugged_in(monkeypatch):
    """`plugged_in(name, ...)`: these are there now; a name or (sound system, name), the default first."""
    table = []

    def query_devices(kind=None):
        return table if kind is None else table[0]

    stand_in = {"query_devices": query_devices, "_terminate": lambda: None, "_initialize": lambda: None}
    stand_in["PortAudioError"] = OSError
    monkeypatch.setattr(microphone, "_sounddevice", lambda: SimpleNamespace(**stand_in))

    def plug(*names: str | tuple[int, str]) -> None:
        pairs = [(0, name) if isinstance(name, str) else name for name in names]
        usual = {"default_samplerate": 48_000.0, "max_input_channels": 1}
        table[:] = [usual | {"index": i, "name": name, "hostapi": at} for i, (at, name) in enumerate(pairs)]

    return plug


def test_the_microphone_that_was_chosen_is_opened_whatever_was_plugged_in_since(plugged_in):
    plugged_in(LAPTOP, USB)
    shown, _ = device_choices()
    chosen = dict(shown)[USB]
    assert find_device(chosen).name == USB
    plugged_in(LAPTOP, BLUETOOTH, USB)
    assert (find_device(chosen).name, find_device(chosen).index) == (USB, 2)
    plugged_in(LAPTOP, BLUETOOTH)
    with pytest.raises(MicrophoneError, match="called '1 USB headset'; there are: 0 Built-in .*, 1 Bluetooth"):
        find_device(chosen)


def test_two_of_a_kind_are_told_apart_by_their_number(plugged_in):
    plugged_in(LAPTOP, USB, USB)
    shown, _ = device_choices()
    assert [find_device(value).index for _, value in shown[1:]] == [0, 1, 2]
    assert find_device(2).index == find_device("2").index == 2
    with pytest.raises(MicrophoneError, match="no single input device is called 'USB headset'"):
        find_device(USB)


def test_what_windows_lists_several_times_is_one_microphone(plugged_in):
    mme, sound, wasapi = [(0, REALTEK[:31]), (0, "Jabra")], [(1, "Jabra"), (1, REALTEK)], [(2, REALTEK), (2, "Jabra")]
    plugged_in(*mme, *sound, *wasapi, (2, "Line in"))
    assert [(one.index, one.name) for one in devices()] == [(0, REALTEK[:31]), (1, "Jabra"), (6, "Line in")]
    assert find_device("jabra").index == find_device("Jab").index == 1
    assert find_device(REALTEK).index == 3 and find_device("realtek").index == 0
    assert find_device(5).index == 5
    plugged_in(*wasapi, *mme)  # whose default is another
    assert [(one.index, one.name) for one in devices()] == [(0, REALTEK), (1, "Jabra")]
    with pytest.raises(MicrophoneError, match=r"there are: 0 Microphone Array [^,]*, 1 Jabra$"):
        find_device("Grand Piano")
