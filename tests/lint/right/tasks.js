'use strict';
const fsp = require('fs/promises');
const { EventEmitter } = require('events');

async function save(order, options) {
  await fsp.writeFile('orders/' + order.id, JSON.stringify(order), options);
}

async function isKnown(user) {
  return (await fsp.readFile('users')).includes(user);
}

// Tells its errors itself.
async function notify(order) {
  try {
    await fsp.appendFile('sent', order.id);
  } catch (e) {
    console.error(e);
  }
}

async function close(order) {
  await save(order);
  const saved = save(order);
  if (await isKnown(order.user)) await saved;
  notify(order);
  return save(order);
}

async function closeAll(orders) {
  for (const order of orders) await save(order);
  orders.forEach((order) => console.log(order.id));
}

function onOrder(order) {
  save(order).catch((e) => console.error(e));
  save(order).then(() => console.log('saved'), (e) => console.error(e));
  void notify(order);
}

const events = new EventEmitter();
events.on('order', async (order) => {
  try {
    await save(order);
  } catch (e) {
    console.error(e);
  }
});
events.on('plain', onOrder);

async function within(order, ms) {
  await save(order, { signal: AbortSignal.timeout(ms) });
}

async function everything(orders) {
  for (let i = 0; i < orders.length; i += 20)
    await Promise.all(orders.slice(i, i + 20).map((order) => save(order)));
  await Promise.all(['a', 'b'].map((id) => save({ id })));
}

async function limited(orders, limit) {
  return Promise.all(orders.map((order) => limit(() => save(order))));
}

async function head(path) {
  const file = await fsp.open(path);
  try {
    const { buffer } = await file.read();
    return buffer;
  } finally {
    await file.close();
  }
}

async function main() {
  await close({ id: 1 });
}

main(); // an error ends the program, as it should
module.exports = { closeAll, within, everything, limited, head };
