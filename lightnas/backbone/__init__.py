"""The backbone in torch: the network itself, its weights in another structure, what it measures, and
its ONNX file."""

from .carrying import Carried, carry
from .features import FeatureInfo, Features, features_only
from .net import CnnNet, Focus

__all__ = ["Carried", "CnnNet", "FeatureInfo", "Features", "Focus", "carry", "features_only"]
