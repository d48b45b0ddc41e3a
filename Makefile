# make search      a virtual environment, lightnas with its light dependencies, and a first search
# make det         an environment for the detection stage too: torch, mmdet, mmcv; no compiler
# make demo        from a FLOPs budget to a trained detector and pictures with boxes, on a CPU
# make test        what the tests need, detection included, and the tests;  make test-fast  without mmcv and mmdet
# make test-slow   the few tests that take a minute or more
# make test-pythons  the tests on Python 3.10 to 3.13 (PYTHONS), as far as they are installed
# make test-compiled  the detection tests with a compiled mmcv-full (about ten minutes of compiling), and both compared
# make attack      kills, mutated files and random spaces, with their counts (up to half an hour)
# make lint        ruff and mypy, in the tested versions
# make docs        the site of these pages, with an API reference and fresh reports, in build/site
# make wheel       the wheel, installed with [det] into an environment of its own: it searches and trains outside the checkout,
#                  and what it exports finds digits in an environment without torch
# make bench       the figures of docs/benchmarks.md on the search;  make picture  its picture;  make front  a front
# make report-picture  the picture of a report, make explore-picture  that of explore's page (both need Chromium)
# make bench-explore  seconds until an answer stands on explore's page, coarse and proven
# make bench-det   those on the detector: speed and memory;  make bench-ops  operators;  make bench-eval  COCO's
#                  evaluation;  make bench-flops  depths at equal FLOPs,  make bench-deploy  an exported detector
#                  beside torch,  make bench-recipe  the demo's training beside the one before it, all after make demo;
#                  make bench-carry  training from the weights of other detectors

PYTHON ?= python3
PYTHONS ?= python3.10 python3.11 python3.12 python3.13
BIN := .venv/bin
DET := .venv-det/bin
DOCS := .venv-docs/bin
GALLERY := outputs/gallery
DEMO := outputs/demo
CORES := $(shell getconf _NPROCESSORS_ONLN)
DEMO_SEARCH := --budget-flops 0.15G --budget-params 0.8M --budget-layers 25 --max-channels 256 --input-size 192x192
# Two processes, where there are two cores: torch's threads gain nothing on pictures that small.
DEMO_TRAINING := --iterations 1200 --multi-scale 0.84,1 --flip 0 --width 64 --device cpu \
	--gpus $(if $(filter 1,$(CORES)),1,2) --workers 0 --cfg-options model.bbox_head.stacked_convs=2
# Of the studies of docs/evidence.md, at 96 x 96.
STUDY_TRAINING := --schedule 10 --optimizer adamw --multi-scale 0.84,1 --flip 0 --width 64 --batch 8 --workers 0 \
	--cfg-options evaluation.interval=10 model.bbox_head.stacked_convs=2 \
	optimizer.paramwise_cfg=None optimizer_config.grad_clip=None

# Two tests at a time; those of one file in one process, which trains and searches once for all of them.
SIDE_BY_SIDE := -n 2 --dist loadfile

# Two OpenMP threads that spin against each other can be slower than one.
export OMP_WAIT_POLICY := passive

.PHONY: search det demo test test-fast test-slow test-pythons test-compiled attack lint lint-ruff lint-format lint-mypy docs wheel bench bench-carry bench-deploy bench-det bench-eval \
	bench-explore bench-flops bench-ops bench-recipe picture front report-picture explore-picture clean

search: .venv/ready
	$(BIN)/lightnas search --budget-flops resnet50 --budget-rho 0.2

det: .venv-det/ready
	$(DET)/lightnas doctor

demo: .venv-det/ready
	rm -rf $(DEMO)
	@echo '== 1 of 6: a backbone under 0.15 GFLOPs, some seconds'
	$(DET)/lightnas search $(DEMO_SEARCH) --output $(DEMO)/search
	@echo '== 2 of 6: 2,200 pictures of handwritten digits, half a minute'
	$(DET)/lightnas demo-data $(DEMO)/digits
	@echo '== 3 of 6: 1,200 steps of training, some minutes; after each hundred, $(DEMO)/detector/detections.jpg is what it finds'
	$(DET)/lightnas train-det $(DEMO)/search/structure.txt --data $(DEMO)/digits --work-dir $(DEMO)/detector $(DEMO_TRAINING)
	@echo '== 4 of 6: AP on 500 pictures that it never saw, half a minute'
	$(DET)/lightnas test-det $(DEMO)/detector
	@echo '== 5 of 6: boxes on four of them, in $(DEMO)/found'
	$(DET)/lightnas detect $(DEMO)/detector/best_*.pth $(DEMO)/digits/test/00000[1-4].jpg --output $(DEMO)/found
	@echo '== 6 of 6: $(DEMO)/detector.onnx, which finds them without torch and mmdet'
	$(DET)/lightnas export-det $(DEMO)/detector --output $(DEMO)/detector.onnx

test: .venv-det/ready
	$(DET)/lightnas doctor
	$(DET)/python -m pytest $(SIDE_BY_SIDE)

test-fast: .venv/ready-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-slow: .venv/ready-test
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m slow

# Each Python that is here: the light installation with its tests, then the detection stage with all of them. The pins of
# tests/constraints.txt are for the Python that `make test` runs; here pip takes what it finds, torch included.
test-pythons:
	@set -e; for python in $(PYTHONS); do \
		if ! $$python -c '' 2>/dev/null; then echo "== $$python is not installed"; continue; fi; \
		bin=dist/$$(basename $$python)/bin; \
		echo "== $$python: light"; \
		$$python -m venv --clear $${bin%/bin}; \
		$$bin/pip install --quiet -e '.[test,dask,explore]'; \
		$$bin/python -m pytest $(SIDE_BY_SIDE); \
		echo "== $$python: detection"; \
		$$bin/pip install --quiet -e '.[det,test,dask,pandas,onnx,openvino,supervision,emoji,explore]'; \
		$$bin/lightnas setup-det; \
		$$bin/python -m pytest $(SIDE_BY_SIDE); \
	done

# It compiles against the torch that is there, hence no build isolation; CFLAGS replaces the flags that
# Python was built with, so -O3 is said again; -g0 leaves out 76 MB of debug symbols.
test-compiled:
	$(PYTHON) -m venv dist/compiled
	dist/compiled/bin/pip install --quiet -c tests/constraints.txt -e '.[det,test,dask,onnx,emoji,explore]' ninja psutil
	MMCV_WITH_OPS=1 CFLAGS="-O3 -g0" dist/compiled/bin/pip install --quiet --no-build-isolation mmcv-full==1.7.2
	dist/compiled/bin/lightnas doctor
	dist/compiled/bin/python -m pytest tests/detection
	dist/compiled/bin/python -m benchmarks.operators

attack: .venv-det/ready
	$(DET)/python -m benchmarks.attack

# Three in one, which .pre-commit-config.yaml calls one by one.
lint: lint-ruff lint-format lint-mypy

lint-ruff: .venv/ready-test
	$(BIN)/ruff check .

lint-format: .venv/ready-test
	$(BIN)/ruff format --check .

lint-mypy: .venv/ready-test
	$(BIN)/mypy

# Strict: a dead link fails (with --quiet it would not). The reports of docs/gallery.md are made here; that of `make demo` is
# shown where it was made.
docs: .venv-docs/ready
	$(DOCS)/lightnas search --preset maedet-s --output $(GALLERY)/search --overwrite
	$(DOCS)/lightnas pareto --budget-flops 20G:100G:5 --budget-layers 79 --output $(GALLERY)/front --compare maedet-s \
		--compare maedet-m --overwrite
	NO_MKDOCS_2_WARNING=1 $(DOCS)/mkdocs build
	@echo '== build/site/index.html; with its search: python3 -m http.server -d build/site'

bench: .venv/ready-test
	$(BIN)/python -m benchmarks.search

bench-explore: .venv/ready-test
	$(BIN)/python -m benchmarks.explore

bench-det: .venv-det/ready
	$(DET)/python -m benchmarks.detector

bench-ops: .venv-det/ready
	$(DET)/python -m benchmarks.operators

bench-deploy: .venv-det/ready
	$(DET)/python -m benchmarks.deploy $(DEMO)/detector

bench-eval: .venv-det/ready
	$(DET)/python -m benchmarks.evaluation

bench-flops: .venv-det/ready
	$(DET)/python -m benchmarks.equal_flops $(DEMO)/digits outputs/equal-flops -- $(STUDY_TRAINING)

bench-recipe: .venv-det/ready
	$(DET)/python -m benchmarks.recipe $(DEMO) outputs/recipe -- $(DEMO_TRAINING)

bench-carry: .venv-det/ready
	$(DET)/python -m benchmarks.carrying outputs/carrying --width 64 --batch 8 --workers 0 --cfg-options \
		model.bbox_head.stacked_convs=2

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

explore-picture: .venv/ready-test
	$(BIN)/python -m benchmarks.explore --picture docs/explore.png

# Built and installed as a user would, then used from a directory where the checkout cannot be imported: the demo with fewer
# pictures and steps, whose detector must find digits where torch is not installed. Two to three minutes are its training.
WHEEL := dist/wheel
wheel:
	rm -rf build $(WHEEL)
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/pip wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	$(WHEEL)/bin/pip install --quiet -c tests/constraints.txt $(WHEEL)/lightnas-*.whl
	cd $(WHEEL) && bin/lightnas search --preset maedet-s --output run
	test -s $(WHEEL)/run/report.html
	cd $(WHEEL) && bin/lightnas export-structure run | cmp - $(CURDIR)/configs/structures/maedet_s.txt
	$(WHEEL)/bin/pip install --quiet -c tests/constraints.txt "$$(echo $(WHEEL)/lightnas-*.whl)[det,onnx]"
	$(WHEEL)/bin/lightnas setup-det
	$(WHEEL)/bin/pip check
	cd $(WHEEL) && bin/lightnas search $(DEMO_SEARCH) --output search
	cd $(WHEEL) && bin/lightnas demo-data digits --train 800 --val 40 --test 40
	cd $(WHEEL) && bin/lightnas train-det search/structure.txt --data digits --work-dir detector $(DEMO_TRAINING) --iterations 500
	cd $(WHEEL) && bin/lightnas detect detector digits/test/*.jpg --output found
	cd $(WHEEL) && bin/lightnas export-det detector --output detector.onnx
	$(PYTHON) -m venv $(WHEEL)/light
	$(WHEEL)/light/bin/pip install --quiet -c tests/constraints.txt "$$(echo $(WHEEL)/lightnas-*.whl)[deploy]"
	! $(WHEEL)/light/bin/python -c 'import torch' 2>/dev/null
	cd $(WHEEL) && light/bin/lightnas detect detector.onnx digits/test/*.jpg --output found-light
	$(WHEEL)/light/bin/python tests/found_digits.py $(WHEEL)/digits/annotations/instances_test.json $(WHEEL)/found-light/detections.json
	cd $(WHEEL) && light/bin/lightnas test-det detector.onnx --data digits
	rm -r $(WHEEL)

.venv/ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e .
	touch $@

.venv/ready-test: .venv/ready tests/constraints.txt
	$(BIN)/pip install --quiet -c tests/constraints.txt -e '.[test,dask,torch,onnx,explore]'
	touch $@

.venv-docs/ready: setup.cfg pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv .venv-docs
	$(DOCS)/pip install --quiet -c tests/constraints.txt -e '.[docs]'
	touch $@

.venv-det/ready: setup.cfg pyproject.toml tests/constraints.txt
	$(PYTHON) -m venv .venv-det
	@echo '== torch, mmdet and what they need: two minutes where nothing is cached'
	$(DET)/pip install --quiet -c tests/constraints.txt -e '.[det,test,dask,pandas,onnx,openvino,supervision,emoji,pretrain,explore]'
	$(DET)/lightnas setup-det
	touch $@

clean:
	rm -rf .venv .venv-det .venv-docs build dist *.egg-info
