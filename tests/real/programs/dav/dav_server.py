"""WsgiDAV with a directory, for all to write, served by cheroot."""

import sys

from cheroot import wsgi
from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

port, directory = int(sys.argv[1]), sys.argv[2]
app = WsgiDAVApp(
    {
        "provider_mapping": {"/": FilesystemProvider(directory)},
        "simple_dc": {"user_mapping": {"*": True}},
        "verbose": 1,
        "lock_storage": True,
    }
)
wsgi.Server(("127.0.0.1", port), app, numthreads=20).start()
