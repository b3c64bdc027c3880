#!/usr/bin/env bash
# opentelemetry-sdk 1.45.2 with its OTLP exporter over HTTP and protobuf 7.36.2 drops all metrics of an export for one gauge
# whose value is a boolean. A callback that observes `True` ("up", "leader", "healthy") is taken; when the batch is encoded,
# protobuf refuses the boolean, and the exporter logs "Failed to encode metrics batch" and gives up the whole batch: each
# time, as long as that gauge is there. Prometheus' client takes booleans for 1 and 0. A proxy that sent what it shows would
# have sent nothing.
# Seen:
#   a gauge that is 1: requests, up arrived
#   a gauge that is True: nothing arrived
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2 \
  opentelemetry-exporter-otlp-proto-http==1.45.2 protobuf==7.36.2 2> "$work/pip" || { cat "$work/pip"; exit 2; }
cat > "$work/send.py" <<'PYTHON'
import http.server
import logging
import threading

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

logging.disable(logging.CRITICAL)
posts = []


class Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        posts.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


def names():
    for post in posts:
        for resource in ExportMetricsServiceRequest.FromString(post).resource_metrics:
            for scope in resource.scope_metrics:
                yield from (metric.name for metric in scope.metrics)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keep)
threading.Thread(target=server.serve_forever, daemon=True).start()
for value in (1, True):
    posts.clear()
    exporter = OTLPMetricExporter(f"http://127.0.0.1:{server.server_address[1]}/v1/metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
    meter = provider.get_meter("example")
    meter.create_counter("requests").add(7)
    meter.create_observable_gauge("up", [lambda _options, value=value: [Observation(value)]])
    provider.force_flush()
    provider.shutdown()
    print(f"a gauge that is {value}: {', '.join(sorted(set(names()))) or 'nothing'} arrived")
PYTHON
"$work/venv/bin/python" "$work/send.py" > "$work/seen"
cat "$work/seen"
diff "$work/seen" - <<'SEEN'
a gauge that is 1: requests, up arrived
a gauge that is True: nothing arrived
SEEN
