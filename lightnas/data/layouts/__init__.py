"""The layouts that people's data have, each brought to COCO's three lists.

``find_data`` tells the layout of a folder and reads its splits. A layout is a module with
``LOOKED_FOR``, ``looks`` and ``read``, and an entry in ``LAYOUTS``: ``coco`` (with the exports of
Roboflow, CVAT and Label Studio), ``yolo``, ``voc``. What they read is checked behind them, by
``check_split``, as any other annotation file is.
"""

from .find import LAYOUTS, find_data
from .found import Found

__all__ = ["LAYOUTS", "Found", "find_data"]
