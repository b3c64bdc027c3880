// ws as a client: texts, binary content, a large message, pings, a closing code, and a refusal. Prints JSON.
const WebSocket = require('ws');
const base = process.argv[2].replace('http', 'ws');
const seen = [];

function talk(path, protocols, said) {
  return new Promise((resolve) => {
    const socket = new WebSocket(base + path, protocols);
    const heard = [];
    let sent = 0;
    socket.on('open', () => heard.push(`open ${socket.protocol} ${socket.extensions}`));
    socket.on('message', (data, binary) => {
      heard.push([binary, data.length, data.toString('latin1').slice(0, 20)]);
      if (sent === 1) socket.ping('there?');
      socket.send(said[sent++] ?? 'end');
    });
    socket.on('pong', (data) => heard.push(`pong ${data}`));
    socket.on('unexpected-response', (request, response) => resolve(`refused ${response.statusCode}`));
    socket.on('close', (code, reason) => resolve([...heard, code, reason.toString()]));
    socket.on('error', (error) => heard.push(error.code || error.message));
  });
}

(async () => {
  seen.push(await talk('/ws/a?b=c', ['chat', 'other'], ['one', Buffer.alloc(70000, 7), 'x'.repeat(1 << 20)]));
  seen.push(await talk('/ws/b', [], ['last']));
  seen.push(await talk('/nothing', [], []));
  seen.push(await Promise.all([...Array(20).keys()].map((n) => talk(`/ws/${n}`, [], [`from ${n}`]))));
  console.log(JSON.stringify(seen));
})();
