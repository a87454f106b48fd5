// Leaks and what only looks like one, each by its own function.
//
//   fd_leak.js files    a file is kept where reading its settings fails: one of ten requests
//   fd_leak.js sockets  accepted connections are never destroyed when the client goes quiet
//   fd_leak.js healthy  a pool of connections, a cache of files with a bound, keep-alive clients
'use strict';
const fs = require('fs');
const net = require('net');

const every = Number(process.argv[3] || 20); // ms between requests

let requests = 0;

function parseSettings(text) {
  if (requests % 10 === 0) throw new Error('bad settings');
  return text.length;
}

function readSettings() {
  const fd = fs.openSync('/etc/hostname', 'r');
  const size = parseSettings(fs.readFileSync(fd, 'utf8')); // throws: fd is never closed
  fs.closeSync(fd);
  return size;
}

function leakFiles() {
  setInterval(() => {
    requests++;
    try {
      readSettings();
    } catch (e) {
      // the request failed, the program goes on
    }
  }, every);
}

function leakSockets() {
  const kept = [];
  const server = net.createServer((socket) => {
    kept.push(socket); // and nothing ever destroys it
    socket.on('data', () => {});
  });
  server.listen(0, '127.0.0.1', () => {
    const { spawn } = require('child_process');
    const client = `const net=require('net');setInterval(()=>{const s=net.connect(${server.address().port},'127.0.0.1');` +
      `s.on('connect',()=>s.write('hello'))},${every})`;
    const child = spawn(process.execPath, ['-e', client], { stdio: 'ignore' });
    process.on('exit', () => child.kill());
    process.on('SIGTERM', () => process.exit(0));
  });
}

// Each of these holds descriptors for long, or many of them, and closes every one.
function healthy() {
  const cache = new Map();
  setInterval(() => { // a cache of files: the oldest goes
    const fd = fs.openSync('/etc/hostname', 'r');
    cache.set(requests++, fd);
    if (cache.size > 50) {
      const [oldest, old] = cache.entries().next().value;
      fs.closeSync(old);
      cache.delete(oldest);
    }
  }, every);
  const quietly = (socket) => socket.on('error', () => {});
  const server = net.createServer((socket) => quietly(socket).pipe(socket));
  server.listen(0, '127.0.0.1', () => {
    const port = server.address().port;
    const pool = [];
    for (let i = 0; i < 20; i++) pool.push(quietly(net.connect(port, '127.0.0.1')));
    setInterval(() => pool.forEach((s) => s.write('x')), every);
    setInterval(() => { // keep-alive clients come and go
      const s = quietly(net.connect(port, '127.0.0.1'));
      const beat = setInterval(() => s.write('y'), every);
      setTimeout(() => { clearInterval(beat); s.destroy(); }, 400 + Math.random() * 2000);
    }, every * 4);
  });
}

({ files: leakFiles, sockets: leakSockets, healthy })[process.argv[2]]();
console.log('ready');
