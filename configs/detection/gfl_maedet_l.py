# MAE-DET-L: a GFLV2 detector on our structure of that size, configs/structures/maedet_l.txt.
# Paper: MAE-DET, ICML 2022, https://arxiv.org/abs/2111.13336; GFLV2, CVPR 2021, https://arxiv.org/abs/2011.12885
# Command: torchrun --nproc_per_node=8 \
#     -m lightnas train-det --config configs/detection/gfl_maedet_l.py --data data/coco --skip-bad-images
# Cost: backbone 159.4 G FLOPs at 800 x 1280, 44.5 M parameters; 73 epochs of COCO on 8 GPUs x 2 pictures.
# The published box AP on COCO val, 47.8 (30.3 / 51.9 / 61.1 small / medium / large), belongs to the published
# structure, which is not ours. For that one, and for the published weights, replace structure_txt by its txt, and add
# loss_cls=dict(use_sigmoid=False) to bbox_head, which gives gfl_cls the extra channel that those weights have.
_base_ = "./_base_/gflv2.py"

model = dict(
    backbone=dict(type="MadNas", structure_txt="{{ fileDirname }}/../structures/maedet_l.txt"),
    neck=dict(in_channels=[232, 880, 1440, 2184]),
)
