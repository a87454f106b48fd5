import { pbkdf2Sync } from 'node:crypto';
import zlib from 'zlib';

export async function sign(password) {
  return pbkdf2Sync(password, 'salt', 600000, 64, 'sha512'); // expect: loop-cpu
}

export async function pack(data) {
  return zlib.gzipSync(data); // expect: loop-cpu
}

export async function analyse(order) {
  let sum = 0;
  for (let i = 0; i < 10000; i++) // expect: loop-cpu
    for (let k = 0; k < 100000; k++) sum += i * order;
  return sum;
}

export async function pause(ms) {
  const until = Date.now() + ms;
  while (Date.now() < until); // expect: loop-cpu
}

export async function take(shared) {
  Atomics.wait(shared, 0, 0); // expect: loop-lock
}
