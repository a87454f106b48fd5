// Node: promises and timers: peer.js OPERATION COUNT
'use strict';
const [operation, count] = [process.argv[2], Number(process.argv[3])];

function report(name, n, from) {
  const {user, system} = process.cpuUsage(from.cpu);
  const wall = Number(process.hrtime.bigint() - from.wall);
  console.log('node', name, n, ...[wall, user * 1e3, system * 1e3].map((ns) => (ns / n).toFixed(2)));
}

const now = () => ({cpu: process.cpuUsage(), wall: process.hrtime.bigint()});

async function yieldLoop(n) {
  for (; n > 0; n--)
    await null;
}

async function nothing() {}

const operations = {
  async switch() {
    await Promise.all([yieldLoop(count / 2), yieldLoop(count / 2)]);
  },
  async spawn() {
    for (let i = 0; i < count; i++)
      await nothing();
  },
};

async function timer() {
  const armed = [];
  for (let i = 0; i < 10000; i++)
    armed.push(setTimeout(() => {}, 3600000 + i));
  const from = now();
  for (let i = 0; i < count; i++)
    clearTimeout(setTimeout(() => {}, 1000 + i % 1000));
  report('timer', count, from);
  armed.forEach(clearTimeout);
}

async function sleep() {
  for (const name of ['sleep-cold', 'sleep-warm']) {
    const from = now(), all = [];
    for (let i = 0; i < count; i++)
      all.push(new Promise((done) => setTimeout(done, 10)));
    await Promise.all(all);
    report(name, count, from);
  }
}

async function main() {
  if (operation === 'timer' || operation === 'sleep')
    return operation === 'timer' ? timer() : sleep();
  if (!operations[operation])
    return;
  const from = now();
  await operations[operation]();
  report(operation, count, from);
}

main();
