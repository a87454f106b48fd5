// What blocks the loop; part three of the helper.
//
// Asynchronous functions are roots, and so is what the loop calls back: listeners, timers, handlers of
// servers and routes. From each the file's own functions are followed; the shortest chain is told. What
// only start-up runs (the module itself and what it calls) blocks nobody.

class Table {
  constructor(extra) {
    this.exact = new Map();
    this.prefix = new Map();
    for (const [rule, names] of [['loop-sync-io', SYNC_IO], ['loop-cpu', CPU], ['loop-lock', LOCK]])
      for (const name of names.trim().split(/\s+/))
        this.add(rule, name);
    for (const module of FS_MODULES)
      for (const name of FS_SYNC)
        this.add('loop-sync-io', module + '.' + name);
    for (const [rule, name] of extra)
      this.add(rule, name);
  }

  add(rule, name) {
    if (name.endsWith('.*'))
      this.prefix.set(name.slice(0, -2), rule);
    else
      this.exact.set(name, rule);
  }

  rule(name) {
    if (this.exact.has(name))
      return this.exact.get(name);
    let at = name.lastIndexOf('.');
    if (HARMLESS.has(name.slice(at + 1)))
      return null;
    for (; at > 0; at = name.lastIndexOf('.', at - 1))
      if (this.prefix.has(name.slice(0, at)))
        return this.prefix.get(name.slice(0, at));
    return null;
  }
}

function remedyOf(name, rule) {
  for (const [prefix, text] of REMEDIES)
    if (name.startsWith(prefix))
      return text;
  return rule === 'loop-cpu' ? 'a worker_threads Worker, or slices with await setImmediate() between'
    : 'its asynchronous form, and await';
}

class Blocking {
  constructor(model, table, report) {
    Object.assign(this, {m: model, table, report});
    this.found = new Map();   // Scope -> [{node, rule, name}]
    this.helpers = new Map(); // Scope -> [{call, scope}]
  }

  run() {
    for (const scope of this.m.scopes)
      this.look(scope);
    const best = new Map();
    for (const [root, why] of this.roots())
      for (const [chain, hit] of this.reach(root))
        if (!best.has(hit.node) || chain.length < best.get(hit.node).chain.length)
          best.set(hit.node, {chain, hit, why});
    for (const {chain, hit, why} of best.values())
      this.tell(chain, hit, why);
  }

  // ---- facts of one function

  look(scope) {
    const found = [], helpers = [];
    for (const call of scope.calls) {
      const made = this.m.value(call.callee, scope);
      if (made instanceof Scope) {
        if (!made.isAsync && !made.node.generator)
          helpers.push({call, scope: made});
      } else if (typeof made === 'string' && call.type === 'CallExpression') {
        const rule = call.up.type === 'AwaitExpression' ? null : this.table.rule(made);
        if (rule)
          found.push({node: call, rule: this.isLog(call, made, scope) ? 'loop-sync-log' : rule,
            name: made});
      }
      helpers.push(...this.calledAtOnce(call), ...this.tableOf(call, scope));
    }
    found.push(...this.longLoops(scope));
    this.found.set(scope, found);
    this.helpers.set(scope, helpers);
  }

  // items.map(x => ...), new Promise(resolve => ...): the function runs here and now.
  * calledAtOnce(call) {
    const f = call.callee;
    const each = f.type === 'MemberExpression' && ['map', 'forEach', 'filter', 'reduce', 'some',
      'every', 'find', 'flatMap', 'sort'].includes(keyOf(f));
    const executor = call.type === 'NewExpression' && f.type === 'Identifier' && f.name === 'Promise';
    const inner = (each || executor) && call.arguments[0] && this.m.byNode.get(call.arguments[0]);
    if (inner && !inner.isAsync)
      yield {call, scope: inner};
  }

  // HANDLERS[name](...), where HANDLERS is an object of functions: it may be each of them.
  * tableOf(call, scope) {
    let f = call.callee; // or const handler = HANDLERS[name]; handler(...)
    f = f.type === 'Identifier' ? this.valueOf(f.name, scope) : f;
    if (!f || f.type !== 'MemberExpression' || !f.computed || f.object.type !== 'Identifier')
      return;
    const table = this.valueOf(f.object.name, scope);
    for (const p of table && table.type === 'ObjectExpression' ? table.properties : []) {
      const made = p.type === 'Property' ? this.m.value(p.value, scope) : null;
      if (made instanceof Scope && !made.isAsync && !made.node.generator)
        yield {call, scope: made};
    }
  }

  isLog(call, name, scope) {
    if (!FS_MODULES.some(m => name.startsWith(m + '.')) || !call.arguments.length)
      return false;
    const first = call.arguments[0], key = name.slice(name.indexOf('.') + 1);
    if (key === 'writeSync')
      return [1, 2].includes(this.m.constant(first, scope)) ||
        ['process.stdout.fd', 'process.stderr.fd'].includes(this.m.source(first));
    const path = first.type === 'Identifier' ? this.valueOf(first.name, scope) : first;
    const text = path && (path.type === 'Literal' ? String(path.value)
      : path.type === 'TemplateLiteral' ? path.quasis[path.quasis.length - 1].value.raw : '');
    return ['appendFileSync', 'writeFileSync'].includes(key) && /\.log$/.test(text || '');
  }

  valueOf(name, scope) {
    for (let s = scope; s; s = s.parent) {
      const whats = s.names.get(name);
      if (whats)
        return whats.length === 1 && whats[0].kind === 'value' ? whats[0].what : null;
    }
    return null;
  }

  * longLoops(scope) {
    for (const node of scope.nodes) {
      if (!/^(For|While|DoWhile)Statement$/.test(node.type) || this.givesWay(node))
        continue;
      const rounds = node.type === 'ForStatement' ? this.rounds(node, scope) : 0;
      const inner = [...above(node, scope.node)].some(
        up => up.type === 'ForStatement' && this.rounds(up, scope) >= MANY);
      if (rounds >= MANY && !inner)
        yield {node, rule: 'loop-cpu', name: `a loop of ${Math.floor(rounds).toLocaleString('en')} rounds`};
      else if (this.waitsForTime(node) && !this.leaves(node))
        yield {node, rule: 'loop-cpu', name: 'a loop until a point in time'};
      else if (this.isEndless(node))
        yield {node, rule: 'loop-cpu', name: 'a loop without an end or an await'};
    }
  }

  rounds(loop, scope) {
    const test = loop.test;
    if (!test || test.type !== 'BinaryExpression' || !['<', '<='].includes(test.operator) ||
        this.leaves(loop) || !loop.update || loop.update.type !== 'UpdateExpression')
      return 0;
    const n = this.m.constant(test.right, scope);
    let deepest = 1;
    const body = loop.body.type === 'BlockStatement' ? loop.body.body : [loop.body];
    for (const b of body)
      if (b.type === 'ForStatement')
        deepest = Math.max(deepest, this.rounds(b, scope));
    return n === null ? 0 : n * deepest;
  }

  leaves(loop) {
    for (const n of below(loop.body))
      if (['BreakStatement', 'ReturnStatement', 'ThrowStatement'].includes(n.type))
        return true;
    return false;
  }

  givesWay(loop) {
    for (const n of below(loop))
      if (n.type === 'AwaitExpression' || n.type === 'YieldExpression' ||
          n.type === 'ForOfStatement' && n.await)
        return true;
    return false;
  }

  waitsForTime(loop) {
    const clocks = ['Date.now', 'performance.now', 'process.hrtime', 'process.hrtime.bigint',
      'process.uptime'];
    for (const n of loop.test ? below(loop.test) : [])
      if (n.type === 'CallExpression' && clocks.includes(this.m.source(n.callee)))
        return true;
    return false;
  }

  isEndless(loop) {
    const always = loop.type === 'ForStatement' ? !loop.test || loop.test.value === true
      : loop.test.type === 'Literal' && Boolean(loop.test.value);
    if (!always || this.leaves(loop))
      return false;
    for (const n of below(loop.body))
      if (n.type === 'CallExpression' || n.type === 'TryStatement')
        return false; // it may throw
    return true;
  }

  // ---- from the roots

  * roots() {
    for (const scope of this.m.scopes)
      if (scope.isAsync)
        yield [scope, 'asynchronous'];
    for (const scope of [this.m.module, ...this.m.scopes])
      for (const call of scope.calls)
        for (const argument of this.callbacks(call, scope)) {
          const made = this.m.value(argument, scope);
          if (made instanceof Scope && !made.node.generator)
            yield [made, 'callback'];
        }
  }

  // The arguments that the loop will call.
  callbacks(call, scope) {
    const f = call.callee, name = this.m.value(f, scope);
    if (typeof name === 'string' && Object.hasOwn(CALLBACK_TAKERS, name))
      return call.arguments.slice(CALLBACK_TAKERS[name], CALLBACK_TAKERS[name] + 1);
    if (typeof name === 'string' && SERVERS.has(name))
      return call.arguments.slice(-1);
    if (f.type !== 'MemberExpression')
      return [];
    const key = keyOf(f), base = this.m.value(f.object, scope);
    if (LISTENING.has(key) && call.arguments.length === 2 && base !== 'process')
      return call.arguments.slice(1);
    if (PROMISE_METHODS.has(key))
      return call.arguments;
    if (ROUTES.has(key) && ROUTERS.has(base))
      return call.arguments.slice(-1);
    return [];
  }

  // Breadth first, so that the first chain to a call is the shortest.
  * reach(root) {
    const queue = [[root, [{scope: root, line: root.node.loc.start.line}]]], seen = new Set([root]);
    while (queue.length) {
      const [scope, chain] = queue.shift();
      for (const hit of this.found.get(scope) || [])
        yield [chain, hit];
      for (const helper of this.helpers.get(scope) || [])
        if (!seen.has(helper.scope)) {
          seen.add(helper.scope);
          queue.push([helper.scope,
            chain.concat({scope: helper.scope, line: helper.call.loc.start.line})]);
        }
    }
  }

  tell(chain, hit, why) {
    const isCall = hit.node.type === 'CallExpression';
    const text = isCall ? hit.name.replace(/\(\)/g, '') : hit.name;
    const what = {'loop-cpu': 'computes on the loop', 'loop-lock': 'makes the loop wait for a thread',
      'loop-sync-log': 'writes a log on the loop'}[hit.rule] || 'blocks the loop';
    const scope = chain[chain.length - 1].scope, root = chain[0].scope;
    let message = `${text}${isCall ? '()' : ''} ${what}`;
    if (chain.length > 1)
      message += `: called from ${why} ${root.qualified}`;
    this.report(hit.rule, hit.node, scope, message,
      hit.rule === 'loop-sync-log' ? 'a logger with a queue (pino), or a stream opened once'
        : remedyOf(hit.name, hit.rule), text,
      chain.length > 1 ? chain.map(c => ({function: c.scope.qualified, line: c.line})) : []);
  }
}
