"""What a network is: blocks, stages, structure; and what follows: cost, entropy, score.

numpy only.

    from lightnas.network import Structure

    structure = Structure.from_file("best.txt")
    structure.cost((800, 1280)).flops, structure.widths

``blocks`` describes each block once; ``stages`` and ``structure`` put them together; ``cost``,
``entropy`` and ``score`` read the descriptions. A function that is called as a module (``cost``,
``score``) is imported from its module.
"""

from .blocks import BLOCKS, Block, BlockType, Conv, Layer
from .cost import INPUT_SIZE, Cost
from .detector import Detector
from .entropy import ALPHA, entropies
from .published import PUBLISHED
from .score import score_structures
from .structure import Structure, format_structures, parse_structures, read_structures

__all__ = [
    "ALPHA",
    "BLOCKS",
    "INPUT_SIZE",
    "PUBLISHED",
    "Block",
    "BlockType",
    "Conv",
    "Cost",
    "Detector",
    "Layer",
    "Structure",
    "entropies",
    "format_structures",
    "parse_structures",
    "read_structures",
    "score_structures",
]
