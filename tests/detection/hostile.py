"""Configs and checkpoints as a stranger may have made them."""

import copy
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import torch

from lightnas.detection.config import plain, read_config, use_structure
from lightnas.files import data_folder

THEIR_CLASSES = tuple("0123456789")


def good_config(structure, width=64):
    """A real config: the published recipe on a small structure, as a checkpoint carries it."""
    cfg = read_config(data_folder("configs") / "detection" / "gfl_maedet_m.py")
    cfg.model.backbone.structure_txt = str(structure)
    use_structure(cfg)
    cfg.model.neck.out_channels = width
    cfg.model.bbox_head.update(
        in_channels=width, feat_channels=width, stacked_convs=1, num_classes=len(THEIR_CLASSES)
    )
    for step in cfg.data.test.pipeline:
        if "img_scale" in step:
            step.img_scale = (96, 96)
    for name in ("width", "img_norm_cfg", "train_pipeline", "test_pipeline", "data_root"):
        cfg.pop(name, None)
    return copy.deepcopy(plain(cfg))


def save(path, config, weights=None, **meta):
    """A checkpoint that carries a config, as its text where it is a dict."""
    text = repr(config) if isinstance(config, dict) else config
    content = {
        "state_dict": weights or {"x": torch.ones(1)},
        "meta": {"lightnas_config": text, "CLASSES": THEIR_CLASSES, **meta},
    }
    torch.save(content, path)
    return path


def places(node, at=()):
    """Where every value of nested dicts and lists stands, the containers included."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items:
        yield (*at, key)
        if isinstance(value, dict | list | tuple):
            yield from places(value, (*at, key))


def replaced(node, place, value):
    """A copy in which another value stands at a place."""
    key, *rest = place
    value = replaced(node[key], rest, value) if rest else value
    if isinstance(node, dict):
        return {**node, key: value}
    return type(node)([*node[:key], value, *node[key + 1 :]])


class Listener:
    """A web server of this machine that counts who calls, and serves a file that runs code."""

    def __init__(self, content):
        calls = self.calls = []

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                calls.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_port}/teacher.pth"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
