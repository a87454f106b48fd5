'use strict';
const fs = require('node:fs');
const http = require('http');
const { execSync } = require('child_process');

function load(name) {
  return JSON.parse(fs.readFileSync(name, 'utf8')); // expect: loop-sync-io
}

function settings(name) {
  return load(name + '.json');
}

class Backup {
  pack() {
    execSync('tar cf backup.tar data'); // expect: loop-sync-io
  }

  async run() {
    this.pack();
  }
}

const actions = { copy: () => fs.copyFileSync('a', 'b') }; // expect: loop-sync-io

async function act(name) {
  const action = actions[name];
  return action();
}

http.createServer((request, response) => {
  response.end(settings(request.url));
}).listen(8080);

setInterval(() => {
  const names = fs.readdirSync('spool'); // expect: loop-sync-io
  for (const name of names) fs.rmSync(name); // expect: loop-sync-io
}, 1000);

module.exports = { Backup, act };
