"""What people have to train on, brought to one form, and pictures with boxes to look at.

``coco`` finds and checks data in COCO format and writes the one canonical form that everything
behind it reads; what reads another layout belongs into ``layouts`` and hands over a ``split.CocoSplit``.
The check: ``source`` scans the JSON, ``annotations`` types it, ``headers`` looks at the pictures,
``placing`` and ``geometry`` put boxes where the network sees them, ``faults`` names what is bad,
``canonical`` writes, ``memory`` remembers. ``demo_data`` makes small sets offline: of ``digits``, or
of ``emoji`` (``sprites``) in ``photographs``. ``summary`` says what a set holds and what may be
wrong with it, ``sheet`` shows it, ``pictures`` draws boxes, ``export`` writes what was found as
other tools read it, and ``fingerprint`` tells data from other data. Nothing here knows of a
detector or of a framework.
"""
