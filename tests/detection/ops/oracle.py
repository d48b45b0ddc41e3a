"""Slow, plain answers to compare with: one box, one sample, one number at a time, in the words of
the papers and of mmcv."""

import math
from itertools import product

import numpy as np

F = np.float32


def iou(a, b, offset):
    """In float32 all the way; nan where it is no number."""
    with np.errstate(all="ignore"):
        area_a, area_b = (
            (box[2] - box[0] + F(offset)) * (box[3] - box[1] + F(offset)) for box in (a, b)
        )
        width = max(F(0), min(a[2], b[2]) - max(a[0], b[0]) + F(offset))
        height = max(F(0), min(a[3], b[3]) - max(a[1], b[1]) + F(offset))
        return width * height / (area_a + area_b - width * height)


def nms(boxes, order, threshold, offset):
    kept = []
    for i in order:
        if not any(iou(boxes[j], boxes[i], offset) > F(threshold) for j in kept):
            kept.append(i)
    return kept


def nms_match(boxes, order, threshold):
    groups = []
    for i in order:
        for group in groups:
            if iou(boxes[group[0]], boxes[i], 0) >= F(threshold):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def softnms(boxes, scores, threshold, sigma, min_score, method, offset):
    """Indices and scores. Boxes and scores move as in mmcv: the best to the front, the last into
    the place of one gone."""
    left = [(i, F(score)) for i, score in enumerate(scores)]
    taken = []
    while left:
        best = max(range(len(left)), key=lambda k: (left[k][1], -k))
        left[0], left[best] = left[best], left[0]
        taken.append(left.pop(0))
        k = 0
        while k < len(left):
            i, score = left[k]
            overlap = iou(boxes[taken[-1][0]], boxes[i], offset)
            if method == 2:
                factor = F(math.exp(-overlap * overlap / F(sigma)))
            else:
                factor = (
                    (F(1) - overlap if method == 1 else F(0)) if overlap >= F(threshold) else F(1)
                )
            left[k] = (i, score * factor)
            if left[k][1] < F(min_score):
                left[k] = left[-1]
                left.pop()
            else:
                k += 1
    return [i for i, _ in taken], [score for _, score in taken]


def bilinear(image, y, x):
    """Of an image (h, w), zeros outside."""
    total = 0.0
    for row, column in product(
        (math.floor(y), math.floor(y) + 1), (math.floor(x), math.floor(x) + 1)
    ):
        if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
            total += image[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def roi_sample(image, y, x):
    """Beyond the edge by up to one pixel a sample has the value at the edge; farther out it is
    zero."""
    height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    return bilinear(image, min(max(y, 0), height - 1), min(max(x, 0), width - 1))


def roi_align(maps, rois, bins, scale, sampling_ratio, aligned):
    result = np.zeros((len(rois), maps.shape[1], *bins))
    for k, (picture, *corners) in enumerate(rois):
        x0, y0, x1, y1 = (corner * scale - (0.5 if aligned else 0) for corner in corners)
        width, height = (x1 - x0, y1 - y0) if aligned else (max(x1 - x0, 1), max(y1 - y0, 1))
        for c, i, j in product(range(maps.shape[1]), range(bins[0]), range(bins[1])):
            down = sampling_ratio or math.ceil(height / bins[0])
            right = sampling_ratio or math.ceil(width / bins[1])
            samples = [
                roi_sample(
                    maps[int(picture), c],
                    y0 + (i + (a + 0.5) / down) * height / bins[0],
                    x0 + (j + (b + 0.5) / right) * width / bins[1],
                )
                for a, b in product(range(down), range(right))
            ]
            result[k, c, i, j] = sum(samples) / max(len(samples), 1)
    return result


def focal_loss(logits, target, gamma, alpha, weight=None):
    result = np.zeros(logits.shape)
    for n, c in product(*map(range, logits.shape)):
        p = 1 / (1 + math.exp(-logits[n, c]))
        if target[n] == c:
            result[n, c] = -alpha * (1 - p) ** gamma * math.log(p)
        else:
            result[n, c] = -(1 - alpha) * p**gamma * math.log(1 - p)
        if weight is not None and target[n] < len(weight):
            result[n, c] *= weight[target[n]]
    return result


def deform_conv(x, offset, mask, weight, stride, padding, dilation, groups, offset_groups):
    n, c = x.shape[:2]
    c_out, per_group, *kernel = weight.shape
    taps = kernel[0] * kernel[1]
    result = np.zeros((n, c_out, *offset.shape[2:]))
    for b, o, i, j in product(*map(range, result.shape)):
        group = o // (c_out // groups)
        for k, (t, (u, v)) in product(range(per_group), enumerate(product(*map(range, kernel)))):
            channel = group * per_group + k
            part = channel // (c // offset_groups)
            at = 2 * (part * taps + t)
            value = bilinear(
                x[b, channel],
                i * stride - padding + u * dilation + offset[b, at, i, j],
                j * stride - padding + v * dilation + offset[b, at + 1, i, j],
            )
            result[b, o, i, j] += weight[o, k, u, v] * value * mask[b, part * taps + t, i, j]
    return result


def attention(value, shapes, locations, weights):
    n, _, heads, channels = value.shape
    queries, levels, points = locations.shape[1], *locations.shape[3:5]
    result = np.zeros((n, queries, heads, channels))
    for b, q, h, c, level, p in product(*map(range, (n, queries, heads, channels, levels, points))):
        height, width = shapes[level]
        first = sum(a * b for a, b in shapes[:level])
        image = value[b, first : first + height * width, h, c].reshape(height, width)
        x, y = locations[b, q, h, level, p]
        result[b, q, h, c] += weights[b, q, h, level, p] * bilinear(
            image, y * height - 0.5, x * width - 0.5
        )
    return result.reshape(n, queries, heads * channels)
