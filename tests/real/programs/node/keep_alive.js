// A server that closes connections that nobody uses for a second, and after ten requests in any case.
const http = require('http');
const server = http.createServer((request, response) => response.end(`answer to ${request.url}`));
server.keepAliveTimeout = 1000;
server.keepAliveTimeoutBuffer = 0;
server.maxRequestsPerSocket = 10;
server.listen(Number(process.argv[2]), '127.0.0.1');
