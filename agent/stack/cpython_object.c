// CPython's objects: numbers, strings, types, dicts, sets and instance attributes, read from
// outside.
#include <stdlib.h>
#include <string.h>

#include "cpython.h"
#include "words.h"

#define MAX_DICT  (1u << 20) // entries looked at
#define MAX_SET   (1u << 23)
#define MAX_BASES 8

// tp_flags
#define TP_INLINE_VALUES (1u << 2) // 3.13+
#define TP_MANAGED_DICT  (1u << 4) // 3.11+

static const struct {
    const char *name;
    enum py_kind kind;
} kinds[] = {
    {"_asyncio.Task", PY_TASK},
    {"_asyncio.Future", PY_FUTURE},
    {"_GatheringFuture", PY_GATHERING},
    {"coroutine", PY_COROUTINE},
    {"generator", PY_GENERATOR},
    {"async_generator", PY_ASYNC_GENERATOR},
    {"_asyncio.FutureIter", PY_FUTURE_ITER},
    {"builtin_function_or_method", PY_CFUNCTION},
    {"method", PY_METHOD},
    {"function", PY_FUNCTION},
    {"functools.partial", PY_PARTIAL},
    {"coroutine_wrapper", PY_COROUTINE_WRAPPER},
    {"async_generator_asend", PY_ASEND},
    {"async_generator_athrow", PY_ATHROW},
    {"anext_awaitable", PY_ANEXT},
    {"TaskWakeupMethWrapper", PY_TASK_WAKEUP},
    {"TimerHandle", PY_TIMER_HANDLE},
    {"Lock", PY_LOCK},
    {"Condition", PY_CONDITION},
    {"cell", PY_CELL},
    {"collections.deque", PY_DEQUE},
    {"str", PY_STR},
    {"int", PY_INT},
    {"float", PY_FLOAT},
    {"code", PY_CODE},
    {"weakref", PY_WEAKREF},
    {"weakref.ReferenceType", PY_WEAKREF},
    {"dict", PY_DICT},
    {"set", PY_SET},
    {"tuple", PY_TUPLE},
    {"list", PY_LIST},
};

uint64_t py_pointer(struct cpython *py, uint64_t address)
{
    uint64_t v = 0;
    mem_u64(py->m, address, &v);
    return v;
}

int64_t py_long_word(struct cpython *py, uint64_t address)
{
    return (int64_t)py_pointer(py, address);
}

int32_t py_word32(struct cpython *py, uint64_t address)
{
    uint32_t v = 0;
    mem_u32(py->m, address, &v);
    return (int32_t)v;
}

// Compact strings only, which all names and paths are. The state word is the same in all builds
// with a GIL from 3.9 to 3.15: interned 2 bits, kind 3, compact 1, ascii 1.
bool py_string(struct cpython *py, uint64_t str, char *buf, size_t n)
{
    uint8_t head[48], text[4 * PY_NAME_MAX];
    *buf = 0;
    if (!str || str & 7 || !mem_read(py->m, str, head, py->o.un_state + 4))
        return false;
    uint64_t length = at64(head, py->o.un_length);
    uint32_t state;
    memcpy(&state, head + py->o.un_state, sizeof state);
    unsigned kind = state >> 2 & 7, compact = state >> 5 & 1, ascii = state >> 6 & 1;
    if (!compact || (kind != 1 && kind != 2 && kind != 4) || length > 1u << 30)
        return false;
    if (length > PY_NAME_MAX)
        length = PY_NAME_MAX;
    uint64_t data = str + (ascii ? py->o.un_ascii : py->o.un_compact);
    if (!mem_read(py->m, data, text, length * kind))
        return false;
    size_t len = 0;
    for (uint64_t i = 0; i < length && len + 4 < n; i++) {
        uint32_t c = 0;
        memcpy(&c, text + i * kind, kind);
        len += put_utf8(buf + len, c);
    }
    buf[len] = 0;
    return true;
}

// From 3.12 on the word before the digits holds the sign in its low 3 bits.
bool py_int(struct cpython *py, uint64_t object, int64_t *ret)
{
    if (py_kind_of(py, object) != PY_INT)
        return false;
    int64_t head = py_long_word(py, object + py->o.ob_size), digits, sign;
    if (py->o.version >= 0x030c) {
        digits = head >> 3;
        sign = (head & 3) == 2 ? -1 : 1;
        if ((head & 3) == 1)
            digits = 0;
    } else {
        digits = head < 0 ? -head : head;
        sign = head < 0 ? -1 : 1;
    }
    uint32_t d[2] = {0, 0};
    if (digits < 0 || digits > 2 || !mem_read(py->m, object + py->o.lo_digit, d, 4 * digits))
        return false;
    *ret = sign * ((int64_t)(d[0] & 0x3fffffff) | (int64_t)(d[1] & 0x3fffffff) << 30);
    return true;
}

bool py_number(struct cpython *py, uint64_t object, double *ret)
{
    int64_t whole;
    if (py_kind_of(py, object) == PY_FLOAT)
        return mem_read(py->m, object + py->o.fl_value, ret, sizeof *ret);
    if (!py_int(py, object, &whole))
        return false;
    *ret = (double)whole;
    return true;
}

static bool is_printable(const char *name)
{
    if (!*name)
        return false;
    for (; *name; name++)
        if (*name < 0x20 || *name >= 0x7f)
            return false;
    return true;
}

static enum py_kind kind_named(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(name, kinds[i].name))
            return kinds[i].kind;
    return PY_OTHER;
}

// Walks from the type to its bases until one is known by name.
static bool read_type(struct cpython *py, uint64_t address, struct py_type *t)
{
    *t = (struct py_type){.address = address};
    for (int depth = 0; depth < MAX_BASES && address; depth++) {
        char name[sizeof t->name];
        uint64_t at;
        if (!mem_u64(py->m, address + py->o.tp_name, &at) ||
            !mem_string(py->m, at, name, sizeof name) || !is_printable(name))
            return depth > 0;
        if (depth == 0) {
            memcpy(t->name, name, sizeof name);
            t->name_address = at;
            t->base = py_pointer(py, address + py->o.tp_base);
            t->flags = py_pointer(py, address + py->o.tp_flags);
        }
        t->kind = kind_named(name);
        if (t->kind != PY_OTHER)
            return true;
        address = py_pointer(py, address + py->o.tp_base);
    }
    return t->name_address != 0;
}

// A type is rarely freed: once a walk it is checked that the address still names the same one.
static bool is_same_type(struct cpython *py, struct py_type *t)
{
    return py_pointer(py, t->address + py->o.tp_name) == t->name_address &&
           py_pointer(py, t->address + py->o.tp_base) == t->base;
}

const struct py_type *py_type_at(struct cpython *py, uint64_t address)
{
    if (!address || address & 7)
        return NULL;
    size_t at = (address >> 4) * 0x9e3779b97f4a7c15ull >> 54;
    struct py_type *t = &py->types[at % PY_TYPES];
    if (t->address == address && t->walk == py->walk)
        return t;
    if (t->address != address || !is_same_type(py, t)) {
        struct py_type fresh;
        if (!read_type(py, address, &fresh))
            return NULL;
        *t = fresh;
    }
    t->walk = py->walk;
    return t;
}

const struct py_type *py_type_of(struct cpython *py, uint64_t object)
{
    return !object || object & 7 ? NULL : py_type_at(py, py_pointer(py, object + 8));
}

enum py_kind py_kind_of(struct cpython *py, uint64_t object)
{
    const struct py_type *t = py_type_of(py, object);
    return t ? t->kind : PY_BAD;
}

static void prefetch_range(struct cpython *py, uint64_t start, uint64_t bytes)
{
    const uint64_t step = 32 * MEM_PAGE;
    for (uint64_t at = 0; at < bytes; at += step) {
        uint64_t address = start + at;
        mem_prefetch(py->m, &address, 1, bytes - at < step ? bytes - at : step);
    }
}

// The entries of a dict's keys object. Layouts: up to 3.10 sizes in words; from 3.11 on logarithms
// and, where all keys are strings, entries without the hash.
static bool read_keys(struct cpython *py, uint64_t keys, uint64_t *entries, uint64_t *count,
                      unsigned *entry_size)
{
    uint8_t head[48];
    uint64_t index_bytes;
    if (!keys || !mem_read(py->m, keys, head, sizeof head))
        return false;
    *entry_size = 24;
    if (py->o.dk_log2_size >= 0) {
        if (head[py->o.dk_log2_bytes] > 30)
            return false;
        index_bytes = 1ull << head[py->o.dk_log2_bytes];
        if (head[py->o.dk_kind])
            *entry_size = 16;
    } else {
        uint64_t size = at64(head, py->o.dk_size);
        if (size > 1u << 28)
            return false;
        index_bytes = size <= 0xff ? size : size <= 0xffff ? size * 2 : size * 4;
    }
    *count = at64(head, py->o.dk_nentries);
    if (*count > MAX_DICT)
        *count = MAX_DICT;
    *entries = keys + py->o.dk_indices + index_bytes;
    return true;
}

// values 0: they lie in the entries. max bounds the entries that have a value.
static void keys_each(struct cpython *py, uint64_t keys, uint64_t values, uint64_t max,
                      py_visit visit, void *arg)
{
    uint64_t entries, count;
    unsigned size;
    if (!read_keys(py, keys, &entries, &count, &size))
        return;
    if (count > max)
        count = max;
    prefetch_range(py, entries, count * size);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t e[3];
        if (!mem_read(py->m, entries + i * size, e, size))
            return;
        uint64_t key = size == 24 ? e[1] : e[0], value = size == 24 ? e[2] : e[1];
        if (values)
            value = py_pointer(py, values + 8 * i);
        if (key && value && visit(arg, key, value))
            return;
    }
}

void py_dict_each(struct cpython *py, uint64_t dict, py_visit visit, void *arg)
{
    uint64_t keys = py_pointer(py, dict + py->o.ma_keys);
    uint64_t values = py_pointer(py, dict + py->o.ma_values);
    if (values && py->o.dv_values > 0)
        values += py->o.dv_values;
    keys_each(py, keys, values, MAX_DICT, visit, arg);
}

struct lookup {
    struct cpython *py;
    const char *name;
    uint64_t value;
};

static bool is_named(void *arg, uint64_t key, uint64_t value)
{
    struct lookup *l = arg;
    char text[80];
    if (!py_string(l->py, key, text, sizeof text) || strcmp(text, l->name) != 0)
        return false;
    l->value = value;
    return true;
}

uint64_t py_dict_get(struct cpython *py, uint64_t dict, const char *key)
{
    struct lookup l = {py, key, 0};
    if (dict)
        py_dict_each(py, dict, is_named, &l);
    return l.value;
}

// Where the attributes lie before the object or behind it, version by version (3.11+).
static void managed_attributes(struct cpython *py, uint64_t object, const struct py_type *t,
                               py_visit visit, void *arg)
{
    uint64_t dict = 0, values = 0, max = 30;
    if (py->o.version == 0x030b) {
        values = py_pointer(py, object - 32);
        dict = py_pointer(py, object - 24);
    } else if (py->o.version == 0x030c) {
        uint64_t tagged = py_pointer(py, object - 24);
        if (tagged & 1)
            values = tagged + 1;
        else
            dict = tagged;
    } else {
        dict = py_pointer(py, object - 24);
        if (!dict && t->flags & TP_INLINE_VALUES) {
            uint64_t at = object + py_pointer(py, t->address + py->o.tp_basicsize);
            uint8_t capacity = 0;
            mem_u8(py->m, at, &capacity);
            values = at + py->o.dv_values;
            max = capacity;
        }
    }
    if (dict)
        py_dict_each(py, dict, visit, arg);
    else if (values)
        keys_each(py, py_pointer(py, t->address + py->o.ht_cached_keys), values, max, visit, arg);
}

void py_attributes_each(struct cpython *py, uint64_t object, py_visit visit, void *arg)
{
    const struct py_type *t = py_type_of(py, object);
    if (!t)
        return;
    if (py->o.version >= 0x030b && t->flags & TP_MANAGED_DICT) {
        managed_attributes(py, object, t, visit, arg);
        return;
    }
    int64_t at = py_long_word(py, t->address + py->o.tp_dictoffset);
    uint64_t dict = at > 0 && at < 4096 ? py_pointer(py, object + at) : 0;
    if (dict)
        py_dict_each(py, dict, visit, arg);
}

uint64_t py_attribute(struct cpython *py, uint64_t object, const char *name)
{
    struct lookup l = {py, name, 0};
    py_attributes_each(py, object, is_named, &l);
    return l.value;
}

struct set_head {
    uint64_t used, mask, table;
};

static bool read_set_head(struct cpython *py, uint64_t set, struct set_head *h)
{
    uint8_t b[64];
    if (!mem_fresh(py->m, set, b, sizeof b))
        return false;
    h->used = at64(b, py->o.set_used);
    h->mask = at64(b, py->o.set_mask);
    h->table = at64(b, py->o.set_table);
    return h->mask < MAX_SET;
}

// The head is read before and after, past the cache: a set that grows meanwhile fills a fresh
// table, and that would be seen half full.
uint64_t *py_set_items(struct cpython *py, uint64_t set, size_t *count, bool *cut)
{
    struct set_head before, after;
    *count = 0;
    *cut = true;
    if (!set || !read_set_head(py, set, &before))
        return NULL;
    uint64_t *items = malloc((before.mask + 1) * sizeof *items);
    if (!items)
        return NULL;
    prefetch_range(py, before.table, (before.mask + 1) * 16);
    uint64_t i;
    for (i = 0; i <= before.mask; i++) {
        uint64_t e[2]; // key, hash; a removed entry has the hash -1
        if (!mem_read(py->m, before.table + 16 * i, e, sizeof e))
            break;
        if (e[0] && !(e[0] & 7) && e[1] != ~0ull)
            items[(*count)++] = e[0];
    }
    *cut = i <= before.mask || !read_set_head(py, set, &after) || after.table != before.table ||
           after.mask != before.mask || *count + *count / 16 + 64 < after.used;
    return items;
}
