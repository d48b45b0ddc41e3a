# ResNet-101: a GFLV2 detector on mmdet's ResNet-101, from scratch, to compare with.
# Paper: ResNet, CVPR 2016, https://arxiv.org/abs/1512.03385; GFLV2, CVPR 2021, https://arxiv.org/abs/2011.12885
# Command: torchrun --nproc_per_node=8 \
#     -m lightnas train-det --config configs/detection/gfl_r101.py --data data/coco --skip-bad-images
# Cost: backbone 159.5 G FLOPs at 800 x 1280, 42.4 M parameters; 73 epochs of COCO on 8 GPUs x 2 pictures.
# Published box AP on COCO val with this recipe: 46.3 (29.9 / 50.1 / 58.7 small / medium / large).
_base_ = "./gfl_r50.py"

model = dict(backbone=dict(depth=101))
optimizer = dict(lr=0.02)
