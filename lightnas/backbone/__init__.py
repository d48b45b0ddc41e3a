"""The backbone in torch: the network itself, its weights in another structure, what it measures, and
its ONNX file."""

from .carrying import Carried, carry
from .net import CnnNet, Focus

__all__ = ["Carried", "CnnNet", "Focus", "carry"]
