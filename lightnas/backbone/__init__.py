"""The backbone in torch: the network itself, what it measures, and its ONNX file."""

from .features import FeatureInfo, Features, features_only
from .net import CnnNet, Focus

__all__ = ["CnnNet", "FeatureInfo", "Features", "Focus", "features_only"]
