# ResNet-50: a GFLV2 detector on mmdet's ResNet-50, from scratch, to compare with.
# Paper: ResNet, CVPR 2016, https://arxiv.org/abs/1512.03385; GFLV2, CVPR 2021, https://arxiv.org/abs/2011.12885
# Command: torchrun --nproc_per_node=8 \
#     -m lightnas train-det --config configs/detection/gfl_r50.py --data data/coco --skip-bad-images
# Cost: backbone 83.6 G FLOPs at 800 x 1280, 23.5 M parameters; 73 epochs of COCO on 8 GPUs x 2 pictures.
# Published box AP on COCO val with this recipe: 44.7 (29.1 / 48.1 / 56.6 small / medium / large).
_base_ = "./_base_/gflv2.py"

model = dict(
    backbone=dict(
        type="ResNet",
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type="BN", requires_grad=True),
        norm_eval=False,
        zero_init_residual=True,
        style="pytorch",
    )
)
optimizer = dict(lr=0.01)
