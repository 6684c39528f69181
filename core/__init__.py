"""The library behind the app. It sends nothing anywhere, and neither may what it is built on."""

import os

# ONNX Runtime's official builds report their use to Microsoft unless told not to, from 1.32 on also on Linux and macOS;
# this has to be said before it is loaded (onnxruntime/Privacy.md). Held by tests/test_no_network.py.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
