// A site for a browser: its page asks for things and shows what came; an image holds the page open until it is done.
const http = require('http');
const { WebSocketServer } = require('ws');

const waiting = [];
let changes = 0;
const page = `<!doctype html><pre id="out"></pre><script>
(async () => {
  const out = [];
  const text = async (url, init) => { const r = await fetch(url, init); return [r.status, await r.text()]; };
  out.push(await text('/kept'), await text('/kept'), await text('/kept', { cache: 'reload' }));
  out.push(await text('/tagged'), await text('/tagged'), await text('/tagged', { cache: 'no-cache' }));
  out.push(await text('/change', { method: 'POST', body: 'x' }), await text('/tagged', { cache: 'no-cache' }));
  const part = await fetch('/range', { headers: { Range: 'bytes=10-19' } });
  out.push([part.status, await part.text()]);
  out.push(await text('/cookie'), document.cookie);
  out.push(await new Promise((done) => {
    const heard = [];
    const events = new EventSource('/events');
    events.onmessage = (event) => { heard.push(event.data); if (heard.length === 3) { events.close(); done(heard); } };
  }));
  if (location.search === '?socket') out.push(await new Promise((done) => {
    const heard = [];
    const socket = new WebSocket('ws://' + location.host + '/socket', ['chat']);
    socket.onopen = () => socket.send('hello');
    socket.onmessage = (event) => { heard.push(event.data); socket.close(4002, 'enough'); };
    socket.onclose = (event) => done([heard, socket.protocol, event.code, event.reason, event.wasClean]);
  }));
  document.getElementById('out').textContent = JSON.stringify(out);
  await fetch('/done', { method: 'POST' });
})();
</script><img src="/wait">`;

const answers = {
  '/': (_, response) => { response.setHeader('Content-Type', 'text/html'); response.end(page); },
  '/kept': (_, response) => { response.setHeader('Cache-Control', 'max-age=60'); response.end('kept '.repeat(1000)); },
  '/tagged': (request, response) => {
    const tag = `"${changes}"`;
    response.setHeader('ETag', tag);
    response.setHeader('Cache-Control', 'max-age=0, s-maxage=60');
    if (request.headers['if-none-match'] === tag) { response.statusCode = 304; return response.end(); }
    return response.end(`after ${changes} changes`);
  },
  '/change': (_, response) => { changes += 1; response.setHeader('Location', '/tagged'); response.end('changed'); },
  '/range': (request, response) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range);
    response.writeHead(206, { 'Content-Range': `bytes ${first}-${last}/50`, ETag: '"whole"' });
    response.end('0123456789'.repeat(5).slice(Number(first), Number(last) + 1));
  },
  '/cookie': (_, response) => { response.setHeader('Set-Cookie', 'sid=one'); response.end('a cookie'); },
  '/events': (_, response) => {
    response.setHeader('Content-Type', 'text/event-stream');
    let number = 0;
    const timer = setInterval(() => {
      response.write(`data: ${number++}\n\n`);
      if (number === 3) clearInterval(timer);
    }, 100);
  },
  '/wait': (_, response) => waiting.push(response),
  '/done': (_, response) => { response.end(); for (const one of waiting.splice(0)) one.writeHead(404).end(); },
};
const server = http.createServer((request, response) => {
  const answer = answers[request.url.split('?')[0]];
  if (answer) return answer(request, response);
  return response.writeHead(404).end();
});
new WebSocketServer({ server, handleProtocols: (offered) => offered.has('chat') && 'chat' }).on('connection', (socket) => {
  socket.on('message', (data) => socket.send(`you said ${data}`));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
