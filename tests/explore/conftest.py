from importlib.util import find_spec

import pytest

from .served import serving

# Without the extra there is no server.
collect_ignore = (
    [] if find_spec("starlette") and find_spec("uvicorn") else ["test_server.py", "test_page.py"]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("explore")) as server:
        yield server
