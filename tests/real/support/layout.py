"""Container images in the OCI layout, made by hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path


def write_image(directory: Path, content: bytes) -> None:
    """An image of one layer that holds one file, under the tag `latest`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, kind: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo("file")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    layer = blob(gzip.compress(tar.getvalue(), 1, mtime=0), "layer.v1.tar+gzip")
    diff = f"sha256:{hashlib.sha256(tar.getvalue()).hexdigest()}"
    described = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}, "config": {}}
    config = blob(json.dumps(described).encode(), "config.v1+json")
    manifest = {"schemaVersion": 2, "config": config, "layers": [layer]}
    top = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}), "utf-8")
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}', "ascii")
