# make search      a virtual environment, lightnas with its light dependencies, and a first search
# make det         an environment for the detection stage too: torch, mmcv-full built from its source (about ten minutes), mmdet
# make demo        from a FLOPs budget to a trained detector and pictures with boxes, on a CPU
# make test        what the tests need, detection included, and the tests;  make test-fast  without mmcv and mmdet
# make lint        ruff and mypy, in the tested versions
# make wheel       the wheel, installed into an environment of its own and tried outside the checkout
# make bench       the figures of the README on the search;  make picture  its picture;  make front  a front
# make report-picture  the picture of a report (needs Chromium)
# make bench-det   those on the detector: speed and memory;  make bench-flops  training at equal FLOPs, after make demo

PYTHON ?= python3
BIN := .venv/bin
DET := .venv-det/bin
DEMO := outputs/demo
DEMO_TRAINING := --schedule 10 --optimizer adamw --input-size 192x192 --multi-scale 0.84,1 --flip 0 --width 64 \
	--cfg-options model.bbox_head.stacked_convs=2 --batch 8 --workers 1

# Two OpenMP threads that spin against each other can be slower than one.
export OMP_WAIT_POLICY := passive

.PHONY: search det demo test test-fast lint wheel bench bench-det bench-flops picture front report-picture clean

search: .venv/ready
	$(BIN)/lightnas search --budget-flops resnet50

det: .venv-det/ready
	$(DET)/lightnas doctor

demo: .venv-det/ready
	rm -rf $(DEMO)
	$(DET)/lightnas search --budget-flops 0.15G --budget-params 0.8M --budget-layers 25 --max-channels 256 \
		--input-size 192x192 --output $(DEMO)/search
	$(DET)/lightnas demo-data $(DEMO)/digits
	$(DET)/lightnas train-det $(DEMO)/search/structure.txt --data $(DEMO)/digits --work-dir $(DEMO)/detector $(DEMO_TRAINING)
	$(DET)/lightnas test-det $(DEMO)/detector
	$(DET)/lightnas detect $(DEMO)/detector/best_*.pth $(DEMO)/digits/test/00000[1-4].jpg --output $(DEMO)/found

test: .venv-det/ready
	$(DET)/lightnas doctor
	$(DET)/python -m pytest

test-fast: .venv/ready-test
	$(BIN)/python -m pytest

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/ready-test
	$(BIN)/python -m benchmarks.search

bench-det: .venv-det/ready
	$(DET)/python -m benchmarks.detector

bench-flops: .venv-det/ready
	$(DET)/python -m benchmarks.equal_flops $(DEMO)/search/structure.txt $(DEMO)/digits outputs/equal-flops \
		$(DEMO_TRAINING) --schedule 5

picture: .venv/ready-test
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[plot]'
	$(BIN)/python -m benchmarks.picture search docs/search.png

front: .venv/ready-test
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[plot]'
	$(BIN)/lightnas pareto --budget-flops 10G:160G:16 --budget-layers 109 --output outputs/front --overwrite \
		--compare configs/structures/maedet_s.txt --compare configs/structures/maedet_m.txt --compare configs/structures/maedet_l.txt
	$(BIN)/python -m benchmarks.picture front docs/front.png outputs/front/front.json

report-picture: .venv/ready-test
	$(BIN)/lightnas search --preset maedet-m --output outputs/maedet-m --overwrite
	$(BIN)/python -m benchmarks.screenshot outputs/maedet-m/report.html docs/report.png

wheel: .venv/ready
	rm -rf build dist/env
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .
	$(PYTHON) -m venv dist/env
	dist/env/bin/pip install --quiet dist/lightnas-*.whl
	cd dist/env && bin/lightnas search --preset maedet-s --output run --overwrite
	ls dist/env/lib/python3*/site-packages/lightnas/configs/detection/_base_/gflv2.py
	test -s dist/env/run/report.html
	cd dist/env && bin/lightnas export-structure run | cmp - ../../configs/structures/maedet_s.txt

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/ready-test: .venv/ready tests/constraints.txt
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[test,dask,torch,onnx]'
	touch $@

# mmcv-full compiles against the torch that is there, hence no build isolation; -g0 leaves out 76 MB of debug symbols. A
# wheel without its operators would be built without a word, so they are imported at the end.
.venv-det/ready: setup.cfg pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv .venv-det
	$(DET)/pip install --quiet -c tests/constraints.txt -e '.[det,test,dask,onnx]'
	MMCV_WITH_OPS=1 CFLAGS=-g0 $(DET)/pip install --quiet -c tests/constraints.txt --no-build-isolation mmcv-full==1.7.2
	$(DET)/lightnas doctor
	touch $@

clean:
	rm -rf .venv .venv-det build dist *.egg-info
