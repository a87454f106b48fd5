# What blocks the loop, and what a thread may not touch; part three of the helper.
#
# Every asynchronous function is a root, and so is what a loop calls back. From each root the file's
# own synchronous helpers are followed to the calls of the tables; the shortest chain is told.


class Table:
    """Names that block, exact or by what they begin with."""

    def __init__(self, extra):
        self.exact, self.prefix = {}, {}
        for rule, names in (("loop-sync-io", SYNC_IO), ("loop-cpu", CPU), ("loop-lock", LOCK)):
            for name in names.split():
                self.add(rule, name)
        for rule, name in extra:
            self.add(rule, name)

    def add(self, rule, name):
        if name.endswith(".*"):
            self.prefix[name[:-2]] = rule
        else:
            self.exact[name if "." in name else "builtins." + name] = rule

    def rule(self, name):
        if name in self.exact:
            return self.exact[name]
        at = name.rfind(".")
        if name[at + 1:] in HARMLESS:
            return None
        while at > 0:
            rule = self.prefix.get(name[:at])
            if rule:
                return rule
            at = name.rfind(".", 0, at)
        return None


def remedy_of(name, rule):
    for prefix, text in REMEDY.items():
        if name.startswith(prefix):
            return text
    if rule == "loop-cpu":
        return "await loop.run_in_executor() with a process pool, or await asyncio.to_thread(...)"
    return "await asyncio.to_thread(...) puts it on a thread"


class Blocking:
    def __init__(self, model, table, report):
        self.m, self.table, self.report = model, table, report
        self.found = {}    # Scope -> [(call, rule, name)]
        self.helpers = {}  # Scope -> [(call, Scope)]
        self.nonblocking = False

    def run(self):
        calls = [c for s in self.m.scopes for c in s.own_calls]
        self.nonblocking = any(isinstance(c.func, ast.Attribute)
                               and c.func.attr in ("setblocking", "settimeout") for c in calls)
        for scope in self.m.scopes:
            self._look(scope)
        best = {}  # call -> (chain, rule, name)
        for root, why in self._roots():
            for chain, call, rule, name in self._reach(root, why):
                if why != "async" and name.startswith("sys.stdin."):
                    continue  # a reader callback: there is something to read
                if call not in best or len(chain) < len(best[call][0]):
                    best[call] = (chain, rule, name)
        for call, (chain, rule, name) in best.items():
            self._tell(call, chain, rule, name)
        self._threads()

    # ---- facts of one function

    def _look(self, scope):
        found, helpers = [], []
        opened = False
        for call in scope.own_calls:
            made = self.m.value(call.func, scope)
            if isinstance(made, tuple):
                made = None
            helpers += [(call, h) for h in self._table_of(call, scope)]
            if isinstance(made, Scope):
                target = made.names.get("__init__", [(None, None)])[0][1] if made.is_class else made
                if isinstance(target, Scope) and self._is_plain(target):
                    helpers.append((call, target))
                continue
            if made is None or isinstance(call.up, ast.Await):
                continue
            rule = self.table.rule(made)
            if rule and not self._is_excused(call, made, opened) and not self._has_looked(call, scope):
                found.append((call, rule, made))
            opened = opened or made == "builtins.open"
        found += self._long_loops(scope)
        self.found[scope], self.helpers[scope] = found, helpers

    def _is_plain(self, scope):
        """A synchronous helper whose call runs its body here and now."""
        if not scope.is_function or is_async(scope):
            return False
        return all(d in TRANSPARENT for d in self.m.decorators(scope))

    def _table_of(self, call, scope):
        """HANDLERS[name](...), where HANDLERS is a dict of functions: it may be each of them."""
        f = self.m.only_value(call.func, scope) or call.func  # or handler = HANDLERS[name]
        table = self.m.only_value(f.value, scope) if isinstance(f, ast.Subscript) else None
        for v in table.values if isinstance(table, ast.Dict) else ():
            made = self.m.value(v, scope)
            if isinstance(made, Scope) and self._is_plain(made):
                yield made

    def _is_excused(self, call, name, opened):
        args, keys = call.args, {k.arg: k.value for k in call.keywords}
        method = name.rsplit(".", 1)[-1]
        if name == "time.sleep":
            return bool(args) and constant(args[0]) == 0
        if name.startswith("socket.socket()."):
            return self.nonblocking
        if name.startswith(("builtins.open().", "pathlib.Path().open().")):
            return opened  # the open itself is told
        if name == "builtins.open" and args and says(args[0]).startswith(("'/dev/", "'/proc/")):
            return True
        if name in ("socket.getnameinfo", "socket.getaddrinfo"):
            return any("NUMERIC" in says(a) for a in args + list(keys.values()))
        if name == "select.select":
            return len(args) == 4 and constant(args[3]) == 0
        if name in ("select.poll().poll", "select.epoll().poll"):
            return bool(args) and constant(args[0]) == 0
        if name == "os.waitpid":
            return len(args) == 2 and not isinstance(args[1], ast.Constant)
        if name in ("fcntl.flock", "fcntl.lockf"):
            return len(args) < 2 or "LOCK_NB" in says(args[1]) or "LOCK_UN" in says(args[1])
        if method in ("acquire", "get"):
            block = keys.get("blocking", keys.get("block", args[0] if args else None))
            timeout = keys.get("timeout")
            return (isinstance(block, ast.Constant) and block.value is False
                    or timeout is not None and constant(timeout) == 0)
        if method in ("wait", "result") and args:
            return constant(args[0]) == 0
        return False

    @staticmethod
    def _has_looked(call, scope):
        """queue.empty() or qsize() in the same function: there is something to get."""
        f = call.func
        if not isinstance(f, ast.Attribute) or f.attr != "get":
            return False
        return any(isinstance(c.func, ast.Attribute) and c.func.attr in ("empty", "qsize")
                   and says(c.func.value) == says(f.value) for c in scope.own_calls)

    def _long_loops(self, scope):
        for node in scope.nodes:
            if isinstance(node, ast.For) and not self._gives_way(node):
                rounds = self._rounds(node, scope)
                inner = isinstance(node.up, ast.For) and self._rounds(node.up, scope) >= MANY
                if rounds >= MANY and not inner:
                    yield node, "loop-cpu", "a loop of %s rounds" % format(int(rounds), ",")
            elif isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)):
                rounds = 1
                for g in node.generators:
                    rounds *= max(1, self._range(g.iter, scope))
                if rounds >= MANY and not isinstance(node.up, ast.Assign) or (
                        rounds >= MANY and not isinstance(node, ast.GeneratorExp)):
                    yield node, "loop-cpu", "a comprehension of %s rounds" % format(int(rounds), ",")
            elif isinstance(node, ast.While) and self._is_endless(node):
                yield node, "loop-cpu", "a loop without an end or an await"
            elif isinstance(node, ast.While) and self._waits_for_time(node, scope):
                yield node, "loop-cpu", "a loop until a point in time"

    def _rounds(self, loop, scope):
        n = self._range(loop.iter, scope)
        deeper = [self._rounds(c, scope) for c in loop.body if isinstance(c, ast.For)]
        leaves = any(isinstance(x, (ast.Break, ast.Return)) for x in ast.walk(loop))
        return 0 if leaves else n * max([1] + deeper)

    def _range(self, node, scope):
        if not (isinstance(node, ast.Call) and self.m.value(node.func, scope) == "builtins.range"):
            return 0
        args = [constant(a, self.m, scope) for a in node.args]
        if not args or None in args:
            return 0
        begin, end, step = (0, args[0], 1) if len(args) == 1 else (args + [1])[:3]
        return max(0, (end - begin) / step) if step else 0

    def _gives_way(self, node):
        return any(isinstance(x, (ast.Await, ast.Yield, ast.YieldFrom, ast.AsyncFor, ast.AsyncWith))
                   for x in ast.walk(node))

    def _waits_for_time(self, loop, scope):
        """while time.monotonic() < until: and nothing in it that leaves, gives way or sleeps."""
        asks = any(isinstance(x, ast.Call) and self.m.value(x.func, scope) in CLOCKS
                   for x in ast.walk(loop.test))
        leaves = (ast.Break, ast.Return, ast.Raise)
        return asks and not self._gives_way(loop) and not any(
            isinstance(x, leaves) or isinstance(x, ast.Call)
            and self.table.rule(str(self.m.value(x.func, scope)))
            for part in loop.body for x in ast.walk(part))

    def _is_endless(self, loop):
        always = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
        if not always or self._gives_way(loop):
            return False
        leaves = (ast.Break, ast.Return, ast.Raise, ast.Call, ast.Try)
        return not any(isinstance(x, leaves) for part in loop.body for x in ast.walk(part))

    # ---- from the roots

    def _roots(self):
        for scope in self.m.scopes:
            cls = scope.parent if scope.parent.is_class else None
            if is_async(scope) or any(d in COROUTINE_DECORATORS for d in self.m.decorators(scope)):
                yield scope, "async"
            elif cls and scope.name in PROTOCOL_METHODS and set(self.m.bases(cls)) & PROTOCOLS:
                yield scope, "callback"
            elif cls and scope.name in HANDLER_METHODS and set(self.m.bases(cls)) & HANDLERS:
                yield scope, "handler"
        for scope in self.m.scopes + [self.m.module]:
            for call in scope.own_calls:
                callback = self._callback(call, scope)
                if callback:
                    yield callback, "callback"

    def _callback(self, call, scope):
        f = call.func
        if not isinstance(f, ast.Attribute) or f.attr not in CALLBACK_TAKERS:
            return None
        at = CALLBACK_TAKERS[f.attr]
        if len(call.args) <= at or not is_loop(self.m, f.value, scope):
            return None
        made = self.m.by_node.get(call.args[at]) or self.m.value(call.args[at], scope)
        plain = isinstance(made, Scope) and made.is_function and not is_async(made)
        return made if plain else None

    def _reach(self, root, why):
        """Breadth first, so that the first chain to a call is the shortest."""
        queue, seen = [(root, [(root, root.node.lineno, why)])], {root}
        while queue:
            scope, chain = queue.pop(0)
            for call, rule, name in self.found.get(scope, ()):
                yield chain, call, rule, name
            for call, helper in self.helpers.get(scope, ()):
                if helper not in seen:
                    seen.add(helper)
                    queue.append((helper, chain + [(helper, call.lineno, "call")]))

    def _tell(self, call, chain, rule, name):
        text = name.replace("builtins.", "").replace("()", "") if isinstance(call, ast.Call) else name
        scope, root = chain[-1][0], chain[0][0]
        kind = {"async": "asynchronous", "callback": "callback", "handler": "handler"}[chain[0][2]]
        what = {"loop-sync-io": "%s blocks the loop", "loop-lock": "%s makes the loop wait for a thread",
                "loop-cpu": "%s computes on the loop"}.get(rule, "%s blocks the loop")
        message = what % (text + ("()" if isinstance(call, ast.Call) else ""))
        if len(chain) > 1:
            message += ": called from %s %s" % (kind, root.qualified)
        steps = []
        if len(chain) > 1:
            steps = [(s.qualified, line) for s, line, _ in chain]
        self.report(rule, call, scope, message, remedy_of(name, rule), chain=steps, about=text)

    # ---- what a thread does to a loop

    def _threads(self):
        for scope in self.m.scopes + [self.m.module]:
            for call in scope.own_calls:
                body = self._thread_body(call, scope)
                if body and not self._has_own_loop(body):
                    self._thread_misuse(body, call.lineno)

    def _thread_body(self, call, scope):
        made = self.m.value(call.func, scope)
        f, target = call.func, None
        if made in ("threading.Thread", "threading.Timer"):
            target = next((k.value for k in call.keywords if k.arg in ("target", "function")), None)
        elif made == "asyncio.to_thread" and call.args:
            target = call.args[0]
        elif isinstance(f, ast.Attribute) and f.attr == "run_in_executor" and len(call.args) > 1:
            target = call.args[1]
        elif made == "concurrent.futures.ThreadPoolExecutor().submit" and call.args:
            target = call.args[0]
        if target is None:
            return None
        body = self.m.by_node.get(target) or self.m.value(target, scope)
        good = isinstance(body, Scope) and body.is_function and not is_async(body)
        return body if good else None

    def _has_own_loop(self, body):
        for call in body.own_calls:
            f = call.func
            if isinstance(f, ast.Attribute) and f.attr in (
                    "run_until_complete", "run_forever", "new_event_loop"):
                return True
            if self.m.value(f, body) in ("asyncio.run", "asyncio.Runner"):
                return True
        return False

    def _thread_misuse(self, body, started):
        queue, seen = [(body, [(body, started)])], {body}
        while queue:
            scope, chain = queue.pop(0)
            for call in scope.own_calls:
                what = self._unsafe(call, scope)
                if what:
                    self.report("thread-unsafe", call, scope,
                                "%s() from a thread: the loop may never notice, or break" % what,
                                "loop.call_soon_threadsafe(...), or "
                                "asyncio.run_coroutine_threadsafe(...)",
                                chain=[(s.qualified, line) for s, line in chain], about=what)
                made = self.m.value(call.func, scope)
                if isinstance(made, Scope) and self._is_plain(made) and made not in seen:
                    seen.add(made)
                    queue.append((made, chain + [(made, call.lineno)]))

    def _unsafe(self, call, scope):
        f = call.func
        if self.m.value(f, scope) in SPAWN:
            return says(f)
        if not isinstance(f, ast.Attribute):
            return None
        if f.attr in LOOP_METHODS and is_loop(self.m, f.value, scope):
            return says(f)
        if f.attr in ("set_result", "set_exception", "cancel"):
            made = self.m.value(f.value, scope)
            asyncs = isinstance(made, str) and (made in ("asyncio.Future()",) or
                                                made.endswith("create_future()") or
                                                made.endswith("create_task()"))
            return says(f) if asyncs else None
        wanted = UNSAFE.get(f.attr)
        return says(f) if wanted and self.m.value(f.value, scope) in wanted else None


def is_loop(model, node, scope):
    made = model.value(node, scope)
    if isinstance(made, str) and not made.startswith("builtins."):
        return made in LOOPS
    name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
    return name in ("loop", "_loop", "event_loop", "_event_loop", "io_loop", "ioloop")
