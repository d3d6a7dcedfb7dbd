"""The exception classes, named as in onnxruntime.capi.onnxruntime_pybind11_state."""


class Fail(Exception):
    """Anything that has no class of its own."""


class InvalidArgument(Exception):
    """A wrong name, type, rank or dim in a call."""


class NoSuchFile(Exception):
    """A model file cannot be opened."""


class NoModel(Exception):
    """No model was given."""


class EngineError(Exception):
    pass


class RuntimeException(Exception):
    """An operator met data that it must refuse, or memory ran out."""


class InvalidProtobuf(Exception):
    """The model is not an ONNX file."""


class ModelLoaded(Exception):
    pass


class NotImplemented(Exception):
    """The model needs an operator, version or type that onnxc lacks."""


class InvalidGraph(Exception):
    """The model breaks ONNX's rules, or a library is not a whole compiled model."""


class EPFail(Exception):
    pass


class NotFound(Exception):
    pass


class Incompatible(Fail):
    """A compiled model made for another processor, or by another version of onnxc."""


class CompileError(Exception):
    """The compiler refused a model. The message is one line."""


class ModelLoadCanceled(Exception):
    pass


class ModelRequiresCompilation(Exception):
    pass


class DeviceReset(Exception):
    pass


__all__ = [name for name, value in list(globals().items()) if isinstance(value, type)]
ALL = tuple(globals()[name] for name in __all__)
