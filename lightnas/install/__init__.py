"""What the detection stage needs of this machine, whether it is there, and how it gets there.

``doctor`` compares what is installed with what setup.cfg asks for, ``setup_det`` installs mmcv
without a compiler, and ``operators`` says which of mmcv's operators run. None of them imports torch
or mmdet to begin with.
"""
