// Awaits forgotten, errors unread, timeouts, limits, descriptors left open; part four of the helper.

class Tasks {
  constructor(model, report) {
    Object.assign(this, {m: model, report});
  }

  run() {
    for (const scope of [this.m.module, ...this.m.scopes])
      for (const call of scope.calls) {
        this.awaited(call, scope);
        this.listens(call, scope);
        this.raced(call, scope);
        this.unbounded(call, scope);
        this.opened(call, scope);
      }
  }

  // ---- task-never-awaited, task-error-unread

  // The async function of this file that a call starts; null where it is not certain.
  started(call, scope) {
    const made = this.m.value(call.callee, scope);
    return made instanceof Scope && made.isAsync && !made.node.generator ? made : null;
  }

  givesPromise(call, scope) {
    if (this.started(call, scope))
      return true;
    const made = this.m.value(call.callee, scope);
    return typeof made === 'string' && call.type === 'CallExpression' &&
      (PROMISE_CALLS.has(made) || PROMISES.some(p => made.startsWith(p + '.') &&
        !made.slice(p.length + 1).match(/[.(]/)));
  }

  awaited(call, scope) {
    const up = call.up;
    if (this.isForEach(call, scope))
      return;
    if (up.type === 'MemberExpression' && up.object === call && keyOf(up) === 'then') {
      this.chained(call, up, scope);
      return;
    }
    const tested = ['IfStatement', 'WhileStatement', 'ConditionalExpression'].includes(up.type) &&
      up.test === call || up.type === 'UnaryExpression' && up.operator === '!';
    const dropped = up.type === 'ExpressionStatement';
    const unread = up.type === 'VariableDeclarator' && up.id.type === 'Identifier' && scope.parent &&
      !this.m.isRead(up.id.name, scope, up.end);
    if (!tested && !dropped && !unread || !this.givesPromise(call, scope))
      return;
    const text = this.named(call.callee);
    if (tested)
      this.report('task-never-awaited', call, scope,
        `${text} is not awaited: its result is tested, which is always true`, 'await it', text);
    else if (scope.parent && !this.readsOwnErrors(this.started(call, scope)))
      this.tellDropped(call, scope, text);
  }

  // In an async function an await was most likely forgotten; elsewhere nobody could have awaited it.
  tellDropped(call, scope, text) {
    if (scope.isAsync)
      this.report('task-never-awaited', call, scope,
        `${text} is not awaited: it runs on unseen, and its error ends the program`,
        'await it, or keep the promise and read its error', text);
    else
      this.report('task-error-unread', call, scope,
        `the promise of ${text} is dropped: its error ends the program`,
        '.catch() that reads the error, or an async function that awaits it', text);
  }

  // It tells its errors itself: the body ends with a try and catch, or all it awaits is in one.
  readsOwnErrors(started) {
    if (!started)
      return false;
    const body = started.node.body.type === 'BlockStatement' ? started.node.body.body : [];
    const last = body[body.length - 1];
    return Boolean(last && last.type === 'TryStatement' && last.handler) || this.awaitsAreCaught(started);
  }

  named(callee) {
    return FUNCTIONS.has(callee.type) ? 'the async function' : this.m.source(callee) + '()';
  }

  isForEach(call, scope) {
    const f = call.callee, inner = call.arguments[0];
    if (f.type !== 'MemberExpression' || keyOf(f) !== 'forEach' || !inner)
      return false;
    const made = this.m.value(inner, scope);
    if (!(made instanceof Scope) || !made.isAsync || this.readsOwnErrors(made))
      return false;
    this.report('task-never-awaited', call, scope,
      'forEach() awaits nobody: all rounds run at once, and their errors end the program',
      'for (const x of ...) with await in it, or await Promise.all(... .map(...))', 'forEach');
    return true;
  }

  // p.then(f) as a statement: no second function, no catch() at its end.
  chained(call, member, scope) {
    let at = member.up, last = 'then', caught = false;
    while (at.type === 'CallExpression') {
      caught = caught || last === 'catch' || last === 'then' && at.arguments.length > 1;
      if (at.up.type !== 'MemberExpression' || at.up.object !== at)
        break;
      last = keyOf(at.up);
      at = at.up.up;
    }
    if (caught || at.up.type !== 'ExpressionStatement' || !this.givesPromise(call, scope) ||
        this.readsOwnErrors(this.started(call, scope)))
      return;
    const text = this.named(call.callee);
    this.report('task-error-unread', call, scope,
      `nobody reads the error of ${text}: it ends the program`, '.catch() at the end, or await in a try',
      text);
  }

  // An async listener or timer: whoever calls it drops its promise.
  listens(call, scope) {
    const f = call.callee, name = this.m.value(f, scope);
    const timer = typeof name === 'string' && Object.hasOwn(CALLBACK_TAKERS, name);
    const listener = f.type === 'MemberExpression' && LISTENING.has(keyOf(f)) &&
      call.arguments.length === 2 && call.arguments[0].type === 'Literal';
    if (!timer && !listener)
      return;
    const given = call.arguments[timer ? CALLBACK_TAKERS[name] : 1];
    const made = given && this.m.byNode.get(given);
    if (!made || !made.isAsync || !made.awaits.length || this.awaitsAreCaught(made))
      return;
    const text = this.m.source(f);
    this.report('task-error-unread', given, scope,
      `${text}() drops the promise of its async function: an error ends the program`,
      'try and catch around its body', text);
  }

  awaitsAreCaught(scope) {
    return scope.awaits.every(a => [...above(a, scope.node)].some(
      up => up.type === 'TryStatement' && up.handler && a.start >= up.block.start && a.end <= up.block.end)
      || a.type === 'AwaitExpression' && a.argument.type === 'CallExpression' &&
      a.argument.callee.type === 'MemberExpression' && keyOf(a.argument.callee) === 'catch');
  }

  // ---- task-timeout-runs-on

  raced(call, scope) {
    const list = call.arguments[0];
    if (this.m.value(call.callee, scope) !== 'Promise.race' || !list || list.type !== 'ArrayExpression')
      return;
    const parts = list.elements.filter(e => e && e.type !== 'SpreadElement');
    const clock = parts.find(e => this.isTimeout(e, scope));
    const work = parts.find(e => e !== clock && e.type === 'CallExpression' &&
      this.givesPromise(e, scope) && !/signal|abort|controller/i.test(this.m.source(e)));
    if (!clock || !work)
      return;
    const text = this.m.source(work);
    this.report('task-timeout-runs-on', call, scope, `after the timeout ${text} runs on`,
      'AbortSignal.timeout() given to the work, which ends it', text);
  }

  isTimeout(node, scope) {
    if (node.type === 'CallExpression') {
      const made = this.m.value(node.callee, scope);
      return made === 'timers/promises.setTimeout' ||
        /(timeout|sleep|delay)/i.test(this.m.source(node.callee));
    }
    if (node.type !== 'NewExpression' || this.m.source(node.callee) !== 'Promise')
      return false;
    for (const n of below(node, true))
      if (n.type === 'Identifier' && n.name === 'setTimeout')
        return true;
    return false;
  }

  // ---- task-unbounded

  unbounded(call, scope) {
    const f = call.callee, list = call.arguments[0];
    const name = this.m.value(f, scope);
    if (['Promise.all', 'Promise.allSettled'].includes(name) && list)
      this.mapped(call, list, scope);
    else if (call.type === 'CallExpression' && this.givesPromise(call, scope))
      this.collected(call, scope);
  }

  mapped(call, list, scope) {
    if (list.type !== 'CallExpression' || list.callee.type !== 'MemberExpression' ||
        keyOf(list.callee) !== 'map' || !list.arguments[0])
      return;
    const items = list.callee.object, each = this.m.value(list.arguments[0], scope);
    if (!(each instanceof Scope) || !this.isInput(items, scope))
      return;
    const works = each.isAsync && each.awaits.length > 0 ||
      each.calls.some(c => this.givesPromise(c, each) && this.isResult(c, each));
    if (works && !this.isLimited(each))
      this.report('task-unbounded', call, scope,
        `as many promises at once as ${this.m.source(items)} has items`,
        'a limit (p-limit), or slices of 10 to 100', this.m.source(items));
  }

  isResult(call, each) {
    return each.node.body === call || call.up.type === 'ReturnStatement';
  }

  // for (const x of items) started.push(f(x))
  collected(call, scope) {
    const up = call.up;
    if (up.type !== 'CallExpression' || up.callee.type !== 'MemberExpression' ||
        keyOf(up.callee) !== 'push')
      return;
    for (const loop of above(up, scope.node)) {
      if (loop.type !== 'ForOfStatement')
        continue;
      let waits = loop.await;
      for (const n of below(loop.body))
        waits = waits || n.type === 'AwaitExpression' || n.type === 'BreakStatement';
      const started = this.started(call, scope);
      if (!waits && this.isInput(loop.right, scope) && !(started && this.isLimited(started)))
        this.report('task-unbounded', call, scope,
          `as many promises at once as ${this.m.source(loop.right)} has items`,
          'a limit (p-limit), or slices of 10 to 100', this.m.source(call.callee));
      return;
    }
  }

  // Could it be thousands? Parameters, and what was read.
  isInput(items, scope) {
    if (items.type !== 'Identifier' || !scope.parent)
      return false;
    const whats = scope.names.get(items.name);
    if (!whats || whats.length !== 1)
      return false;
    const {kind, what} = whats[0];
    if (kind === 'param')
      return what.type === 'Identifier' || what.type === 'AssignmentPattern';
    if (kind !== 'value')
      return false;
    const made = what.type === 'CallExpression' ? this.m.source(what.callee) : '';
    return what.type === 'AwaitExpression' || /(^|\.)(parse|split)$/.test(made);
  }

  isLimited(each) {
    for (const n of below(each.node, true))
      if (n.type === 'Identifier' && /(sem|limit|slot|queue|acquire|pool|throttle|lock)/i.test(n.name))
        return true;
    return false;
  }

  // ---- fd-orphan

  opened(call, scope) {
    const made = this.m.value(call.callee, scope);
    if (!OPENERS.has(made) || !scope.parent)
      return;
    const up = call.up.type === 'AwaitExpression' ? call.up.up : call.up;
    if (up.type !== 'VariableDeclarator' || up.id.type !== 'Identifier' ||
        /using$/.test(up.up.kind || ''))
      return;
    const name = up.id.name, uses = [];
    for (const n of below(scope.node, true))
      if (n.type === 'Identifier' && n.name === name && n.start > up.end)
        uses.push(n);
    if (uses.every(n => this.isPlainUse(n)))
      this.leftOpen(call, up, name, uses, scope);
  }

  // h.read(...) and fs.readSync(fd, ...) use it; everything else hands it to somebody.
  isPlainUse(n) {
    const up = n.up;
    if (up.type === 'MemberExpression')
      return up.object === n && up.up.type === 'CallExpression' && up.up.callee === up;
    return up.type === 'CallExpression' && up.callee !== n &&
      /^fs\.\w+Sync$/.test(this.m.source(up.callee));
  }

  leftOpen(call, at, name, uses, scope) {
    const closes = uses.filter(n => n.up.type === 'MemberExpression' ? keyOf(n.up) === 'close'
      : /close/.test(this.m.source(n.up.callee)));
    const guarded = closes.some(n => [...above(n, scope.node)].some(
      up => up.up && up.up.type === 'TryStatement' && up.up.finalizer === up));
    const last = closes[closes.length - 1];
    const between = scope.awaits.find(a => a.start > at.end && !closes.some(
      n => a.start <= n.start && n.end <= a.end) && (!last || isBefore(a, last)));
    if (guarded || !between)
      return;
    const text = this.m.source(call.callee);
    this.report('fd-orphan', call, scope, `${name} = ${text}(): ` + (last
      ? `an error of the await in line ${between.loc.start.line} leaves it open`
      : 'nothing closes it on the way out'),
      `try and finally with ${name}.close(), or await using`, text);
  }
}
