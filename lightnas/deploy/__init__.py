"""A trained detector where neither torch nor mmdet is: one ONNX file, boxes out.

    from lightnas.deploy import Detector

    boxes, scores, labels = Detector("detector.onnx")("street.jpg")

Needs onnxruntime, numpy and Pillow. ``lightnas export-det`` writes the file (room ``detection``).

    detector               ``Detector``, what it finds
    detecting, testing     ``detect`` and ``test-det`` of an ONNX file
    network                the file, opened and run
    contents, wire         what may be in it, read before onnxruntime does
    metadata, resize       what it says of itself; how pictures are brought to its size
    precision, agreement   fewer bits; how far boxes are from those of fp32
    speed, sample, steps   seconds, side by side; some of many pictures; how far a work is
    latency                seconds of one file, in any runtime
"""

from .detector import Detections, Detector

__all__ = ["Detections", "Detector"]
