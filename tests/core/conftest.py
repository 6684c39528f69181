"""What several tests of the library need: prepared segments of the example voices."""

import numpy as np
import pytest

from core.segments import prepare

VOICES = ["amina_test", "jo_test", "kofi_test", "mei_test", "sven_test"]


@pytest.fixture(scope="module", params=VOICES)
def prepared(request, voice) -> np.ndarray:
    """A segment of an example voice, as `core.segments.prepare` makes it."""
    return prepare(voice(request.param).between(1.0, 6.0))
