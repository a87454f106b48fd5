'use strict';
const fsp = require('fs/promises');
const { EventEmitter } = require('events');

async function save(order) {
  await fsp.writeFile('orders/' + order.id, JSON.stringify(order));
}

async function isKnown(user) {
  return (await fsp.readFile('users')).includes(user);
}

async function close(order) {
  save(order); // expect: task-never-awaited
  const saved = save(order); // expect: task-never-awaited
  if (isKnown(order.user)) // expect: task-never-awaited
    await save(order);
}

async function closeAll(orders) {
  orders.forEach(async (order) => { // expect: task-never-awaited
    await save(order);
  });
}

function onOrder(order) {
  save(order); // expect: task-error-unread
  save(order).then(() => console.log('saved')); // expect: task-error-unread
}

const events = new EventEmitter();
events.on('order', async (order) => { // expect: task-error-unread
  await save(order);
});
events.on('plain', onOrder);

async function within(order, ms) {
  const timeout = new Promise((resolve, reject) => setTimeout(reject, ms));
  await Promise.race([save(order), new Promise((resolve, reject) => setTimeout(reject, ms))]); // expect: task-timeout-runs-on
  return timeout;
}

async function everything(orders) {
  await Promise.all(orders.map((order) => save(order))); // expect: task-unbounded
  const started = [];
  for (const order of orders) started.push(save(order)); // expect: task-unbounded
  await Promise.all(started);
}

async function head(path) {
  const file = await fsp.open(path); // expect: fd-orphan
  const { buffer } = await file.read();
  await file.close();
  return buffer;
}

module.exports = { close, closeAll, within, everything, head };
