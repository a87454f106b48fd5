// The pitfalls of the gallery in Node.js, each wrong and cured.
// usage: pitfalls.js NAME [--cured]   runs until it is killed
'use strict';
const { execFileSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { setTimeout: sleep } = require('timers/promises');
const { promisify } = require('util');

async function loopSyncIo(cured) {
  const service = http.createServer((request, response) => setTimeout(() => response.end('ok'), 250));
  await new Promise((listening) => service.listen(0, '127.0.0.1', listening));
  for (;;) {
    if (cured) {
      await new Promise((done) => http.get({ port: service.address().port, host: '127.0.0.1', agent: false },
        (response) => response.resume().on('end', done)));
    } else {
      execFileSync('sleep', ['0.25']);
    }
    await sleep(400);
  }
}

// Standard error goes to a collector that takes its time, as under a supervisor (see gallery.py).
async function loopSyncLog(cured) {
  const line = ' packed, ' + 'items and addresses'.padEnd(900) + '\n';
  const records = [];
  let writing = false;
  const drain = () => { // one write at a time, by the pool; what is too much is dropped
    if (writing || records.length === 0) return;
    writing = true;
    fs.write(2, records.shift(), () => { writing = false; drain(); });
  };
  for (let order = 0; ; order++) {
    for (let i = 0; i < 160; i++) {
      if (!cured) fs.writeSync(2, 'order ' + order + line); // as loggers do that lose nothing
      else if (records.length < 100) records.push('order ' + order + line);
    }
    drain();
    await sleep(800);
  }
}

function analyse(rows) {
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += Math.sqrt(i) % 7;
  return sum;
}

async function loopCpu(cured) {
  for (;;) {
    if (cured) {
      for (let i = 0; i < 60; i++) {
        analyse(100000);
        await new Promise(setImmediate);
      }
    } else {
      const until = Date.now() + 250;
      while (Date.now() < until) analyse(100000);
    }
    await sleep(400);
  }
}

// Key derivation takes a worker of the pool each; file reads wait behind them.
async function poolExhausted(cured) {
  const derive = () => promisify(crypto.pbkdf2)('password', 'salt', 250000, 64, 'sha512');
  for (;;) {
    if (cured) {
      await derive();
      await fs.promises.readFile(__filename);
    } else {
      await Promise.all(Array.from({ length: 8 }, derive).concat(fs.promises.readFile(__filename)));
    }
    await sleep(200);
  }
}

const pitfalls = {
  'loop-sync-io': loopSyncIo,
  'loop-sync-log': loopSyncLog,
  'loop-cpu': loopCpu,
  'pool-exhausted': poolExhausted,
};

const run = pitfalls[process.argv[2]];
if (!run) {
  process.stderr.write('usage: pitfalls.js NAME [--cured]\n');
  process.exit(2);
}
run(process.argv[3] === '--cured');
