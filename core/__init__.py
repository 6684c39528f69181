"""The library behind the app. It sends nothing anywhere, and neither may what it is built on.

Begin with `recognizer`, which goes the whole way from sound to answers, and enrols. What else there is, by what it is
about, in the order of the way:

- sound: `audio`, `ffmpeg`, `ffmpeg_worker`, `cut_off`, and where it comes from, `sources/`
- speech, 5 s at a time: `activity`, `bandwidth`, `segments`, `repeats`, `rooms`
- what the networks see: `spectrogram`; `spectral`, `acoustic_classes`, `feature_words`
- embeddings: `embedder`, `onnx_constants`, `side_by_side`
- decisions: `heads`, `crowd`, `nearness`, `timeline`
- learning a person: `enrolment`, `coherence`, `enrolled`, `names`
- the store: `speakers`, `person_rows`, `session_rows`, `corrections`, `database`, `misfits`, `set_aside`, `salvage`; to
  another computer: `people_file`
- looking closer: `comparison`, `curves`, `self_check`, `person_check`, `sureness`, `microphone_match`, `explain`,
  `embedding_map`, `channels`, `chart`, `chart_svg`
- what can go wrong: `errors`

The app does without the rest, which scripts use:

- datasets: `dataset/`, `examples`, `augment`
- training: `networks`, `network_layers`, `network_campplus`, `training`, `operations`, `original`; teachers and rivals:
  `campplus`, `rival`
- from a trained run to what ships: `exchange`, `onnx_layout`, `held_out`, `compensation`, `calibration`
- measuring: `protocol`, `evaluation`, `resampling`, `contest`, `learning_curves`, `transfer`, `architectures`;
  `report`, `report_sections`, `chart_png`; `ceilings`, `pace`, `packages`
"""

import os

# ONNX Runtime's official builds report their use to Microsoft unless told not to, from 1.32 on also on Linux and macOS;
# this has to be said before it is loaded (onnxruntime/Privacy.md). Held by tests/test_no_network.py.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
