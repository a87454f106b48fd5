// A worker thread that always has more to do: its loop polls and never sleeps. Now and then it blocks.
'use strict';
const { Worker, isMainThread } = require('worker_threads');

let turns = 0;

function spin(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end) { /* this is the work */ }
}

function blockWorker() { spin(400); }

function step() {
  if (++turns % 500 === 0) blockWorker(); else spin(1);
  setImmediate(step);
}

if (isMainThread) {
  new Worker(__filename);
  setInterval(() => {}, 100);
} else {
  step();
}
