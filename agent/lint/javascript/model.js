// Names, scopes and functions of one file; part two of the helper. The checked code is only parsed.

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

// A module or function. Blocks are not told apart: a name bound twice is known by neither.
class Scope {
  constructor(node, parent, name) {
    Object.assign(this, {node, parent, name, owner: null});
    this.names = new Map(); // name -> [{kind, what}]
    this.types = new Map(); // memo
    this.nodes = [];        // of this function, inner ones left out
    this.calls = [];
    this.awaits = [];
  }

  get qualified() {
    const own = this.owner ? this.owner + '.' + this.name : this.name;
    return this.parent && this.parent.parent ? this.parent.qualified + '.' + own : own;
  }

  get isAsync() {
    return Boolean(this.node.async);
  }
}

function isNode(value) {
  return value !== null && typeof value === 'object' && typeof value.type === 'string';
}

function childrenOf(node) {
  const found = [];
  for (const key of Object.keys(node)) {
    const value = node[key];
    if (key === 'up' || key === 'loc')
      continue;
    if (Array.isArray(value))
      found.push(...value.filter(isNode));
    else if (isNode(value))
      found.push(value);
  }
  return found;
}

// Everything below a node, functions in it left out unless asked for.
function* below(node, inner) {
  const stack = [node];
  while (stack.length) {
    const at = stack.pop();
    yield at;
    if (at === node || inner || !FUNCTIONS.has(at.type))
      stack.push(...childrenOf(at).reverse());
  }
}

function* above(node, stop) {
  for (let at = node.up; at && at !== stop; at = at.up)
    yield at;
}

function isBefore(a, b) {
  return a.start < b.start;
}

// The name of a property, where it is certain.
function keyOf(node) {
  const key = node.key || node.property;
  if (!node.computed && (key.type === 'Identifier' || key.type === 'PrivateIdentifier'))
    return key.name;
  return key.type === 'Literal' ? String(key.value) : null;
}

function moduleName(literal) {
  const name = literal && literal.type === 'Literal' && typeof literal.value === 'string'
    ? literal.value : null;
  return name && name.startsWith('node:') ? name.slice(5) : name;
}

class Model {
  constructor(tree, text) {
    this.text = text;
    this.scopes = [];
    this.byNode = new Map();
    this.methods = new Map(); // class or object node -> Map of name -> Scope
    this.module = new Scope(tree, null, '<module>');
    this.collect(tree);
  }

  // ---- building

  collect(tree) {
    const stack = [[tree, null, this.module]];
    while (stack.length) {
      const [node, up, scope] = stack.pop();
      node.up = up;
      const inner = FUNCTIONS.has(node.type) ? this.enter(node, scope) : scope;
      if (inner === scope)
        this.note(scope, node);
      for (const child of childrenOf(node).reverse())
        stack.push([child, node, inner]);
    }
  }

  enter(node, scope) {
    const inner = new Scope(node, scope, this.nameOf(node));
    this.byNode.set(node, inner);
    this.scopes.push(inner);
    if (node.type === 'FunctionDeclaration' && node.id)
      this.bind(scope, node.id.name, 'scope', inner);
    else if (node.id)
      this.bind(inner, node.id.name, 'scope', inner);
    this.asMethod(node, inner);
    for (const p of node.params)
      this.bindPattern(inner, p, 'param');
    return inner;
  }

  nameOf(node) {
    if (node.id)
      return node.id.name;
    const up = node.up;
    if (up.type === 'VariableDeclarator' && up.id.type === 'Identifier')
      return up.id.name;
    if (up.type === 'MethodDefinition' || up.type === 'Property' || up.type === 'PropertyDefinition')
      return keyOf(up) || '<anonymous>';
    if (up.type === 'AssignmentExpression')
      return this.source(up.left);
    return '<anonymous>';
  }

  asMethod(node, inner) {
    const up = node.up;
    if (!['MethodDefinition', 'Property', 'PropertyDefinition'].includes(up.type) || up.value !== node)
      return;
    const holder = up.up.type === 'ClassBody' ? up.up.up : up.up;
    if (!this.methods.has(holder))
      this.methods.set(holder, new Map());
    this.methods.get(holder).set(keyOf(up), inner);
    if (up.up.type === 'ClassBody' && holder.id)
      inner.owner = holder.id.name;
    inner.holder = holder;
  }

  bind(scope, name, kind, what) {
    if (!scope.names.has(name))
      scope.names.set(name, []);
    scope.names.get(name).push({kind, what});
  }

  bindPattern(scope, pattern, kind) {
    for (const n of below(pattern, true))
      if (n.type === 'Identifier')
        this.bind(scope, n.name, kind, pattern);
  }

  note(scope, node) {
    scope.nodes.push(node);
    switch (node.type) {
    case 'CallExpression':
    case 'NewExpression':
      scope.calls.push(node);
      break;
    case 'AwaitExpression':
    case 'YieldExpression':
      scope.awaits.push(node);
      break;
    case 'ForOfStatement':
      if (node.await)
        scope.awaits.push(node);
      break;
    case 'ImportDeclaration':
      this.noteImport(scope, node);
      break;
    case 'VariableDeclarator':
      this.noteVariable(scope, node);
      break;
    case 'AssignmentExpression':
      if (node.left.type === 'Identifier')
        this.bindWhereDeclared(scope, node.left.name, node.right);
      else if (node.right.type === 'FunctionExpression' || node.right.type === 'ArrowFunctionExpression')
        this.noteExport(node);
      break;
    case 'ClassDeclaration':
      if (node.id)
        this.bind(scope, node.id.name, 'class', node);
      break;
    }
  }

  noteImport(scope, node) {
    const module = moduleName(node.source);
    for (const s of node.specifiers) {
      const part = s.type === 'ImportSpecifier' ? '.' + (s.imported.name || s.imported.value) : '';
      this.bind(scope, s.local.name, 'import', module + (part === '.default' ? '' : part));
    }
  }

  noteVariable(scope, node) {
    if (node.id.type === 'Identifier') {
      if (node.init)
        this.bind(scope, node.id.name, 'value', node.init);
      else if (['ForOfStatement', 'ForInStatement'].includes(node.up.up && node.up.up.type))
        this.bind(scope, node.id.name, 'other', null);
    } else if (node.id.type === 'ObjectPattern') {
      for (const p of node.id.properties) {
        if (p.type === 'Property' && p.value.type === 'Identifier' && node.init && keyOf(p))
          this.bind(scope, p.value.name, 'member', {of: node.init, name: keyOf(p)});
        else
          this.bindPattern(scope, p, 'other');
      }
    } else {
      this.bindPattern(scope, node.id, 'other');
    }
  }

  bindWhereDeclared(scope, name, value) {
    let s = scope;
    while (s.parent && !s.names.has(name))
      s = s.parent;
    this.bind(s, name, 'value', value);
  }

  // exports.load = function () {}: called as exports.load() in the same file.
  noteExport(node) {
    this.exported = this.exported || new Map();
    this.exported.set(this.source(node.left), node.right);
  }

  // ---- meaning: a dotted name, a Scope of this file, a class or object node, or null

  value(node, scope) {
    switch (node && node.type) {
    case 'Identifier': return this.name(node.name, scope);
    case 'MemberExpression': return this.member(node, scope);
    case 'ChainExpression': return this.value(node.expression, scope);
    case 'AwaitExpression': return this.value(node.argument, scope);
    case 'ClassExpression': return node;
    case 'ObjectExpression': return node;
    case 'FunctionExpression':
    case 'ArrowFunctionExpression': return this.byNode.get(node) || null;
    case 'NewExpression':
    case 'CallExpression': return this.result(node, scope);
    default: return null;
    }
  }

  result(call, scope) {
    const f = call.callee;
    if (f.type === 'Identifier' && f.name === 'require' && call.arguments.length === 1)
      return moduleName(call.arguments[0]);
    const made = this.value(f, scope);
    if (typeof made === 'string')
      return made === 'util.promisify' ? null : made + '()';
    return call.type === 'NewExpression' && isNode(made) ? made : null;
  }

  name(name, scope) {
    for (let s = scope; s; s = s.parent) {
      if (!s.names.has(name))
        continue;
      if (!s.types.has(name)) {
        s.types.set(name, null); // a name that is made of itself is not known
        s.types.set(name, this.binding(s.names.get(name), s));
      }
      return s.types.get(name);
    }
    return name;
  }

  binding(whats, scope) {
    if (whats.length !== 1)
      return null;
    const {kind, what} = whats[0];
    switch (kind) {
    case 'import':
    case 'scope':
    case 'class': return what;
    case 'value': return this.value(what, scope);
    case 'member': return this.below(this.value(what.of, scope), what.name);
    default: return null;
    }
  }

  member(node, scope) {
    const key = keyOf(node);
    if (!key)
      return null;
    const exported = this.exported && this.exported.get(this.source(node));
    if (exported)
      return this.byNode.get(exported) || null;
    if (node.object.type === 'ThisExpression') {
      const holder = this.holderOf(scope);
      return holder ? this.below(holder, key) : null;
    }
    return this.below(this.value(node.object, scope), key);
  }

  holderOf(scope) {
    for (let s = scope; s; s = s.parent)
      if (s.holder || s.node.type !== 'ArrowFunctionExpression')
        return s.holder || null;
    return null;
  }

  below(base, key) {
    if (typeof base === 'string')
      return key === 'default' ? base : base + '.' + key;
    const methods = isNode(base) && this.methods.get(base);
    return methods && methods.get(key) || null;
  }

  source(node) {
    const text = this.text.slice(node.start, node.end).replace(/\s+/g, ' ');
    return text.length <= 60 ? text : text.slice(0, 57) + '...';
  }

  // Is the name read anywhere in the function, or by functions in it?
  isRead(name, scope, after) {
    for (const n of below(scope.node, true))
      if (n.type === 'Identifier' && n.name === name && n.start > after)
        return true;
    return false;
  }

  constant(node, scope) {
    if (!node)
      return null;
    if (node.type === 'Literal' && typeof node.value === 'number')
      return node.value;
    if (node.type === 'BinaryExpression' && ['*', '**'].includes(node.operator)) {
      const a = this.constant(node.left, scope), b = this.constant(node.right, scope);
      return a === null || b === null ? null : node.operator === '*' ? a * b : a ** b;
    }
    if (node.type === 'Identifier')
      for (let s = scope; s; s = s.parent) {
        const whats = s.names.get(node.name);
        if (whats)
          return whats.length === 1 && whats[0].kind === 'value' && whats[0].what !== node &&
            whats[0].what.type === 'Literal' ? this.constant(whats[0].what, s) : null;
      }
    return null;
  }
}
