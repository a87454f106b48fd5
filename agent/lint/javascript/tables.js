// What blocks, by its full name; part one of the helper (see helper.c).
//
// A value that a call or `new` gave is written "NAME()": better-sqlite3().prepare().all is the method
// all of what prepare() of a database gave. "NAME.*" is everything below NAME. More come from -c FILE:
// RULE.call=NAME. Calls that only ask or name something (exists, stat, mkdir, rename) are left alone.
'use strict';
const fs = require('fs');

const FS_SYNC = `readFileSync writeFileSync appendFileSync readSync readvSync writeSync writevSync
copyFileSync cpSync readdirSync opendirSync rmSync openSync fsyncSync fdatasyncSync truncateSync
ftruncateSync readJsonSync writeJsonSync readJSONSync writeJSONSync outputFileSync outputJsonSync
copySync moveSync removeSync emptyDirSync`.split(/\s+/);

const SYNC_IO = `
child_process.execSync child_process.execFileSync child_process.spawnSync
glob.sync glob.globSync fast-glob.sync globby.sync rimraf.sync mkdirp.sync rimraf.rimrafSync
sync-request sync-fetch readline-sync.* execa.sync execa.commandSync execa.execaSync
cross-spawn.sync shelljs.* deasync.*
better-sqlite3().exec better-sqlite3().prepare().* better-sqlite3().transaction().*
sqlite.DatabaseSync().exec sqlite.DatabaseSync().prepare().*
jsonfile.readFileSync jsonfile.writeFileSync`;

const CPU = `
crypto.pbkdf2Sync crypto.scryptSync crypto.generateKeyPairSync crypto.generatePrimeSync
crypto.checkPrimeSync bcrypt.hashSync bcrypt.compareSync bcryptjs.hashSync bcryptjs.compareSync
argon2.hashSync
zlib.deflateSync zlib.deflateRawSync zlib.gzipSync zlib.gunzipSync zlib.inflateSync
zlib.inflateRawSync zlib.unzipSync zlib.brotliCompressSync zlib.brotliDecompressSync
zlib.zstdCompressSync zlib.zstdDecompressSync`;

const LOCK = 'Atomics.wait';

// Modules whose *Sync functions are those of fs.
const FS_MODULES = ['fs', 'fs-extra', 'graceful-fs'];

const HARMLESS = new Set(['pluck', 'bind', 'columns', 'echo', 'which', 'pwd', 'cd']);

// Who runs a function later, on the loop: the place of the function among the arguments.
const CALLBACK_TAKERS = {
  setTimeout: 0, setInterval: 0, setImmediate: 0, queueMicrotask: 0, 'process.nextTick': 0,
  'timers.setTimeout': 0, 'timers.setInterval': 0, 'timers.setImmediate': 0,
};
const SERVERS = new Set(['http.createServer', 'https.createServer', 'http2.createServer',
  'http2.createSecureServer', 'net.createServer', 'tls.createServer', 'http.request', 'http.get',
  'https.request', 'https.get', 'net.connect', 'net.createConnection']);
const LISTENING = new Set(['on', 'once', 'addListener', 'prependListener', 'addEventListener']);
const PROMISE_METHODS = new Set(['then', 'catch', 'finally']);
// Handlers of the best-known web frameworks: a path, then functions.
const ROUTES = new Set(['get', 'post', 'put', 'patch', 'delete', 'all', 'use', 'route']);
const ROUTERS = new Set(['express()', 'express.Router()', 'fastify()', 'koa()', '@koa/router()',
  'koa-router()', 'restify.createServer()', 'polka()', 'hono.Hono()']);

// What gives a promise, for certain.
const PROMISES = ['fs.promises', 'fs/promises', 'timers/promises', 'dns.promises', 'dns/promises',
  'stream/promises', 'readline/promises'];
const PROMISE_CALLS = new Set(['fetch', 'globalThis.fetch', 'node-fetch', 'undici.fetch',
  'undici.request', 'axios.get', 'axios.post', 'axios.put', 'axios.patch', 'axios.delete',
  'axios.request', 'axios', 'got', 'Promise.all', 'Promise.any',
  'Promise.race', 'events.once']);

// What must be closed again.
const OPENERS = new Set(['fs.promises.open', 'fs/promises.open', 'fs.openSync']);

const MANY = 50000000; // rounds of a loop that are certainly long: some 50 ms
const FEW = 100;       // promises that are certainly few

const REMEDIES = [
  ['fs', 'await the function of the same name in fs/promises'],
  ['child_process.', 'execFile() or spawn() of child_process, promisified, and await'],
  ['glob.', 'its asynchronous form, and await'],
  ['crypto.', 'its asynchronous form (crypto.pbkdf2, crypto.scrypt, ...), which the thread pool computes'],
  ['bcrypt', 'hash() or compare(), and await'],
  ['zlib.', 'its asynchronous form or a stream, which the thread pool computes'],
  ['better-sqlite3', 'a worker_threads Worker that has the database'],
  ['sqlite.', 'a worker_threads Worker that has the database'],
  ['Atomics.', 'Atomics.waitAsync(), or a message to the worker'],
];
