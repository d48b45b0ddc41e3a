"""lightnas finds detection backbones without training any network.

    from lightnas.search import search

    result = search("k1kxk1", flops=83.6e9, params=25.6e6, layers=91)

Modules, in the order in which they build on each other: ``blocks`` (what a block is made of), ``structure`` (the txt),
``cost``, ``entropy``, ``space``, ``problem``, ``bound``, ``evolution``, ``proof``, ``search``, ``cli``. The torch
backbone is ``backbone``; the detector is the package ``detection`` beside this one.
"""

__version__ = "0.1.0"
