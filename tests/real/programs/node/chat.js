// A WebSocket echo by ws on /ws, and a socket.io server beside it, on one port.
const http = require('http');
const { WebSocketServer } = require('ws');
const { Server } = require('socket.io');

const server = http.createServer((request, response) => response.end('plain'));
const echo = new WebSocketServer({ noServer: true, handleProtocols: (offered) => offered.has('chat') && 'chat' });
echo.on('connection', (socket, request) => {
  socket.send(`hello ${request.url}`);
  socket.on('message', (data, binary) => {
    if (!binary && data.toString() === 'end') return socket.close(4001, 'as you wish');
    socket.send(data, { binary });
  });
});
const io = new Server(server, { cors: { origin: '*' } });
server.on('upgrade', (request, socket, head) => {
  if (request.url.startsWith('/ws')) echo.handleUpgrade(request, socket, head, (one) => echo.emit('connection', one, request));
  else if (!request.url.startsWith('/socket.io')) socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
});
io.on('connection', (socket) => {
  socket.emit('hello', 'from socket.io');
  socket.on('say', (text, told) => { io.emit('said', text); told(text.length); });
  socket.on('bytes', (data, told) => told(data));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
