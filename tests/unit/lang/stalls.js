// Blocks in one way and says where: prints READY, waits for a line, prints "STALL function first-line
// last-line" and blocks for about half a second in those lines. usage: stalls.js MODE
const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const child = require('child_process');

const LONG = 4000; // ended by the test as soon as it has seen enough
let sink = 0, keep = [];

function stall(lines, name) {
  const caller = new Error().stack.split('\n')[2];
  const line = Number(/:(\d+):\d+\)?$/.exec(caller)[1]);
  const method = /at (?:new )?(?:[\w$]+\.)*([\w$]+) /.exec(caller);
  fs.writeSync(1, `STALL ${name || method[1]} ${line + 1} ${line + (lines || 1)}\n`);
}

class Service {
  blockMethod() {
    stall();
    [1, 2].forEach((x) => child.execSync(`sleep ${LONG / 2000}`));
  }
}

const object = {};
object.blockInferred = function () {
  stall(1, 'object.blockInferred');
  child.execSync(`sleep ${LONG / 1000}`);
};

const blocks = {
  spin: function blockSpin() {
    const end = Date.now() + LONG;
    stall(2);
    while (Date.now() < end)
      sink += Math.sqrt(sink + 1);
  },
  json: function blockJson() {
    const text = JSON.stringify(Array.from({ length: 200000 }, (_, i) => ({ id: i, name: 'row ' + i })));
    const end = Date.now() + LONG;
    stall(2);
    while (Date.now() < end)
      sink += JSON.parse(text).length;
  },
  fifo: function blockFifo() {
    const fifo = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'stalls-')), 'fifo');
    child.execFileSync('mkfifo', [fifo]);
    child.spawn('sh', ['-c', `sleep ${LONG / 1000}; printf x 1<> ${fifo}; rm -r ${path.dirname(fifo)}`]);
    stall();
    sink += fs.readFileSync(fifo).length;
  },
  exec: function blockExec() {
    stall();
    child.execSync(`sleep ${LONG / 1000}`);
  },
  pbkdf2: function blockPbkdf2() {
    stall();
    crypto.pbkdf2Sync('a', 'b', 5000000, 64, 'sha512');
  },
  regex: function blockRegex() {
    const text = 'a'.repeat(29) + 'b';
    stall();
    for (let i = 0; i < 3; i++) sink += /^(a+)+$/.test(text);
  },
  sort: function blockSort() {
    const end = Date.now() + LONG;
    const rows = Array.from({ length: 50000 }, (_, i) => (i * 7919) % 50021);
    function compare(a, b) { return keep.length + a - b; }
    stall(2);
    while (Date.now() < end)
      sink += rows.slice().sort(compare)[0];
  },
  gc: function blockGc() {
    const end = Date.now() + LONG;
    stall(6);
    while (Date.now() < end) {
      keep = [];
      for (let i = 0; i < 40000; i++)
        keep.push({ i, list: [i, i + 1], text: 'x' + i });
    }
    keep = [];
  },
  optimised: function blockOptimised() {
    let x = 1;
    const end = Date.now() + LONG;
    stall(3);
    while (Date.now() < end)
      for (let i = 0; i < 100000; i++)
        x = (x * 31 + i) % 1000003;
    sink += x;
  },
  awaited: async function blockAwaited() {
    await null;
    stall();
    child.execSync(`sleep ${LONG / 1000}`);
  },
  method: () => new Service().blockMethod(),
  inferred: () => object.blockInferred(),
};

fs.writeSync(1, 'READY\n');
fs.readSync(0, Buffer.alloc(1));
setImmediate(() => blocks[process.argv[2]]());
