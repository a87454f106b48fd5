#!/usr/bin/env python3
"""Writes cpython_offsets.h and cpython_offsets.c: where the fields lie in CPython's structs, one row per minor version.

The source is DWARF, read by gdb: a Python built with debug data, or a distribution's debug package. The
rows are the same for every build of a minor version on x86-64 (checked: Debian's and upstream's), except
what CPython changed within one; those fields the walkers find or check at run time.

usage: cpython_offsets.py OUTPUT_DIRECTORY VERSION=CORE[,ASYNCIO] ...
       CORE holds the core's DWARF (libpythonX.Y.so, the executable, or its .debug), ASYNCIO that of
       _asyncio.so (left out where the module is built into the core)
"""
import os
import subprocess
import sys

# Field of the row, and where it may be found: "Type.member.member", the first that the version has wins;
# "sizeof Type" gives a size. -1 where none is. A member with the suffix "#bit" gives a bit's number.
CORE = """
rt_interp_head    _PyRuntimeState.interpreters.head
is_next           PyInterpreterState.next
is_threads        PyInterpreterState.threads.head PyInterpreterState.tstate_head
is_modules        PyInterpreterState.imports.modules PyInterpreterState.modules
rt_gil            _PyRuntimeState.ceval.gil
is_gil            PyInterpreterState.ceval.gil
is_gc             PyInterpreterState.gc.generations
is_gc_permanent   PyInterpreterState.gc.permanent_generation
is_tasks          PyInterpreterState.asyncio_tasks_head
ts_next           PyThreadState.next
ts_cframe         PyThreadState.cframe
ts_frame          PyThreadState.current_frame PyThreadState.frame
ts_native_id      PyThreadState.native_thread_id
ts_thread_id      PyThreadState.thread_id
ts_running_loop   _PyThreadStateImpl.asyncio_running_loop
ts_running_task   _PyThreadStateImpl.asyncio_running_task
ts_tasks          _PyThreadStateImpl.asyncio_tasks_head
cf_current        _PyCFrame.current_frame
cf_previous       _PyCFrame.previous _cframe.previous CFrame.previous
fr_previous       _PyInterpreterFrame.previous _frame.f_back
fr_code           _PyInterpreterFrame.f_executable _PyInterpreterFrame.f_code _frame.f_code
fr_instr          _PyInterpreterFrame.instr_ptr _PyInterpreterFrame.prev_instr _frame.f_lasti
fr_locals         _PyInterpreterFrame.localsplus _frame.f_localsplus
fr_owner          _PyInterpreterFrame.owner
fr_is_entry       _PyInterpreterFrame.is_entry
fr_stacktop       _PyInterpreterFrame.stackpointer _PyInterpreterFrame.stacktop _frame.f_stackdepth _frame.f_stacktop
fr_valuestack     _frame.f_valuestack
fr_state          _frame.f_state
co_filename       PyCodeObject.co_filename
co_name           PyCodeObject.co_name
co_qualname       PyCodeObject.co_qualname
co_linetable      PyCodeObject.co_linetable PyCodeObject.co_lnotab
co_firstlineno    PyCodeObject.co_firstlineno
co_code           PyCodeObject.co_code_adaptive
gi_frame          PyGenObject.gi_iframe PyGenObject.gi_frame
gi_state          PyGenObject.gi_frame_state
gi_qualname       PyGenObject.gi_qualname
un_state          PyASCIIObject.state
un_length         PyASCIIObject.length
un_ascii          sizeof~PyASCIIObject
un_compact        sizeof~PyCompactUnicodeObject
ob_size           PyVarObject.ob_size
by_bytes          PyBytesObject.ob_sval
tp_name           PyTypeObject.tp_name
tp_flags          PyTypeObject.tp_flags
tp_base           PyTypeObject.tp_base
tp_dictoffset     PyTypeObject.tp_dictoffset
tp_basicsize      PyTypeObject.tp_basicsize
ht_cached_keys    PyHeapTypeObject.ht_cached_keys
md_dict           PyModuleObject.md_dict
ma_keys           PyDictObject.ma_keys
ma_values         PyDictObject.ma_values
dk_log2_size      PyDictKeysObject.dk_log2_size
dk_size           PyDictKeysObject.dk_size
dk_log2_bytes     PyDictKeysObject.dk_log2_index_bytes
dk_kind           PyDictKeysObject.dk_kind
dk_nentries       PyDictKeysObject.dk_nentries
dk_indices        PyDictKeysObject.dk_indices
dv_values         PyDictValues.values
set_used          PySetObject.used
set_mask          PySetObject.mask
set_table         PySetObject.table
wr_object         PyWeakReference.wr_object
cfn_self          PyCFunctionObject.m_self
ls_item           PyListObject.ob_item
tu_item           PyTupleObject.ob_item
fl_value          PyFloatObject.ob_fval
lo_digit          PyLongObject.long_value.ob_digit PyLongObject.ob_digit
mt_self           PyMethodObject.im_self
fn_code           PyFunctionObject.func_code
fn_closure        PyFunctionObject.func_closure
cell_ref          PyCellObject.ob_ref
cw_coroutine      PyCoroWrapper.cw_coroutine
ags_gen           PyAsyncGenASend.ags_gen
agt_gen           PyAsyncGenAThrow.agt_gen
"""
ASYNCIO = """
t_size            sizeof~TaskObj
t_callback0       TaskObj.task_callback0
t_callbacks       TaskObj.task_callbacks
t_exception       TaskObj.task_exception
t_state           TaskObj.task_state
t_log_tb          TaskObj.task_log_tb
t_log_tb_bit      TaskObj.task_log_tb#bit
t_must_cancel     TaskObj.task_must_cancel
t_must_cancel_bit TaskObj.task_must_cancel#bit
t_cancels         TaskObj.task_num_cancels_requested
t_waiter          TaskObj.task_fut_waiter
t_coro            TaskObj.task_coro
t_name            TaskObj.task_name
t_awaited_by      TaskObj.task_awaited_by
t_awaited_by_set  TaskObj.task_awaited_by_is_set
t_node            TaskObj.task_node
f_size            sizeof~FutureObj
fi_future         futureiterobject.future
"""


def parse(text):
    return [(line.split()[0], [c.replace("~", " ") for c in line.split()[1:]]) for line in text.split("\n") if line]


def inside_gdb():
    """Prints 'name value' for each field; runs in gdb's own Python."""
    import gdb

    def lookup(name):
        for spelling in (name, "struct " + name):
            try:
                return gdb.lookup_type(spelling).strip_typedefs()
            except gdb.error:
                pass
        return None

    def find(type_, name):  # bit position and type of a member, through anonymous members
        for f in type_.fields():
            if f.name == name:
                return f.bitpos, f
            if not f.name or f.is_base_class:
                inner = find(f.type.strip_typedefs(), name)
                if inner:
                    return f.bitpos + inner[0], inner[1]
        return None

    def value(candidate):
        if candidate.startswith("sizeof "):
            t = lookup(candidate[7:])
            return t.sizeof if t else None
        want_bit = candidate.endswith("#bit")
        head, *members = candidate.removesuffix("#bit").split(".")
        t, bits, field = lookup(head), 0, None
        for m in members:
            found = find(t, m) if t and t.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) else None
            if not found:
                return None
            bits, field, t = bits + found[0], found[1], found[1].type.strip_typedefs()
        if want_bit:
            return bits % 8 if field.bitsize else None
        return bits // 8

    for name, candidates in parse(os.environ["OFFSETS_FIELDS"]):
        values = [v for v in map(value, candidates) if v is not None]
        print("@", name, values[0] if values else -1)


def ask(path, fields):
    out = subprocess.run(["gdb", "-batch", "-nx", "-x", os.path.abspath(__file__), path],
                         env=dict(os.environ, OFFSETS_FIELDS=fields), capture_output=True, text=True)
    row = {w[1]: int(w[2]) for w in map(str.split, out.stdout.splitlines()) if w and w[0] == "@"}
    if len(row) != len(parse(fields)):
        sys.exit("%s: gdb found no types: %s" % (path, out.stderr.strip()[:300]))
    return row


def main():
    directory, rows = sys.argv[1], []
    for argument in sys.argv[2:]:
        version, files = argument.split("=")
        core, *module = files.split(",")
        row = ask(core, CORE)
        row.update(ask(module[0] if module else core, ASYNCIO))
        major, minor = map(int, version.split("."))
        rows.append((major << 8 | minor, row))
    names = [n for n, _ in parse(CORE) + parse(ASYNCIO)]
    with open(os.path.join(directory, "cpython_offsets.h"), "w") as f:
        f.write("// Generated by cpython_offsets.py: do not edit.\n"
                "// Byte offsets of CPython's structs, field by field named as CPython names them; -1: not there.\n"
                "#ifndef LOOPSCOPE_STACK_CPYTHON_OFFSETS_H\n#define LOOPSCOPE_STACK_CPYTHON_OFFSETS_H\n\n"
                "#include <stdint.h>\n\nstruct cpython_offsets {\n    int16_t version; // 0x030b for 3.11\n")
        f.writelines("    int16_t %s;\n" % n for n in names)
        f.write("};\n\nextern const struct cpython_offsets cpython_offsets[];\n"
                "extern const int cpython_offsets_count;\n\n#endif\n")
    with open(os.path.join(directory, "cpython_offsets.c"), "w") as f:
        f.write("// Generated by cpython_offsets.py: do not edit.\n#include \"cpython_offsets.h\"\n\n"
                "// clang-format off\nconst struct cpython_offsets cpython_offsets[] = {\n")
        for version, row in sorted(rows, key=lambda r: r[0]):
            f.write("{ .version = 0x%04x,\n" % version)
            f.writelines("  .%s = %d,\n" % (n, row[n]) for n in names)
            f.write("},\n")
        f.write("};\n// clang-format on\nconst int cpython_offsets_count = sizeof cpython_offsets / sizeof cpython_offsets[0];\n")


if "OFFSETS_FIELDS" in os.environ:
    inside_gdb()
elif __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
