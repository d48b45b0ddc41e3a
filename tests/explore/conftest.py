import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from .served import serving


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("explore")) as server:
        yield server
