# One helper for all files; part five. Fd 3 holds the request: a JSON array of [rule, name] pairs to add
# to the tables on the first line, then a path a NUL. Answers are JSON lines on standard output:
# {"file": N} begins a file, so that the parent knows which one a crash belongs to.
import io

sys.setrecursionlimit(5000)
HINTS = (b"async", b"tornado", b"coroutine", b"threading")


def say(**what):
    sys.stdout.write(json.dumps(what, ensure_ascii=True))
    sys.stdout.write("\n")


def reporter(number, text):
    told, lines = set(), text.split("\n")

    def report(rule, node, scope, message, remedy, chain=(), about=""):
        line = node.lineno  # its column is in bytes there, and in characters here
        column = len(lines[line - 1].encode()[:node.col_offset].decode(errors="replace")) + 1
        if (rule, line, column) in told:
            return
        told.add((rule, line, column))
        say(finding=rule, file=number, line=line, column=column,
            end_line=node.end_lineno, function=scope.qualified, message=message, remedy=remedy, about=about,
            chain=[{"function": f, "line": n} for f, n in chain])
    return report


def read_source(path):
    """The text, or why not."""
    with open(path, "rb") as f:
        raw = f.read()
    if b"\0" in raw:
        return None, "binary, not source"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        return io.TextIOWrapper(io.BytesIO(raw), encoding).read(), raw
    except (UnicodeDecodeError, LookupError):
        return None, "not valid text in its encoding (UTF-8 unless it declares another)"
    except SyntaxError as e:
        return None, str(e)


def check(number, path, table):
    text, raw = read_source(path)
    if text is None:
        say(skip=number, why=raw)
        return
    try:
        tree = ast.parse(text)
    except SyntaxError as e:
        say(skip=number, why="line %s: %s" % (e.lineno, e.msg))
        return
    if any(h in raw for h in HINTS):
        model = Model(tree)
        model.log_file = log_file_of(model)
        report = reporter(number, text)
        Blocking(model, table, report).run()
        Tasks(model, report).run()
    say(done=number, lines=text.count("\n") + (not text.endswith("\n") and text != ""))


def main():
    import gc
    import warnings
    warnings.simplefilter("ignore")
    gc.disable()
    with os.fdopen(3, "rb") as f:
        head, _, rest = f.read().partition(b"\n")
    table = Table(json.loads(head))
    for number, path in enumerate(rest.split(b"\0")[:-1]):
        say(file=number)
        sys.stdout.flush()
        try:
            check(number, path, table)
        except (RecursionError, MemoryError):
            say(skip=number, why="nested too deeply, or too large for its parser")
        except (ValueError, OverflowError) as e:
            say(skip=number, why="cannot be parsed: %s" % e)
        except OSError as e:
            say(skip=number, why=e.strerror or str(e))
        if number % 50 == 49:
            gc.collect()
    say(end=True)


main()
