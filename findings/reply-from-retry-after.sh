#!/usr/bin/env bash
# @fastify/reply-from 12.6.5 takes the seconds of Retry-After for milliseconds and repeats a shed request up to ten times.
# RFC 9110 section 10.2.3: Retry-After is a number of seconds. A backend or proxy that sheds load with 503 and
# `Retry-After: 1` gets eleven requests within a moment for each that it refused.
# Seen:
#   503 after 11 requests to the backend, all within five seconds
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-package-lock --no-audit --no-fund fastify@5.12.8 @fastify/reply-from@12.6.5
cat > probe.mjs <<'NODE'
import http from 'node:http';
import Fastify from 'fastify';
import replyFrom from '@fastify/reply-from';

let asked = 0;
const backend = http.createServer((_, response) => {
  asked += 1;
  response.writeHead(503, { 'Retry-After': '1' }).end('busy');
});
backend.listen(0, '127.0.0.1', async () => {
  const proxy = Fastify();
  await proxy.register(replyFrom, { base: `http://127.0.0.1:${backend.address().port}` });
  proxy.get('/', (_, reply) => reply.from('/'));
  await proxy.listen({ host: '127.0.0.1', port: 0 });
  const begun = Date.now();
  const answer = await fetch(`http://127.0.0.1:${proxy.server.address().port}/`);
  const quick = Date.now() - begun < 5000;
  console.log(`${answer.status} after ${asked} requests to the backend, ${quick ? 'all' : 'not all'} within five seconds`);
  process.exit(0);
});
NODE
node probe.mjs > seen
diff seen - <<'SEEN'
503 after 11 requests to the backend, all within five seconds
SEEN
cat seen
