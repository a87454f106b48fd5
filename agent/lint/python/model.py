# Names, scopes and functions of one file; part two of the helper. The checked code is only parsed.


class Scope:
    """A module, class, function or lambda: what its names mean."""

    def __init__(self, node, parent, name):
        self.node, self.parent, self.name = node, parent, name
        self.is_class = isinstance(node, ast.ClassDef)
        self.is_function = isinstance(node, FUNCTIONS)
        self.names = {}    # name -> list of ("import", dotted) ("scope", Scope) ("value", node) ...
        self.types = {}    # memo of value_of_name
        self.own_calls = []  # Call nodes of this scope, nested functions left out
        self.awaits = []
        self.nodes = []
        self.attrs = {}    # class: attribute -> values assigned to self.attribute

    @property
    def qualified(self):
        up = self.parent
        return up.qualified + "." + self.name if up and up.parent else self.name

    def enclosing_class(self):
        s = self.parent
        while s and not s.is_class:
            s = s.parent
        return s


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Model:
    def __init__(self, tree):
        self.module = Scope(tree, None, "<module>")
        self.scopes = []     # functions
        self.by_node = {}
        self.classes = []
        self.overrides = {}  # method name -> is async, of every def in the file
        self.resolving = set()
        self._collect(self.module, list(ast.iter_child_nodes(tree)), tree)

    # ---- building

    def _bind(self, scope, name, what):
        scope.names.setdefault(name, []).append(what)

    def _enter(self, scope, node, name):
        inner = Scope(node, scope, name)
        self.by_node[node] = inner
        if inner.is_class:
            self.classes.append(inner)
        else:
            self.scopes.append(inner)
            self._params(inner, node.args)
        return inner

    def _params(self, scope, args):
        every = args.posonlyargs + args.args + args.kwonlyargs
        for a in every + [x for x in (args.vararg, args.kwarg) if x]:
            self._bind(scope, a.arg, ("param", a.annotation))

    def _collect(self, scope, children, parent):
        stack = [(c, parent) for c in reversed(children)]
        while stack:
            node, up = stack.pop()
            node.up = up
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                self._definition(scope, node)
                continue
            if isinstance(node, ast.Lambda):
                inner = self._enter(scope, node, "<lambda>")
                self._collect(inner, [node.body], node)
                for d in node.args.defaults + [d for d in node.args.kw_defaults if d]:
                    stack.append((d, node))
                continue
            self._note(scope, node)
            stack.extend((c, node) for c in reversed(list(ast.iter_child_nodes(node))))

    def _definition(self, scope, node):
        inner = self._enter(scope, node, node.name)
        self._bind(scope, node.name, ("scope", inner))
        outside = list(node.decorator_list)
        if inner.is_class:
            outside += node.bases + [k.value for k in node.keywords]
        else:
            outside += node.args.defaults + [d for d in node.args.kw_defaults if d]
            if scope.is_class:
                is_async = isinstance(node, ast.AsyncFunctionDef)
                self.overrides.setdefault(node.name, set()).add(is_async)
        self._collect(scope, outside, node)
        self._collect(inner, node.body, node)

    def _note(self, scope, node):
        scope.nodes.append(node)
        if isinstance(node, ast.Call):
            scope.own_calls.append(node)
        elif isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            scope.awaits.append(node)
        elif isinstance(node, (ast.Yield, ast.YieldFrom)):
            scope.awaits.append(node)
        elif isinstance(node, ast.Import):
            for a in node.names:
                dotted = a.name if a.asname else a.name.split(".")[0]
                self._bind(scope, a.asname or dotted, ("import", dotted))
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for a in node.names:
                dotted = base + ("" if base.endswith(".") else ".") + a.name
                self._bind(scope, a.asname or a.name, ("import", dotted))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(scope, target, node.value)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)):
            if node.value is not None:
                self._assign(scope, node.target, node.value)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign(scope, item.optional_vars, item.context_expr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            if node.id not in scope.names:
                self._bind(scope, node.id, ("other", None))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self._bind(scope, node.name, ("other", None))

    def _assign(self, scope, target, value):
        if isinstance(target, ast.Name):
            self._bind(scope, target.id, ("value", value))
        elif (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
              and target.value.id in ("self", "cls")):
            cls = scope.enclosing_class()
            if cls:
                cls.attrs.setdefault(target.attr, []).append((scope, value))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for t in target.elts:
                if isinstance(t, ast.Name):
                    self._bind(scope, t.id, ("other", None))

    # ---- meaning: a dotted name, a Scope of this file, or None

    def value(self, node, scope):
        if isinstance(node, ast.Name):
            return self._name(node.id, scope)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope)
        if isinstance(node, ast.Call):
            made = self.value(node.func, scope)
            if isinstance(made, Scope):
                return ("instance", made) if made.is_class else None
            return made + "()" if isinstance(made, str) else None
        if isinstance(node, ast.Await):
            return self.value(node.value, scope)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            left = self.value(node.left, scope)
            return left if left == "pathlib.Path()" else None
        return None

    def _name(self, name, scope):
        key = (id(scope), name)
        if key in self.resolving:
            return None
        self.resolving.add(key)
        try:
            s, first = scope, True
            while s:
                if name in s.names and (first or not s.is_class):
                    if name not in s.types:
                        s.types[name] = self._binding(s.names[name], s)
                    return s.types[name]
                s, first = s.parent, False
            return "builtins." + name
        finally:
            self.resolving.discard(key)

    def only_value(self, node, scope):
        """The expression a name stands for, where it is bound once."""
        while scope and isinstance(node, ast.Name):
            whats = scope.names.get(node.id)
            if whats:
                return whats[0][1] if len(whats) == 1 and whats[0][0] == "value" else None
            scope = scope.parent
        return None

    def _binding(self, whats, scope):
        found = []
        for kind, what in whats:
            if kind == "import":
                return what
            if kind == "scope":
                found.append(what)
            elif kind == "value":
                if not (isinstance(what, ast.Constant) and what.value is None):
                    found.append(self.value(what, scope))
            elif kind == "param" and isinstance(what, (ast.Name, ast.Attribute)):
                made = self.value(what, scope.parent)
                found.append(made + "()" if isinstance(made, str) else None)
            else:
                found.append(None)
        same = found and all(f == found[0] for f in found)
        return found[0] if same else None

    def _attribute(self, node, scope):
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            cls = scope.enclosing_class()
            return self.member(cls, node.attr) if cls else None
        base = self.value(node.value, scope)
        if isinstance(base, str):
            return base + "." + node.attr
        if isinstance(base, tuple):
            return self.member(base[1], node.attr)
        if isinstance(base, Scope) and base.is_class:
            return self.member(base, node.attr)
        return None

    def member(self, cls, name, depth=0):
        if name in cls.names:
            return self._binding(cls.names[name], cls)
        if name in cls.attrs:
            key = (id(cls), "self." + name)
            if key in self.resolving:
                return None
            self.resolving.add(key)
            try:
                found = [self.value(v, s) for s, v in cls.attrs[name]
                         if not (isinstance(v, ast.Constant) and v.value is None)]
            finally:
                self.resolving.discard(key)
            return found[0] if found and all(f == found[0] for f in found) else None
        for base in cls.node.bases if depth < 8 else ():
            made = self.value(base, cls.parent)
            if isinstance(made, Scope) and made.is_class and made is not cls:
                got = self.member(made, name, depth + 1)
                if got is not None:
                    return got
        return None

    def bases(self, cls, depth=0):
        """Dotted names of everything a class of this file comes from."""
        for base in cls.node.bases if depth < 8 else ():
            made = self.value(base, cls.parent)
            if isinstance(made, str):
                yield made
            elif isinstance(made, Scope) and made.is_class and made is not cls:
                yield from self.bases(made, depth + 1)

    def decorators(self, scope):
        for d in getattr(scope.node, "decorator_list", ()):
            made = self.value(d, scope.parent)
            yield made if isinstance(made, str) else None


def is_async(scope):
    return isinstance(scope.node, ast.AsyncFunctionDef)


def above(node, stop):
    """The nodes around a node, innermost first, up to the function it is in."""
    while True:
        node = getattr(node, "up", None)
        if node is None or node is stop:
            return
        yield node


def where(node):
    return (node.lineno, node.col_offset)


def says(node):
    """The text of an expression, short."""
    try:
        text = ast.unparse(node)
    except (ValueError, RecursionError):
        return "..."
    return text if len(text) <= 60 else text[:57] + "..."


def constant(node, model=None, scope=None):
    """The number that an expression certainly is, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Pow)):
        a, b = constant(node.left, model, scope), constant(node.right, model, scope)
        if a is None or b is None:
            return None
        if isinstance(node.op, ast.Mult):
            return a * b
        return a ** b if abs(a) <= 1000 and 0 <= b <= 12 else None
    if isinstance(node, ast.Name) and model:
        s = scope
        while s:
            whats = s.names.get(node.id)
            if whats:
                if len(whats) == 1 and whats[0][0] == "value" and whats[0][1] is not node:
                    return constant(whats[0][1])
                return None
            s = s.parent
    return None
