"""Where sound comes from: `file`, `microphone`, `youtube`. Each gives 16 kHz mono `Audio` in blocks."""
