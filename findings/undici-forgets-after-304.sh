#!/usr/bin/env bash
# undici 7.30.2's cache interceptor no longer has a response after it was confirmed by 304.
# RFC 9111 section 4.3.4: a 304 makes the stored response fresh again. Here every second request asks for the whole anew,
# so that what a shared cache spares with 304 is half of what it could be.
# Seen (conditional: whether If-None-Match was sent):
#   whole, conditional, whole, conditional, whole, conditional
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-package-lock --no-audit --no-fund undici@7.30.2
cat > probe.mjs <<'NODE'
import http from 'node:http';
import { Agent, interceptors, request } from 'undici';

const seen = [];
const server = http.createServer((asked, response) => {
  const conditional = asked.headers['if-none-match'] === '"a"';
  seen.push(conditional ? 'conditional' : 'whole');
  response.setHeader('Cache-Control', 'max-age=0, must-revalidate');
  response.setHeader('ETag', '"a"');
  if (conditional) return response.writeHead(304).end();
  return response.end('the same');
});
server.listen(0, '127.0.0.1', async () => {
  const dispatcher = new Agent().compose(interceptors.cache());
  const url = `http://127.0.0.1:${server.address().port}/`;
  for (let turn = 0; turn < 6; turn += 1) {
    const { body } = await request(url, { dispatcher });
    await body.text();
    await new Promise((done) => setTimeout(done, 50));
  }
  console.log(seen.join(', '));
  process.exit(0);
});
NODE
node probe.mjs > seen
diff seen - <<'SEEN'
whole, conditional, whole, conditional, whole, conditional
SEEN
cat seen
