// socket.io-client by polling alone, by WebSocket alone, and by polling that becomes WebSocket. Prints JSON.
const { io } = require('socket.io-client');
const url = process.argv[2];

async function talk(transports) {
  const socket = io(url, { transports, reconnection: false, forceNew: true });
  const heard = [];
  socket.on('said', (text) => heard.push(text));
  const hello = await new Promise((resolve, reject) => {
    socket.on('hello', resolve);
    socket.on('connect_error', (error) => reject(error));
  });
  if (transports.length > 1 && socket.io.engine.transport.name !== 'websocket') {
    await new Promise((resolve) => socket.io.engine.once('upgrade', resolve));
  }
  const told = await socket.emitWithAck('say', 'good morning');
  const data = await socket.emitWithAck('bytes', Buffer.alloc(100000, 3));
  const by = socket.io.engine.transport.name;
  socket.close();
  return [hello, told, data.length, heard, by];
}

(async () => {
  const seen = [];
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) seen.push(await talk(transports));
  console.log(JSON.stringify(seen));
  process.exit(0);
})();
