#!/usr/bin/env node
'use strict';
const fs = require('node:fs');
const http = require('http');
const { execFile } = require('child_process');
const { promisify } = require('util');

const config = JSON.parse(fs.readFileSync('config.json', 'utf8')); // at start-up

function load(name) {
  return fs.promises.readFile(name, 'utf8');
}

class Backup {
  async run() {
    await promisify(execFile)('tar', ['cf', 'backup.tar', 'data']);
  }
}

// Of another object: only the name is the same.
const cache = { readFileSync: (name) => config[name] };

http.createServer(async (request, response) => {
  try {
    if (!fs.existsSync(request.url)) response.statusCode = 404;
    response.end(cache.readFileSync(request.url) || await load(request.url));
  } catch (e) {
    response.destroy(e);
  }
}).listen(config.port);

process.on('exit', () => fs.rmSync('scratch', { recursive: true })); // nothing else can run then

module.exports = { Backup };
