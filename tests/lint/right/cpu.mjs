import { pbkdf2 } from 'node:crypto';
import { promisify } from 'util';
import { setTimeout as sleep, setImmediate as yieldNow } from 'timers/promises';
import zlib from 'zlib';

export async function sign(password) {
  return promisify(pbkdf2)(password, 'salt', 600000, 64, 'sha512');
}

export async function pack(data) {
  return promisify(zlib.gzip)(data);
}

export async function analyse(order) {
  let sum = 0;
  for (let i = 0; i < 10000; i++) {
    for (let k = 0; k < 100000; k++) sum += i * order;
    await yieldNow();
  }
  for (let i = 0; i < 1000; i++) sum += i;
  return sum;
}

export async function pause(ms) {
  const until = Date.now() + ms;
  while (Date.now() < until) await sleep(10);
}
