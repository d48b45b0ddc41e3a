"""What people have to train on, brought to one form, and pictures with boxes to look at.

``coco`` finds and checks data in COCO format, the one form that everything behind it reads; what
reads another layout belongs beside it and writes that form. ``demo_data`` makes a small set
offline. ``pictures`` draws boxes, ``export`` writes what was found as other tools read it, and
``fingerprint`` tells data from other data. Nothing here knows of a detector or of a framework.
"""
