"""AP against pycocotools, the confusion matrix against a plain loop, on drawn boxes."""

import contextlib
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.datasets import build_dataset
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lightnas.detection.measured import MMDET
from lightnas.found.confusion import confusion_matrix
from lightnas.found.evaluation import METRICS, evaluate_boxes, log_line
from lightnas.found.objects import found_objects, true_objects


@st.composite
def scenes(draw):
    """A split of up to four pictures with up to three classes, and what a detector found in it.

    Ids are drawn, in any order; scores and sides are few, so that they tie; boxes lie near each
    other, of all of COCO's sizes, true and found.
    """
    n_classes = draw(st.integers(1, 3))
    ids = draw(st.permutations([1, 3, 7, 40]))[: draw(st.integers(1, 4))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    categories = list(rng.permutation(9)[:n_classes] + 1)
    present = draw(st.integers(0, 2 ** (3 * n_classes) - 1))  # which sizes of which classes exist
    sides = (10, 50, 140)
    annotations, detections = [], []
    for image in ids:
        found = [[] for _ in categories]
        for label, category in enumerate(categories):
            for size, side in enumerate(sides):
                if not present >> (3 * label + size) & 1:
                    continue
                for _ in range(rng.integers(0, 3)):
                    x, y, w, h = (
                        rng.integers(0, 12),
                        rng.integers(0, 12),
                        *rng.choice([side, side + 8], 2),
                    )
                    box = [float(v) for v in (x, y, w, h)]
                    area = float(w * h) if rng.random() < 0.7 else float(w * h) / 2
                    annotations.append(
                        {"id": len(annotations) + 1, "image_id": int(image), "category_id": int(category),
                         "bbox": box, "area": area, "iscrowd": int(rng.random() < 0.15)}
                    )  # fmt: skip
                    for _ in range(rng.integers(0, 3)):
                        corners = np.array([x, y, x + w, y + h]) + rng.integers(
                            -side // 4, side // 4 + 1, 4
                        )
                        as_class = label if rng.random() < 0.7 else rng.integers(n_classes)
                        found[as_class].append([*corners, rng.integers(1, 8) / 8])
        for rows in found:
            rows += [[*rng.integers(0, 60, 2), *rng.integers(61, 200, 2), 0.5]] * int(
                rng.integers(0, 2)
            )
        detections.append([np.array(rows, np.float32).reshape(-1, 5) for rows in found])
    content = {
        "images": [
            {"id": int(i), "width": 400, "height": 400, "file_name": f"{i}.png"} for i in ids
        ],
        "categories": [{"id": int(c), "name": f"class {c}"} for c in categories],
        "annotations": annotations,
    }
    return content, detections


def dataset_of(content):
    """What of mmdet's CocoDataset is looked at."""
    coco = COCO()
    coco.dataset = json.loads(json.dumps(content))
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return SimpleNamespace(
        coco=coco,
        img_ids=[image["id"] for image in content["images"]],
        cat_ids=[category["id"] for category in content["categories"]],
    )


def ours(content, detections, score=0.3):
    dataset = dataset_of(content)
    classes = [category["name"] for category in content["categories"]]
    true, found = true_objects(dataset), found_objects(dataset, detections)
    return evaluate_boxes(true, found, len(dataset.img_ids), classes, score), true, found


def pycocotools(dataset, detections):
    """pycocotools on the same boxes, in the order of the pictures: its twelve numbers, and itself."""
    rows = [
        {"image_id": image, "category_id": dataset.cat_ids[label], "score": float(row[4]),
         "bbox": [float(row[0]), float(row[1]), float(row[2]) - float(row[0]), float(row[3]) - float(row[1])]}
        for image, found in sorted(zip(dataset.img_ids, detections, strict=True), key=lambda p: p[0])
        for label, of_class in enumerate(found)
        for row in of_class
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        result = COCO()
        result.dataset = dataset.coco.dataset | {"annotations": []}
        result.createIndex()
        run = COCOeval(dataset.coco, dataset.coco.loadRes(rows) if rows else result, "bbox")
        run.params.catIds = dataset.cat_ids
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats, run


def near(value, expected):
    """pycocotools says -1 where there is nothing to measure."""
    return value is None if expected == -1 else abs(value - expected) <= 1e-9


@settings(max_examples=150)
@given(scenes())
def test_the_numbers_are_those_of_pycocotools(scene):
    content, detections = scene
    result, _, _ = ours(content, detections)
    stats, run = pycocotools(dataset_of(content), detections)
    for key, expected in zip(METRICS, stats, strict=False):
        assert near(result.metrics[key], expected), key
    order = {category: k for k, category in enumerate(sorted(run.params.catIds))}
    for row, category in zip(result.metrics["per_class"], content["categories"], strict=True):
        precision = run.eval["precision"][:, :, order[category["id"]], 0, -1]
        for key, values in (("ap", precision), ("ap50", precision[0])):
            known = values[values > -1]
            assert near(row[key], known.mean() if known.size else -1)
        own = [a for a in content["annotations"]
               if a["category_id"] == category["id"] and not a["iscrowd"]]  # fmt: skip
        assert row["class"] == category["name"] and row["objects"] == len(own)
        assert row["pictures"] == len({a["image_id"] for a in own})
    assert result.metrics["images"] == len(content["images"])


def plain_confusion(content, detections, score):
    """As the docstring of ``confusion_matrix`` has it, box by box."""
    labels = {category["id"]: k for k, category in enumerate(content["categories"])}
    counts = [[0] * (len(labels) + 1) for _ in range(len(labels) + 1)]

    def overlap(box, other, crowd):
        w = min(box[2], other[0] + other[2]) - max(box[0], other[0])
        h = min(box[3], other[1] + other[3]) - max(box[1], other[1])
        shared, own = max(w, 0) * max(h, 0), (box[2] - box[0]) * (box[3] - box[1])
        return shared / (own if crowd else own + other[2] * other[3] - shared)

    for image, found in zip(content["images"], detections, strict=True):
        objects = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        free = [a for a in objects if not a["iscrowd"]]
        rows = [(k, row) for k, of_class in enumerate(found) for row in of_class.tolist()]
        for k, row in sorted(rows, key=lambda pair: -pair[1][4]):
            if row[4] < score:
                continue
            reached = [(labels[a["category_id"]] == k, overlap(row, a["bbox"], False), a) for a in free
                       if overlap(row, a["bbox"], False) >= 0.5]  # fmt: skip
            if reached:
                best = max(reached, key=lambda triple: triple[:2])[2]
                free.remove(best)
                counts[labels[best["category_id"]]][k] += 1
            elif not any(a["iscrowd"] and labels[a["category_id"]] == k
                         and overlap(row, a["bbox"], True) >= 0.5 for a in objects):  # fmt: skip
                counts[-1][k] += 1
        for left in free:
            counts[labels[left["category_id"]]][-1] += 1
    return counts


@settings(max_examples=150)
@given(scenes(), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_the_confusion_matrix_is_that_of_a_plain_loop(scene, score):
    content, detections = scene
    result, true, found = ours(content, detections, score)
    expected = plain_confusion(content, detections, score)
    assert result.details["confusion"]["counts"] == expected
    counts = confusion_matrix(true, found, len(content["categories"]), score)
    assert counts[:-1].sum() == (~true.crowd).sum()


@settings(max_examples=50)
@given(scenes())
def test_curves_fall_and_hold_the_ap(scene):
    result, _, _ = ours(*scene)
    curves = result.details["curves"]
    assert curves["recall"] == [round(i / 100, 2) for i in range(101)]
    for row, curve in zip(result.metrics["per_class"], curves["per_class"], strict=True):
        assert (curve is None) == (row["ap50"] is None) == (row["objects"] == 0)
        if curve is not None:
            assert curve == sorted(curve, reverse=True)
            assert np.mean(curve) == pytest.approx(row["ap50"], abs=1e-4)
    assert (curves["mean"] is None) == (result.metrics["ap"] is None)
    json.dumps([result.metrics, result.details], allow_nan=False)


def test_what_cannot_be_measured_is_no_number():
    """One small object that is found: nothing medium, nothing large, and a class without objects."""
    content = {
        "images": [{"id": 5, "width": 99, "height": 99, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 5, "category_id": 1, "bbox": [4, 4, 9, 9], "area": 81}
        ],
    }
    hit, none = np.array([[4, 4, 13, 13, 0.9]], np.float32), np.zeros((0, 5), np.float32)
    result, _, _ = ours(content, [[hit, none]])
    figures = [result.metrics[key] for key in METRICS]
    assert figures == [pytest.approx(1)] * 4 + [None, None]
    assert log_line(result.metrics) == "1.0000 1.0000 1.0000 1.0000 - -"
    assert [row["ap"] for row in result.metrics["per_class"]] == [pytest.approx(1), None]
    missed, _, _ = ours(content, [[none, none]])  # there is an object: that is a zero
    assert missed.metrics["ap"] == 0.0 and missed.metrics["ap_l"] is None
    empty, _, _ = ours(content | {"annotations": []}, [[hit, none]])
    assert [empty.metrics[key] for key in METRICS] == [None] * 6
    assert empty.details["confusion"]["counts"][-1] == [1, 0, 0]


@settings(max_examples=25)
@given(scenes())
def test_mmdets_keys_in_a_training(folder, scene):
    """As mmdet's own data set says them, to the four digits that it keeps; what it calls -1 is
    missing, and None to the hook that keeps the best checkpoint."""
    content, detections = scene
    for row in content["annotations"]:
        row["category_id"] = int(row["category_id"])
    (folder / "a.json").write_text(json.dumps(content))
    classes = [category["name"] for category in content["categories"]]
    with contextlib.redirect_stdout(io.StringIO()):
        ours, theirs = (
            build_dataset({"type": kind, "ann_file": str(folder / "a.json"), "classes": classes,
                           "pipeline": [], "test_mode": True})
            for kind in ("MeasuredCoco", "CocoDataset")
        )  # fmt: skip
        order = [[i["id"] for i in content["images"]].index(key) for key in ours.img_ids]
        results = [detections[i] for i in order]
        found = ours.evaluate(results, logger="silent")
        expected = theirs.evaluate(results, logger="silent")
    for key in (f"bbox_{name}" for name in MMDET.values()):
        value = expected.get(key, 0.0)  # mmdet says nothing where not a single box was found
        if value < 0 or (key not in expected and found[key] is None):
            assert key not in found and found[key] is None
        else:
            assert found[key] == pytest.approx(value, abs=6e-5)
    assert found["bbox_mAP_copypaste"].count(" ") == 5
    assert ("-" in found["bbox_mAP_copypaste"]) == any(
        found[f"bbox_{k}"] is None for k in MMDET.values()
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scenes")
