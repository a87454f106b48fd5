'use strict';
const fs = require('fs');
const net = require('net');

function log(text) {
  fs.appendFileSync('server.log', text + '\n'); // expect: loop-sync-log
}

net.createServer((socket) => {
  log('a client');
  socket.on('data', () => fs.writeSync(2, 'data\n')); // expect: loop-sync-log
}).listen(9000);
