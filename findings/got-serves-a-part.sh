#!/usr/bin/env bash
# got 14.6.6 with its cache serves a stored 206 to a request for the whole.
# RFC 9111 section 3.3: a cache must not use a part to answer a request for the whole. A client that resumed a download
# gets its last bytes as the whole file for as long as the part is fresh.
# Seen:
#   a request for the whole: 206 "789", 1 request(s) in all
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-package-lock --no-audit --no-fund got@14.6.6
cat > probe.mjs <<'NODE'
import http from 'node:http';
import got from 'got';

const whole = '0123456789';
let asked = 0;
const server = http.createServer((request, response) => {
  asked += 1;
  response.setHeader('Cache-Control', 'max-age=60');
  response.setHeader('ETag', '"a"');
  if (!request.headers.range) return response.end(whole);
  response.writeHead(206, { 'Content-Range': 'bytes 7-9/10' });
  return response.end(whole.slice(7));
});
server.listen(0, '127.0.0.1', async () => {
  const client = got.extend({ cache: new Map(), retry: { limit: 0 } });
  const url = `http://127.0.0.1:${server.address().port}/file`;
  await client(url, { headers: { range: 'bytes=7-9' } });
  const answer = await client(url);
  console.log(`a request for the whole: ${answer.statusCode} ${JSON.stringify(answer.body)}, ${asked} request(s) in all`);
  process.exit(0);
});
NODE
node probe.mjs > seen
diff seen - <<'SEEN'
a request for the whole: 206 "789", 1 request(s) in all
SEEN
cat seen
