// One helper for all files; part five. Fd 3 holds the request: a JSON array of [rule, name] pairs to add
// to the tables on the first line, then a path a NUL. Answers are JSON lines on standard output:
// {"file": N} begins a file, so that the parent knows which one a crash belongs to.

const NO_PARSER = 70; // the status that says so

// Node's own copy of acorn, or (where a distribution took it out) the package's. Never one that lies
// beside the checked code.
function findParser() {
  for (const place of ['internal/deps/acorn/acorn/dist/acorn', '/usr/share/nodejs/acorn/dist/acorn.js'])
    try {
      return require(place);
    } catch {}
  process.exit(NO_PARSER);
}

let waiting = [];

function flush() {
  let data = Buffer.from(waiting.join(''));
  waiting = [];
  while (data.length)
    data = data.subarray(fs.writeSync(1, data));
}

function say(what) {
  waiting.push(JSON.stringify(what).replace(/[\ud800-\udfff\u0080-\uffff]/g,
    c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')) + '\n');
}

function reporter(number, text) {
  const told = new Set(), lines = text.split(/\r\n|[\n\r\u2028\u2029]/);
  return (rule, node, scope, message, remedy, about, chain = []) => {
    const line = node.loc.start.line;
    const column = [...lines[line - 1].slice(0, node.loc.start.column)].length; // characters
    const key = `${rule} ${line} ${column}`;
    if (told.has(key))
      return;
    told.add(key);
    say({finding: rule, file: number, line, column: column + 1, end_line: node.loc.end.line,
      function: scope.qualified, message, remedy, about, chain});
  };
}

function parse(parser, path, text) {
  const options = {ecmaVersion: 'latest', locations: true, allowHashBang: true,
    allowReturnOutsideFunction: true, allowAwaitOutsideFunction: true, allowSuperOutsideMethod: true};
  const types = path.endsWith('.mjs') ? ['module'] : path.endsWith('.cjs') ? ['script']
    : /^\s*(import|export)\b/m.test(text) ? ['module', 'script'] : ['script', 'module'];
  for (const sourceType of types)
    try {
      return parser.parse(text, {...options, sourceType});
    } catch (e) {
      if (sourceType === types[types.length - 1])
        throw e;
    }
}

function check(parser, number, path, table) {
  const raw = fs.readFileSync(path);
  if (raw.includes(0)) {
    say({skip: number, why: 'binary, not source'});
    return;
  }
  let text;
  try {
    text = new TextDecoder('utf-8', {fatal: true}).decode(raw);
  } catch {
    say({skip: number, why: 'not valid UTF-8'});
    return;
  }
  const model = new Model(parse(parser, String(path), text), text);
  const report = reporter(number, text);
  new Blocking(model, table, report).run();
  new Tasks(model, report).run();
  say({done: number, lines: text.split('\n').length - (text.endsWith('\n') || !text ? 1 : 0)});
}

function whyNot(e) {
  if (e instanceof RangeError)
    return 'nested too deeply';
  if (e instanceof SyntaxError && e.loc)
    return `line ${e.loc.line}: ${e.message.replace(/ \(\d+:\d+\)$/, '')}`;
  return e.code ? `cannot be read: ${e.code}` : `cannot be checked: ${e.message}`;
}

function main() {
  const parser = findParser();
  const request = fs.readFileSync(3), end = request.indexOf(10);
  const table = new Table(JSON.parse(request.subarray(0, end).toString()));
  let at = end + 1;
  for (let number = 0; at < request.length; number++) {
    const stop = request.indexOf(0, at), path = request.subarray(at, stop);
    at = stop + 1;
    say({file: number});
    flush();
    try {
      check(parser, number, path, table);
    } catch (e) {
      say({skip: number, why: whyNot(e)});
    }
  }
  say({end: true});
  flush();
}

main();
