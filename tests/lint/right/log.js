'use strict';
const fs = require('fs');
const net = require('net');

const log = fs.createWriteStream('server.log', { flags: 'a' });

net.createServer((socket) => {
  log.write('a client\n');
  socket.on('data', () => log.write('data\n'));
}).listen(9000);
