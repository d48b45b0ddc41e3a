"""The backbone in torch: the network itself, what it measures, and its ONNX file."""

from .net import CnnNet, Focus

__all__ = ["CnnNet", "Focus"]
