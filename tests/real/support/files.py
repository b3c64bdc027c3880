"""A static file server: Debian's lighttpd, with Cache-Control by directory and CGI where a test wants it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from devstack.process import Launch
from tests.real.support.both import Serve, launch
from tests.real.support.install import debian

CONFIG = """
server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.stat-cache-engine = "disable"
server.modules = ( "mod_access", "mod_setenv", "mod_alias", "mod_cgi" )
mimetype.assign = ( ".txt" => "text/plain; charset=utf-8", ".html" => "text/html", "" => "application/octet-stream" )
$HTTP["url"] =~ "^/fresh/" {{ setenv.add-response-header = ( "Cache-Control" => "public, max-age=60" ) }}
{more}
"""


def files(fill: Callable[[Path], None], more: str = "") -> Serve:
    """How a directory is served that `fill` has filled; what lies under /fresh/ may be kept for a minute.

    In `more`, lines of configuration, DIRECTORY stands for the server's own directory.
    """

    def serve(port: int, directory: Path) -> Launch:
        debian("lighttpd", "lighttpd")
        root = directory / "root"
        (root / "fresh").mkdir(parents=True)
        fill(root)
        config = directory / "lighttpd.conf"
        config.write_text(CONFIG.format(root=root, port=port, more=more.replace("DIRECTORY", str(directory))), "utf-8")
        return launch("lighttpd", ["lighttpd", "-D", "-f", str(config)], directory)

    return serve


def random_bytes(size: int, seed: int = 1) -> bytes:
    """The same bytes each time, that no coding makes smaller."""
    return random.Random(seed).randbytes(size)
