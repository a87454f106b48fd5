# Awaits forgotten, tasks dropped, timeouts, limits, things left open; part four of the helper.


class Tasks:
    def __init__(self, model, report):
        self.m, self.report = model, report

    def run(self):
        for scope in self.m.scopes:
            loads = None
            for call in scope.own_calls:
                self._awaited(call, scope)
                self._dropped(call, scope)
                self._timeout(call, scope)
                self._unbounded(call, scope)
            if scope.awaits:
                loads = self._loads(scope)
                self._left_open(scope, loads)
                self._locks(scope)
                self._swallowed(scope)
            self._logs(scope)
        for call in self.m.module.own_calls:
            self._awaited(call, self.m.module)

    def _loads(self, scope):
        """Names read in a function, by it or by the functions inside it."""
        inside = [s for s in self.m.scopes if self._within(s, scope)]
        found = {}
        for s in [scope] + inside:
            for n in s.nodes:
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load):
                    found.setdefault(n.id, []).append(n)
                elif isinstance(n, (ast.Global, ast.Nonlocal)):
                    for name in n.names:
                        found.setdefault(name, []).append(n)
        return found

    @staticmethod
    def _within(s, scope):
        s = s.parent
        while s:
            if s is scope:
                return True
            s = s.parent
        return False

    def _assigned(self, node, scope):
        """The one local name a call's value goes to, "" when it goes nowhere, None otherwise."""
        up = node.up
        if isinstance(up, ast.Await):
            up = up.up
        if isinstance(up, ast.Expr):
            return ""
        if isinstance(up, ast.Assign) and len(up.targets) == 1 and isinstance(up.targets[0], ast.Name):
            return up.targets[0].id
        return None

    def _is_unread(self, name, scope):
        whats = scope.names.get(name, [])
        return (scope.is_function and all(k in ("value", "other") for k, _ in whats)
                and name not in self._loads(scope))

    # ---- task-never-awaited

    def _is_coroutine(self, call, scope):
        made = self.m.value(call.func, scope)
        if isinstance(made, str):
            return made in COROUTINES
        if not isinstance(made, Scope) or not made.is_function or not is_async(made):
            return False
        if any(isinstance(n, (ast.Yield, ast.YieldFrom)) for n in made.awaits):
            return False
        if made.parent.is_class and False in self.m.overrides.get(made.name, ()):
            return False
        return all(d in TRANSPARENT and not str(d).startswith("contextlib")
                   for d in self.m.decorators(made))

    def _awaited(self, call, scope):
        up = call.up
        tested = (isinstance(up, (ast.If, ast.While, ast.IfExp)) and up.test is call
                  or isinstance(up, ast.UnaryOp) and isinstance(up.op, ast.Not)
                  or isinstance(up, ast.Compare))
        name = self._assigned(call, scope) if not isinstance(up, ast.Await) else None
        lost = name == "" or (name and self._is_unread(name, scope))
        if not (tested or lost) or not self._is_coroutine(call, scope):
            return
        text = says(call.func)
        how = "its result is tested" if tested else "it never runs"
        self.report("task-never-awaited", call, scope, "%s() is not awaited: %s" %
                    (text, how if lost else how + ", which is always true"),
                    "await it, or asyncio.create_task() and keep the task", about=text)

    # ---- task-error-unread

    def _spawns(self, call, scope):
        made = self.m.value(call.func, scope)
        if made in SPAWN:
            return True
        f = call.func
        return (isinstance(f, ast.Attribute) and f.attr == "create_task"
                and is_loop(self.m, f.value, scope))

    def _dropped(self, call, scope):
        if isinstance(call.up, ast.Await) or not self._spawns(call, scope):
            return
        name = self._assigned(call, scope)
        if self._reads_own_errors(call, scope):
            return
        if name == "" or (name and self._is_unread(name, scope)):
            what = says(call.args[0]) if call.args else "the task"
            self.report("task-error-unread", call, scope,
                        "the task of %s is dropped: nobody reads its error, and it may be "
                        "collected while it runs" % what,
                        "keep it and await it (asyncio.TaskGroup), or keep a reference and "
                        "add_done_callback() that reads the error", about=what)

    def _reads_own_errors(self, call, scope):
        """The whole coroutine is one try that catches everything: it tells its errors itself."""
        inner = call.args[0] if call.args else None
        made = self.m.value(inner.func, scope) if isinstance(inner, ast.Call) else None
        if not isinstance(made, Scope) or not made.is_function:
            return False
        body = [b for b in getattr(made.node, "body", []) if not (
            isinstance(b, ast.Expr) and isinstance(b.value, ast.Constant))]
        if not body or not isinstance(body[-1], ast.Try):
            return False
        kinds = [h.type and says(h.type) for h in body[-1].handlers]
        return bool({None, "Exception", "BaseException"} & set(kinds))

    # ---- task-timeout-runs-on

    def _timeout(self, call, scope):
        made = self.m.value(call.func, scope)
        if made == "asyncio.wait_for" and call.args and isinstance(call.args[0], ast.Call):
            self._wait_for(call, call.args[0], scope)
        elif made == "asyncio.wait" and isinstance(call.up, ast.Await):
            limited = any(k.arg == "timeout" and not (isinstance(k.value, ast.Constant) and
                                                      k.value.value is None)
                          for k in call.keywords)
            if limited and self._forgets_pending(call.up, scope):
                self.report("task-timeout-runs-on", call, scope,
                            "asyncio.wait() does not cancel what its timeout leaves running, and "
                            "the pending tasks are not looked at",
                            "cancel and await the pending ones, or asyncio.timeout()",
                            about="asyncio.wait")

    def _wait_for(self, call, inner, scope):
        if len(call.args) > 1 and isinstance(call.args[1], ast.Constant) and (
                call.args[1].value is None):
            return
        made = self.m.value(inner.func, scope)
        thread = made == "asyncio.to_thread" or (isinstance(inner.func, ast.Attribute)
                                                 and inner.func.attr == "run_in_executor")
        if thread:
            work, why = says(inner), "a thread cannot be cancelled"
        elif made == "asyncio.shield" and inner.args and isinstance(inner.args[0], ast.Call):
            work, why = says(inner.args[0]), "it is shielded and nobody else has it"
        else:
            return
        self.report("task-timeout-runs-on", call, scope,
                    "after the timeout %s runs on: %s" % (work, why),
                    "give the work its own timeout; keep shielded tasks and cancel them", about=work)

    def _forgets_pending(self, awaiting, scope):
        if any(isinstance(c.func, ast.Attribute) and c.func.attr == "cancel"
               for c in scope.own_calls):
            return False
        up = awaiting.up
        if isinstance(up, ast.Expr):
            return not self._asks_done(awaiting, scope)
        if isinstance(up, ast.Assign) and isinstance(up.targets[0], ast.Tuple):
            names = up.targets[0].elts
            return (len(names) == 2 and isinstance(names[1], ast.Name)
                    and names[1].id not in self._loads(scope)
                    and not self._asks_done(awaiting, scope))
        return False

    @staticmethod
    def _asks_done(awaiting, scope):
        """task.done() after the wait is another way to look at what is pending."""
        return any(isinstance(c.func, ast.Attribute) and c.func.attr == "done"
                   and where(c) > where(awaiting) for c in scope.own_calls)

    # ---- task-unbounded

    def _unbounded(self, call, scope):
        made = self.m.value(call.func, scope)
        if made == "asyncio.gather":
            for a in call.args:
                if isinstance(a, ast.Starred):
                    self._many(call, a.value, scope)
        elif self._spawns(call, scope) and call.args:
            self._spawn_loop(call, scope)

    def _many(self, call, node, scope):
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)) and isinstance(node.elt, ast.Call):
            if not self._spawns(node.elt, scope):  # told by _spawn_loop
                self._limit(call, node.elt, node.generators[0].iter, scope)
        elif (isinstance(node, ast.Call) and self.m.value(node.func, scope) == "builtins.map"
              and len(node.args) == 2):
            self._limit(call, node.args[0], node.args[1], scope)

    def _spawn_loop(self, call, scope):
        for up in above(call, scope.node):
            if isinstance(up, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
                self._limit(call, call.args[0], up.generators[0].iter, scope)
                return
            if isinstance(up, ast.For):
                if not any(isinstance(x, (ast.Await, ast.AsyncWith, ast.Break)) for b in up.body
                           for x in ast.walk(b)):
                    self._limit(call, call.args[0], up.iter, scope)
                return
            if isinstance(up, (ast.While, ast.AsyncFor) + FUNCTIONS):
                return

    def _limit(self, call, made_by, items, scope):
        if not self._is_input(items, scope) or self._has_limit(made_by, scope):
            return
        text = says(made_by.func if isinstance(made_by, ast.Call) else made_by)
        if text.rsplit(".", 1)[-1].lstrip("_") in ENDING:
            return
        self.report("task-unbounded", call, scope, "as many tasks of %s at once as %s has items" %
                    (text, says(items)),
                    "asyncio.Semaphore inside the task, or a fixed number of workers on an "
                    "asyncio.Queue", about=text)

    def _is_input(self, items, scope):
        """Could it be thousands? Parameters, what was read, and ranges that are long."""
        if isinstance(items, ast.Call):
            made = self.m.value(items.func, scope)
            if made == "builtins.range":
                n = constant(items.args[-1] if len(items.args) < 3 else items.args[1],
                             self.m, scope) if items.args else 0
                return n is not None and n > FEW  # unknown: most often a number of workers
            if made in ("builtins.enumerate", "builtins.zip", "builtins.sorted", "builtins.list",
                        "builtins.set", "builtins.reversed"):
                return bool(items.args) and self._is_input(items.args[0], scope)
            return False
        if not isinstance(items, ast.Name):
            return False
        whats = scope.names.get(items.id)
        if not whats or len(whats) != 1 or not scope.is_function:
            return False
        kind, value = whats[0]
        if kind == "param":
            star = getattr(scope.node.args, "vararg", None)
            return not (star and star.arg == items.id) and items.id not in ("self", "cls")
        if kind != "value":
            return False
        if isinstance(value, (ast.ListComp, ast.Await)):
            return not (isinstance(value, ast.ListComp)
                        and not self._is_input(value.generators[0].iter, scope))
        return isinstance(value, ast.Call) and self._is_input_call(value, scope)

    def _is_input_call(self, value, scope):
        f = value.func
        name = f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")
        return (name in ("readlines", "splitlines", "split", "fetchall", "load", "loads", "json")
                or self._is_input(value, scope))

    def _has_limit(self, made_by, scope):
        target = made_by.func if isinstance(made_by, ast.Call) else made_by
        if isinstance(made_by, ast.Call) and any("sem" in says(a).lower() or "limit" in
                                                 says(a).lower() for a in made_by.args):
            return True
        body = self.m.value(target, scope)
        nodes = list(scope.nodes)
        if isinstance(body, Scope):
            nodes += body.nodes
        for n in nodes:
            if isinstance(n, ast.AsyncWith):
                text = " ".join(says(i.context_expr) for i in n.items).lower()
                if "sem" in text or "limit" in text or "slot" in text:
                    return True
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and (
                    n.func.attr == "acquire"):
                return True
        return False

    # ---- fd-orphan, task-cancel-leak

    def _left_open(self, scope, loads):
        for call in scope.own_calls:
            made = self.m.value(call.func, scope)
            if made in OPENERS:
                name, at = self._holder(call)
                if name and not self._escapes(name, loads, scope):
                    self._await_while_open(call, at, name, made, scope)

    @staticmethod
    def _holder(call):
        up = call.up.up if isinstance(call.up, ast.Await) else call.up
        if not isinstance(up, ast.Assign) or len(up.targets) != 1:
            return None, None
        target = up.targets[0]
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:  # reader, writer
            target = target.elts[1]
        return (target.id, up) if isinstance(target, ast.Name) else (None, None)

    def _escapes(self, name, loads, scope):
        """Handed to somebody who may close it: passed, stored, returned, closed over."""
        for n in loads.get(name, ()):
            up = getattr(n, "up", None)
            if isinstance(up, ast.Attribute):
                continue
            if isinstance(up, (ast.Compare, ast.If, ast.While, ast.UnaryOp, ast.BoolOp, ast.For)):
                continue
            if isinstance(up, ast.Call) and self._is_fd_use(up, scope):
                continue
            return True
        return any(k != "value" for k, _ in scope.names.get(name, ())) and name not in loads

    def _is_fd_use(self, call, scope):
        made = self.m.value(call.func, scope)
        return isinstance(made, str) and (made.startswith("os.") and made != "os.fdopen"
                                          or made in ("builtins.len", "builtins.print",
                                                      "builtins.str"))

    def _closes(self, name, scope):
        for c in scope.own_calls:
            f = c.func
            if (isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name)
                    and f.value.id == name and f.attr in CLOSERS):
                yield c
            elif (self.m.value(f, scope) == "os.close" and c.args
                  and isinstance(c.args[0], ast.Name) and c.args[0].id == name):
                yield c

    def _await_while_open(self, call, at, name, made, scope):
        closes = sorted(self._closes(name, scope), key=where)
        if any(self._is_guarded(c, scope) for c in closes):
            return
        for n in scope.nodes:  # with f: ... or async with session: ... later on
            if isinstance(n, (ast.With, ast.AsyncWith)) and any(
                    isinstance(x, ast.Name) and x.id == name
                    for i in n.items for x in ast.walk(i.context_expr)):
                return
        end = where(closes[-1]) if closes else (1 << 30, 0)
        between = [a for a in scope.awaits if where(at) < where(a) < end
                   and not (isinstance(a, ast.Await) and a is call.up)
                   and self._same_way(at, a, scope)]
        if not between:
            return
        text = made.replace("builtins.", "")
        how = ("an error or a cancel at the await in line %d leaves it open" % between[0].lineno
               if closes else "nothing closes it on the way out")
        self.report("fd-orphan", call, scope, "%s = %s(): %s" % (name, text, how),
                    "with (or async with), or try/finally with %s.close()" % name, about=text)

    def _same_way(self, opened, awaiting, scope):
        """Not in the other branch of an if, nor where the opening has failed."""
        ups = list(above(opened, scope.node))
        for up in above(awaiting, scope.node):
            if isinstance(up, ast.ExceptHandler) and up.up in ups:
                return False  # the opening itself failed
        for up in above(awaiting, scope.node):
            if up in ups:
                if isinstance(up, ast.If):
                    return self._branch(up, opened) == self._branch(up, awaiting)
                return True
        return True

    @staticmethod
    def _branch(node, inner):
        return any(inner is x for b in node.orelse for x in ast.walk(b))

    def _is_guarded(self, node, scope):
        """In a finally, an except, or a helper that runs later."""
        child = node
        for up in above(node, scope.node):
            if isinstance(up, ast.Try) and any(child is x or child in ast.walk(x)
                                               for x in up.finalbody):
                return True
            if isinstance(up, ast.ExceptHandler) and (up.type is None or "BaseException" in
                                                      says(up.type)):
                return True
            child = up
        return False

    def _locks(self, scope):
        """acquire(), an await, release() outside finally; and a thread's lock held over an await."""
        for call in scope.own_calls:
            f = call.func
            if (isinstance(f, ast.Attribute) and f.attr == "acquire"
                    and isinstance(call.up, ast.Await) and isinstance(call.up.up, ast.Expr)):
                self._unguarded_release(call, says(f.value), scope)
        for n in scope.nodes:
            if not isinstance(n, ast.With) or not is_async(scope):
                continue
            held = [i.context_expr for i in n.items
                    if self.m.value(i.context_expr, scope) in THREAD_LOCKS]
            waits = [a for a in scope.awaits if n in above(a, scope.node)]
            if held and waits:
                text = says(held[0])
                self.report("loop-lock", n, scope, "%s, a lock between threads, is held over the "
                            "await in line %d: whoever wants it then blocks the loop"
                            % (text, waits[0].lineno), "asyncio.Lock, or release it before the "
                            "await", about=text)

    def _unguarded_release(self, call, text, scope):
        frees = [c for c in scope.own_calls if isinstance(c.func, ast.Attribute)
                 and c.func.attr == "release" and says(c.func.value) == text]
        if not frees or any(self._is_guarded(c, scope) for c in frees):
            return
        last = max(where(c) for c in frees)
        waits = [a for a in scope.awaits if where(call) < where(a) < last and a is not call.up]
        if waits:
            self.report("task-cancel-leak", call, scope,
                        "%s stays taken when the await in line %d fails or is cancelled" %
                        (text, waits[0].lineno), "async with %s" % text, about=text)

    # ---- task-cancel-ignored

    def _swallowed(self, scope):
        for n in scope.nodes:
            if not isinstance(n, ast.ExceptHandler) or not self._catches_cancel(n, scope):
                continue
            if any(isinstance(x, (ast.Raise, ast.Return, ast.Break)) for b in n.body
                   for x in ast.walk(b)):
                continue
            if self._passes_on(n):
                continue
            loop = self._loop_around(n, scope)
            tries = n.up
            if loop and any(tries in above(a, scope.node) and self._in_body(a, tries)
                            for a in scope.awaits):
                self.report("task-cancel-ignored", n, scope,
                            "a cancel is caught and the loop in line %d goes on" % loop.lineno,
                            "raise it again, or leave the loop", about="except")

    def _catches_cancel(self, handler, scope):
        if handler.type is None:
            return True
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        names = [self.m.value(k, scope) for k in kinds]
        return any(k in ("asyncio.CancelledError", "builtins.BaseException",
                         "asyncio.exceptions.CancelledError") for k in names)

    @staticmethod
    def _passes_on(handler):
        """Whoever gets the exception decides."""
        return any(isinstance(x, ast.Name) and x.id == handler.name or
                   isinstance(x, ast.Attribute) and x.attr == "exc_info"
                   for b in handler.body for x in ast.walk(b)
                   if not (isinstance(x, ast.Name) and handler.name is None))

    @staticmethod
    def _loop_around(handler, scope):
        for up in above(handler, scope.node):
            if isinstance(up, ast.While):
                endless = isinstance(up.test, ast.Constant) and bool(up.test.value)
                return up if endless else None
            if isinstance(up, (ast.For, ast.AsyncFor)):
                return None
        return None

    @staticmethod
    def _in_body(node, tries):
        return any(node is x for b in tries.body for x in ast.walk(b))

    # ---- loop-sync-log

    def _logs(self, scope):
        if not is_async(scope):
            return
        for call in scope.own_calls:
            made = self.m.value(call.func, scope)
            if made == "builtins.print":
                self._print(call, scope)
            elif self.m.log_file and self._is_log_call(made):
                self.report("loop-sync-log", call, scope,
                            "%s() writes a file on the loop: the handler of line %d is synchronous"
                            % (says(call.func), self.m.log_file),
                            "logging.handlers.QueueHandler and QueueListener", about="logging")
                return

    @staticmethod
    def _is_log_call(made):
        if not isinstance(made, str):
            return False
        base, _, method = made.rpartition(".")
        return base in ("logging", "logging.getLogger()") and method in (
            "debug", "info", "warning", "error", "exception", "critical", "log")

    def _print(self, call, scope):
        flush = any(k.arg == "flush" and isinstance(k.value, ast.Constant) and k.value.value is True
                    for k in call.keywords)
        target = next((k.value for k in call.keywords if k.arg == "file"), None)
        if target is not None and self.m.value(target, scope) == "builtins.open()":
            self.report("loop-sync-log", call, scope, "print() writes a file on the loop",
                        "logging with QueueHandler and QueueListener", about="print")
        elif flush and any(isinstance(u, (ast.For, ast.While, ast.AsyncFor))
                           for u in above(call, scope.node)):
            self.report("loop-sync-log", call, scope,
                        "print(flush=True) in a loop waits for the terminal or the pipe each round",
                        "logging with QueueHandler and QueueListener", about="print")


ENDING = frozenset("close aclose stop cancel shutdown cleanup disconnect wait wait_closed join "
                   "terminate kill release exit __aexit__ stop_all".split())


def log_file_of(model):
    """The line where this file sets up a handler that writes files, 0 if none or queued."""
    line = 0
    for scope in model.scopes + [model.module]:
        for call in scope.own_calls:
            made = model.value(call.func, scope)
            if made in ("logging.handlers.QueueHandler", "logging.handlers.QueueListener"):
                return 0
            if made in ("logging.FileHandler", "logging.handlers.RotatingFileHandler",
                        "logging.handlers.TimedRotatingFileHandler", "logging.handlers.SysLogHandler",
                        "logging.handlers.WatchedFileHandler") or (
                    made == "logging.basicConfig" and any(k.arg == "filename"
                                                          for k in call.keywords)):
                line = line or call.lineno
    return line
