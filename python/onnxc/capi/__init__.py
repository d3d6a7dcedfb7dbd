"""The modules of onnxruntime.capi that client code imports from."""
