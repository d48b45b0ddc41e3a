"""COCO's evaluation by pycocotools, as mmdet runs it, and by ours, on the same detections: ``python
-m benchmarks.evaluation [PICTURES]``.

Drawn: 80 classes, some as frequent as others are rare, 7 objects a picture, and 100 detections a
picture, of which most of the better ones lie near an object. Both start from mmdet's arrays; each
runs in a process of its own, one after the other, so that one's memory is not the other's.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import resource
import sys
import time
from types import SimpleNamespace

import numpy as np

PICTURES, CLASSES, OBJECTS, FOUND = 5000, 80, 7, 100


def drawn(n_pictures, seed=0):
    """What of a ``CocoDataset`` is looked at, and detections as mmdet gives them."""
    from pycocotools.coco import COCO

    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, CLASSES + 1)
    annotations, detections = [], []
    for image in range(1, n_pictures + 1):
        n = rng.poisson(OBJECTS)
        labels = rng.choice(CLASSES, n, p=weights / weights.sum())
        sizes = np.exp(rng.uniform(np.log(8), np.log(400), (n, 2)))
        boxes = np.concatenate([rng.uniform(0, 600, (n, 2)), sizes], axis=1).round(2)
        annotations += [
            {"id": len(annotations) + i + 1, "image_id": image, "category_id": int(label) + 1,
             "bbox": box.tolist(), "area": float(box[2] * box[3] * 0.7), "iscrowd": int(rng.random() < 0.02)}
            for i, (label, box) in enumerate(zip(labels, boxes, strict=True))
        ]  # fmt: skip
        around = rng.integers(0, max(n, 1), FOUND)
        near = boxes[around] if n else np.tile([50.0, 50, 90, 90], (FOUND, 1))
        near = near + rng.normal(0, 0.12, (FOUND, 4)) * np.tile(near[:, 2:], 2)
        classes = labels[around] if n else np.zeros(FOUND, int)
        wrong = rng.random(FOUND) < 0.3
        classes = np.where(wrong, rng.integers(0, CLASSES, FOUND), classes)
        corners = np.concatenate([near[:, :2], near[:, :2] + np.abs(near[:, 2:]) + 1], axis=1)
        rows = np.column_stack([corners, rng.beta(1, 4, FOUND)]).astype(np.float32)
        detections.append([rows[classes == k] for k in range(CLASSES)])
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": i, "width": 1000, "height": 1000} for i in range(1, n_pictures + 1)],
        "categories": [{"id": k, "name": str(k)} for k in range(1, CLASSES + 1)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    dataset = SimpleNamespace(
        coco=coco, img_ids=list(range(1, n_pictures + 1)), cat_ids=list(range(1, CLASSES + 1))
    )
    return dataset, detections


def xywh(row):
    x1, y1, x2, y2 = row[:4].tolist()
    return [x1, y1, x2 - x1, y2 - y1]


def pycocotools(dataset, detections):
    """AP and the like as mmdet has them: results as JSON rows, then COCOeval."""
    from pycocotools.cocoeval import COCOeval

    rows = [
        {"image_id": image, "category_id": k + 1, "score": float(row[4]), "bbox": xywh(row)}
        for image, found in zip(dataset.img_ids, detections, strict=True)
        for k, of_class in enumerate(found)
        for row in of_class
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(dataset.coco, dataset.coco.loadRes(rows), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return list(run.stats[:6])


def ours(dataset, detections):
    """The same figures, without what ``evaluate_boxes`` gives beside them."""
    from lightnas.found.evaluation import METRICS, average, coco_precision
    from lightnas.found.objects import found_objects, true_objects

    true, found = true_objects(dataset), found_objects(dataset, detections)
    precision = coco_precision(true, found, len(dataset.img_ids), len(dataset.cat_ids))
    return [average(precision, key) for key in METRICS]


def everything(dataset, detections):
    """Figures of each class, curves and the confusion matrix too."""
    from lightnas.found.evaluation import METRICS, evaluate_boxes
    from lightnas.found.objects import found_objects, true_objects

    true, found = true_objects(dataset), found_objects(dataset, detections)
    names = [str(key) for key in dataset.cat_ids]
    metrics = evaluate_boxes(true, found, len(dataset.img_ids), names).metrics
    return [metrics[key] for key in METRICS]


def timed(name, n_pictures, connection):
    """Figures, seconds and the memory that was added, of one way."""
    import lightnas.found.evaluation  # noqa: F401 (not what is timed)

    dataset, detections = drawn(n_pictures)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    figures = globals()[name](dataset, detections)
    seconds = time.perf_counter() - start
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    connection.send((figures, seconds, added))


def main(n_pictures):
    """A row a way."""
    context = multiprocessing.get_context("spawn")
    results = {}
    for name in ("pycocotools", "ours", "everything"):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=timed, args=(name, n_pictures, sender))
        process.start()
        results[name] = receiver.recv()
        process.join()
    print(f"{n_pictures:,} pictures, {n_pictures * FOUND:,} detections, {CLASSES} classes")
    reference, slow, _ = results["pycocotools"]
    for name, (figures, seconds, added) in results.items():
        off = max(abs(a - b) for a, b in zip(figures, reference, strict=True))
        print(
            f"{name:12} {seconds:7.2f} s  {slow / seconds:5.1f} times as fast  {added:7.0f} MB  "
            f"AP {figures[0]:.6f}, off by {off:.1e} at most"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
