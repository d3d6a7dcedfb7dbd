"""What the package magika takes files for, as JSON; and whether onnxruntime is in the process."""

import json
import sys
from pathlib import Path

from magika import Magika

magika = Magika()
results = [magika.identify_path(path) for path in sys.argv[1:]]
print(
    json.dumps(
        {
            "model": magika.get_model_name(),
            "labels": [str(result.output.label) for result in results],
            "scores": [result.score for result in results],
            "onnxruntime": "libonnxruntime" in (maps := Path("/proc/self/maps").read_text()) or "/onnxruntime/" in maps,
        }
    )
)
