"""GFocalHead: the GFLV2 head (Li et al., CVPR 2021, arXiv 2011.12885), as far as it differs from
mmdet's GFLHead (v1)."""

from __future__ import annotations

from typing import Any

import torch
from mmcv.cnn import Scale
from mmcv.runner import force_fp32
from mmdet.core import bbox_overlaps, multi_apply, multiclass_nms, reduce_mean
from mmdet.models.builder import HEADS
from mmdet.models.dense_heads import GFLHead
from torch import Tensor, nn


@HEADS.register_module()
class GFocalHead(GFLHead):
    """Classification scores weighted by a box quality that is read off the shape of the box
    distributions.

    The four distributions of a location are sorted; their ``reg_topk`` largest probabilities, and
    the mean of those, say how sure the box is. ``reg_conf``, two 1x1 convolutions, turns them into
    a quality in 0 ... 1, and

        score = sigmoid(gfl_cls) * quality

    is a probability: neither the loss nor the box selection applies a sigmoid to it again.

    Args:
        num_classes, in_channels, and all others: as GFLHead.
        loss_cls: QualityFocalLoss. Published configs say ``use_sigmoid=False`` and have one more
            channel, for the background, whose target is always 0; both spellings work, each with
            its own number of channels.
        reg_topk: probabilities kept of each distribution.
        reg_channels: hidden channels of ``reg_conf``.
        add_mean: whether the mean of the kept probabilities is one more input.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        loss_cls: dict[str, Any] | None = None,
        reg_topk: int = 4,
        reg_channels: int = 64,
        add_mean: bool = True,
        **kwargs: Any,
    ) -> None:
        # Set before the parent builds the layers, which it does in its own __init__.
        self.reg_topk = reg_topk
        self.reg_channels = reg_channels
        self.add_mean = add_mean
        loss_cls = dict(loss_cls or {"type": "QualityFocalLoss", "beta": 2.0, "loss_weight": 1.0})
        self.has_background = not loss_cls.get("use_sigmoid", True)
        loss_cls |= {"use_sigmoid": True, "activated": True}
        super().__init__(num_classes, in_channels, loss_cls=loss_cls, **kwargs)

    def _init_layers(self) -> None:
        if self.has_background:
            self.cls_out_channels = self.num_classes + 1
        super()._init_layers()
        self.scales = nn.ModuleList(Scale(1.0) for _ in self.prior_generator.strides)
        c_in = 4 * (self.reg_topk + int(self.add_mean))
        self.reg_conf = nn.Sequential(
            nn.Conv2d(c_in, self.reg_channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(self.reg_channels, 1, 1),
            nn.Sigmoid(),
        )

    def forward_single(self, x: Tensor, scale: nn.Module) -> tuple[Tensor, Tensor]:
        """Of one level (N, in_channels, H, W): scores (N, cls_out_channels, H, W) in 0 ... 1, and
        the logits of the box distributions (N, 4 * (reg_max + 1), H, W)."""
        cls_feat = reg_feat = x
        for conv in self.cls_convs:
            cls_feat = conv(cls_feat)
        for conv in self.reg_convs:
            reg_feat = conv(reg_feat)
        bbox_pred = scale(self.gfl_reg(reg_feat)).float()
        # In float32, and outside the half precision of mixed-precision training: the loss takes the
        # logarithm of the score.
        score = (
            self.gfl_cls(cls_feat).float().sigmoid()
            * self.reg_conf(self._shape(bbox_pred).to(x.dtype)).float()
        )
        return score, bbox_pred

    def _shape(self, bbox_pred: Tensor) -> Tensor:
        """The input of ``reg_conf``: (N, 4 * (reg_topk + add_mean), H, W)."""
        n, _, height, width = bbox_pred.shape
        probability = bbox_pred.reshape(n, 4, self.reg_max + 1, height, width).softmax(dim=2)
        shape = probability.topk(self.reg_topk, dim=2)[0]
        if self.add_mean:
            shape = torch.cat([shape, shape.mean(dim=2, keepdim=True)], dim=2)
        return shape.reshape(n, -1, height, width)

    def loss_single(
        self,
        anchors: Tensor,
        cls_score: Tensor,
        bbox_pred: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        bbox_targets: Tensor,
        stride: tuple[int, int],
        num_total_samples: float,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of one level: QFL, box loss and DFL, the last two not yet averaged, and the sum of the
        box weights."""
        anchors, bbox_targets = anchors.reshape(-1, 4), bbox_targets.reshape(-1, 4)
        cls_score = cls_score.permute(0, 2, 3, 1).reshape(-1, self.cls_out_channels)
        bbox_pred = bbox_pred.permute(0, 2, 3, 1).reshape(-1, 4 * (self.reg_max + 1))
        labels, label_weights = labels.reshape(-1), label_weights.reshape(-1)
        quality = label_weights.new_zeros(labels.shape)
        positive = ((labels >= 0) & (labels < self.num_classes)).nonzero().squeeze(1)
        if len(positive):
            centers = self.anchor_center(anchors[positive]) / stride[0]
            targets = bbox_targets[positive] / stride[0]
            distributions = bbox_pred[positive]
            boxes = self.bbox_coder.decode(centers, self.integral(distributions))
            quality[positive] = bbox_overlaps(boxes.detach(), targets, is_aligned=True)
            weights = cls_score.detach()[positive].max(dim=1)[0]
            loss_bbox = self.loss_bbox(boxes, targets, weight=weights, avg_factor=1.0)
            loss_dfl = self.loss_dfl(
                distributions.reshape(-1, self.reg_max + 1),
                self.bbox_coder.encode(centers, targets, self.reg_max).reshape(-1),
                weight=weights[:, None].expand(-1, 4).reshape(-1),
                avg_factor=4.0,
            )
        else:
            loss_bbox = loss_dfl = bbox_pred.sum() * 0
            weights = bbox_pred.new_zeros(1)
        loss_cls = self.loss_cls(
            cls_score, (labels, quality), weight=label_weights, avg_factor=num_total_samples
        )
        return loss_cls, loss_bbox, loss_dfl, weights.sum()

    @force_fp32(apply_to=("cls_scores", "bbox_preds"))
    def loss(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        gt_bboxes: list[Tensor],
        gt_labels: list[Tensor],
        img_metas: list[dict[str, Any]],
        gt_bboxes_ignore: list[Tensor] | None = None,
    ) -> dict[str, list[Tensor]] | None:
        """Losses of each level: loss_cls, loss_bbox, loss_dfl.

        Box losses are divided by the plain sum of the box weights of all levels (the mean of it
        over processes), as published; GFLHead never divides by less than 1, which trains
        differently. Without any object they are zero.

        Raises:
            FloatingPointError: a score is no number (torch's cross entropy would end the process on
                a GPU).
        """
        if not torch.stack([score.detach().sum() for score in cls_scores]).isfinite().all():
            raise FloatingPointError("the detector's scores are no longer numbers")
        device = cls_scores[0].device
        anchors, flags = self.get_anchors(
            [score.shape[-2:] for score in cls_scores], img_metas, device=device
        )
        targets = self.get_targets(
            anchors, flags, gt_bboxes, img_metas, gt_bboxes_ignore_list=gt_bboxes_ignore, gt_labels_list=gt_labels,
            label_channels=self.cls_out_channels,
        )  # fmt: skip
        if targets is None:
            return None
        anchors, labels, label_weights, bbox_targets, _, n_positive, _ = targets
        samples = (
            reduce_mean(torch.tensor(n_positive, dtype=torch.float, device=device))
            .clamp(min=1.0)
            .item()
        )
        loss_cls, loss_bbox, loss_dfl, weights = multi_apply(
            self.loss_single, anchors, cls_scores, bbox_preds, labels, label_weights, bbox_targets,
            self.prior_generator.strides, num_total_samples=samples,
        )  # fmt: skip
        total = reduce_mean(sum(weights)).item() or 1.0
        return {
            "loss_cls": loss_cls,
            "loss_bbox": [loss / total for loss in loss_bbox],
            "loss_dfl": [loss / total for loss in loss_dfl],
        }

    def _get_bboxes_single(
        self,
        cls_score_list: list[Tensor],
        bbox_pred_list: list[Tensor],
        score_factor_list: list[Any],
        mlvl_priors: list[Tensor],
        img_meta: dict[str, Any],
        cfg: Any,
        rescale: bool = False,
        with_nms: bool = True,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Boxes (n, 5) with scores and labels (n,) of one picture; without NMS boxes (n, 4) and
        scores (n, cls_out_channels + 1), the last column zero.

        Of each level, the ``nms_pre`` locations of the largest best score stay, with all their
        classes, as published. (GFLHead keeps the best pairs of location and class above the
        threshold instead.) Where weights have a channel for the background it competes like a
        class; mmdet's ``bbox2result`` then drops its boxes.
        """
        cfg = self.test_cfg if cfg is None else cfg
        all_boxes, all_scores = [], []
        for score, bbox_pred, stride, priors in zip(
            cls_score_list, bbox_pred_list, self.prior_generator.strides, mlvl_priors, strict=True
        ):
            score = score.permute(1, 2, 0).reshape(-1, self.cls_out_channels)
            distances = self.integral(bbox_pred.permute(1, 2, 0)) * stride[0]
            if 0 < cfg.get("nms_pre", -1) < len(score):
                best = score.max(dim=1)[0].topk(cfg.nms_pre)[1]
                score, distances, priors = score[best], distances[best], priors[best]
            all_boxes.append(
                self.bbox_coder.decode(
                    self.anchor_center(priors), distances, max_shape=img_meta["img_shape"]
                )
            )
            all_scores.append(score)
        boxes, scores = torch.cat(all_boxes), torch.cat(all_scores)
        if rescale:
            boxes = boxes / boxes.new_tensor(img_meta["scale_factor"])
        scores = torch.cat(
            [scores, scores.new_zeros(len(scores), 1)], dim=1
        )  # multiclass_nms drops a background column
        if not with_nms:
            return boxes, scores
        return multiclass_nms(boxes, scores, cfg.score_thr, cfg.nms, cfg.max_per_img)  # type: ignore[no-any-return]
