// The healthy twin of stall.js: the same kinds of work done the right way, under load from a child
// process. Nothing here deserves a finding.
'use strict';
const http = require('http');
const fs = require('fs');
const crypto = require('crypto');
const child = require('child_process');
const { setImmediate: turn } = require('timers/promises');

function client(port) { // a process of its own: 8 connections, about 800 requests a second
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const paths = ['/hello', '/hello', '/hello', '/json', '/file', '/hash', '/sum', '/exec'];
  let n = 0;
  const one = () => http.get({ port, agent, path: paths[n++ % 800 === 0 ? 7 : n % 7] }, (res) => {
    res.resume();
    res.on('end', () => setTimeout(one, 8));
  }).on('error', () => process.exit(0));
  for (let i = 0; i < 8; i++) one();
}

async function sumInSlices() { // long work that gives the loop a turn now and then
  let x = 0;
  for (let slice = 0; slice < 10; slice++) {
    for (let i = 0; i < 100000; i++) x = (x * 31 + i) % 1000003;
    await turn();
  }
  return x;
}

const routes = {
  '/hello': async () => 'hello',
  '/json': async () => JSON.stringify(JSON.parse('{"a":[1,2,3],"b":{"c":"d"}}')),
  '/file': () => fs.promises.readFile(__filename),
  '/hash': () => new Promise((resolve, reject) => crypto.pbkdf2('a', 'b', 2000, 64, 'sha512',
    (error, key) => (error ? reject(error) : resolve(key.toString('hex'))))),
  '/sum': async () => String(await sumInSlices()),
  '/exec': () => new Promise((resolve) => child.exec('sleep 0.3; echo done', (_, out) => resolve(out))),
};

if (process.argv[2] === 'client') {
  client(Number(process.argv[3]));
} else {
  const server = http.createServer((req, res) => {
    routes[req.url]().then((body) => res.end(body), (error) => { res.statusCode = 500; res.end(String(error)); });
  });
  server.listen(0, '127.0.0.1', () => {
    const load = child.spawn(process.execPath, [__filename, 'client', String(server.address().port)],
      { stdio: 'ignore' });
    process.on('SIGTERM', () => { load.kill(); process.exit(0); });
  });
}
