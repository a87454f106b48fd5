// A Node.js program that blocks its loop in known ways, by the same plan and log as plan.h.
// Node 18 and later; no flags.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const child = require('child_process');

const options = { seed: 1, count: 0, min: 300, max: 800, 'gap-min': 200, 'gap-max': 500,
  start: 1000, causes: '', endless: false, log: '' };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, '');
  if (!(name in options)) { console.error(`stall.js: unknown option ${name}`); process.exit(2); }
  if (typeof options[name] === 'boolean') options[name] = true;
  else options[name] = typeof options[name] === 'number' ? Number(process.argv[++i]) : process.argv[++i];
}

// --- the plan
const MASK = (1n << 64n) - 1n;
let state = BigInt(options.seed);
function nextRandom() {
  state = (state + 0x9e3779b97f4a7c15n) & MASK;
  let z = state;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return z ^ (z >> 31n);
}
function between(lo, hi) { return lo + Number(nextRandom() % BigInt(hi - lo + 1)); }

const log = options.log ? fs.openSync(options.log, 'w') : -1;
function note(line) { if (log >= 0) fs.writeSync(log, line + '\n'); }
const now = () => process.hrtime.bigint(); // CLOCK_MONOTONIC
let made = 0;

// User and kernel time of this thread so far, and its wait for a CPU, in ns: what the kernel says it was.
function cpuTimes() {
  const task = `/proc/self/task/${process.pid}`, stat = fs.readFileSync(`${task}/stat`, 'latin1');
  const times = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map((ticks) => ticks * 1e7);
  return [...times, Number(fs.readFileSync(`${task}/schedstat`, 'latin1').split(' ')[1])];
}

// Lines of a function that is as right an answer as its caller: NAME@FIRST-LAST.
function linesOf(f) {
  const text = fs.readFileSync(__filename, 'latin1');
  const first = text.slice(0, text.indexOf(f.toString())).split('\n').length;
  return `${f.name}@${first}-${first + f.toString().split('\n').length - 1}`;
}

let cpuAtBegin;
// The culprit is the caller of begin(), on the `lines` lines after the call; `also` are what
// linesOf says of functions it calls that are as right an answer.
function begin(cause, lines, ...also) {
  const frame = new Error().stack.split('\n')[2];
  const [, name, line] = /at (\w+) \(.*?:(\d+):\d+\)/.exec(frame);
  const first = Number(line) + 1;
  cpuAtBegin = cpuTimes();
  note(`begin ${made} ${now()} ${cause} ${[name, ...also].join('|')} stall.js ${first}-${first + lines - 1}`);
}
function end() {
  const ended = now(), cpu = cpuTimes();
  note(`end ${made++} ${ended} ${cpu.map((time, i) => time - cpuAtBegin[i]).join(' ')}`);
}

// --- the stalls
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'stall_js.'));
const fifo = path.join(scratch, 'fifo');
child.execFileSync('mkfifo', [fifo]);
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));
process.on('SIGTERM', () => process.exit(0));
let sink = 0;

function blockSpin(ms) {
  const until = Date.now() + ms;
  let x = 0;
  begin('spin', 1);
  while (Date.now() < until) x += Math.sqrt(x + 1);
  end();
  sink += x;
}

const rows = Array.from({ length: 60000 }, (_, i) => ({ id: i, name: `row ${i}`, tags: ['a', 'b'] }));
const text = JSON.stringify(rows);
function blockJson(ms) {
  const until = Date.now() + ms;
  begin('json', 1);
  while (Date.now() < until) sink += JSON.parse(text).length;
  end();
}

function blockFifo(ms) {
  child.spawn('sh', ['-c', `sleep ${ms / 1000}; printf x > ${fifo}`], { stdio: 'ignore' });
  begin('fifo', 1);
  const data = fs.readFileSync(fifo);
  end();
  sink += data.length;
}

function blockExec(ms) {
  begin('exec', 1);
  child.execSync(`sleep ${ms / 1000}`);
  end();
}

function blockPbkdf2(ms) {
  const until = Date.now() + ms;
  begin('pbkdf2', 1);
  do sink += crypto.pbkdf2Sync('a', 'b', 60000, 64, 'sha512').length; while (Date.now() < until);
  end();
}

const evil = 'a'.repeat(22) + 'b';
function blockRegex(ms) {
  const until = Date.now() + ms;
  begin('regex', 1);
  while (Date.now() < until) sink += /^(a+)+$/.test(evil) ? 1 : 0;
  end();
}

function compareRows(a, b) {
  return (a.key % 1013) - (b.key % 1013) || a.key - b.key;
}
function refill(_, i) { return { key: (i * 7919) % 20011 }; }
const sortCallbacks = [compareRows, refill].map(linesOf);
function blockSort(ms) {
  const until = Date.now() + ms;
  begin('sort', 4, ...sortCallbacks);
  do {
    const list = Array.from({ length: 20000 }, refill);
    list.sort(compareRows);
  } while (Date.now() < until);
  end();
}

let keep = [];
function blockGc(ms) {
  const until = Date.now() + ms;
  begin('gc', 5);
  while (Date.now() < until) {
    keep = [];
    for (let i = 0; i < 40000; i++)
      keep.push({ i, list: [i, i + 1], text: 'x' + i });
  }
  end();
  keep = [];
}

function hotInner(x, i) { return (x * 31 + i) % 1000003; }
const inner = linesOf(hotInner);
function blockOptimised(ms) { // long enough that V8 replaces it on the stack by optimised code
  const until = Date.now() + ms;
  let x = 1;
  begin('optimised', 2, inner);
  while (Date.now() < until)
    for (let i = 0; i < 100000; i++) x = hotInner(x, i);
  end();
  sink += x;
}

const blocks = { spin: blockSpin, json: blockJson, fifo: blockFifo, exec: blockExec,
  pbkdf2: blockPbkdf2, regex: blockRegex, sort: blockSort, gc: blockGc, optimised: blockOptimised };
const causes = options.causes ? options.causes.split(',') : Object.keys(blocks);
for (const cause of causes)
  if (!blocks[cause]) { console.error(`stall.js: unknown cause ${cause}`); process.exit(2); }

let order = [];
function nextCause() { // each round visits every cause once, in a new order
  if (!order.length) {
    order = causes.slice();
    for (let i = order.length - 1; i > 0; i--) {
      const j = between(0, i);
      [order[i], order[j]] = [order[j], order[i]];
    }
  }
  return order.shift();
}

function onTimer() {
  const ms = options.endless ? 24 * 3600 * 1000 : between(options.min, options.max);
  const block = blocks[nextCause()];
  block(ms);
  if (options.count && made >= options.count) {
    note(`done ${now()}`);
    setTimeout(() => process.exit(0), 1500);
    return;
  }
  setTimeout(onTimer, between(options['gap-min'], options['gap-max']));
}

setInterval(() => { sink++; }, 10); // a healthy service turns even when nothing is wrong
setTimeout(onTimer, options.start);
note(`ready ${now()} ${BigInt(Date.now()) * 1000000n} ${process.pid} ${process.pid} ${options.seed}`);
