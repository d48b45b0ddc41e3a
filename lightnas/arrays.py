"""Names for the arrays that rooms hand to each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Genomes = NDArray[np.int64]
