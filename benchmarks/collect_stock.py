"""Argilla's stock code, served for a comparison; run by the server environment's Python, never imported.

python -I collect_stock.py LAUNCH PORT   in a folder that an embedded server was started in, and is not now

Elasticsearch and Redis are not needed: searching and jobs are prefloop's plug-in's. Everything else is stock: webhook
events, the connection pool, every route; the plug-in's own routes are not there.
"""

import importlib
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def main() -> None:
    """Serve until killed."""
    spec = spec_from_file_location("launch", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    launch = module_from_spec(spec)
    spec.loader.exec_module(launch)
    launch.configure(json.loads(Path("credentials.json").read_text(encoding="utf-8")), None)
    launch.load_plugin()
    part = {name: importlib.import_module(f"{launch.PACKAGE}.{name}") for name in ("app", "engine", "jobs")}
    part["app"].SearchEngine.register("sql")(part["engine"].SqlSearchEngine)
    part["jobs"].install()
    app = part["app"].app
    app.router.lifespan_context = part["app"]._around(app.router.lifespan_context)
    part["app"].uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="error")


main()
