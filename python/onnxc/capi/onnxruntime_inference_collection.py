"""The classes of onnxruntime.capi.onnxruntime_inference_collection."""

from onnxc._binding import IOBinding  # noqa: F401
from onnxc._session import InferenceSession  # noqa: F401
from onnxc._values import OrtDevice, OrtValue  # noqa: F401
