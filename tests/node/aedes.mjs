// aedes on two ports of 127.0.0.1, MQTT and WebSocket, for benchmarks: node aedes.mjs PORT WEBSOCKET_PORT
import { createServer } from 'node:net';
import { createServer as createHttpServer } from 'node:http';
import { Aedes } from 'aedes';
import { WebSocketServer, createWebSocketStream } from 'ws';

const [mqtt, websocket] = process.argv.slice(2).map(Number);
const broker = await Aedes.createBroker({ concurrency: 1000, queueLimit: 0xffffffff });
createServer((socket) => {
  socket.setNoDelay(true);
  broker.handle(socket);
}).listen(mqtt, '127.0.0.1');

const http = createHttpServer();
new WebSocketServer({ server: http }).on('connection', (socket, request) => {
  broker.handle(createWebSocketStream(socket), request);
});
http.listen(websocket, '127.0.0.1');
