// Names of what V8 brings along, from the symbols of the executable: "ArrayPrototypeSort" is
// Array.prototype.sort. And the collector at work.
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "v8.h"

static const struct {
    const char *prefix, *object;
} objects[] = {
    {"Json", "JSON"},       {"ArrayBuffer", "ArrayBuffer"},
    {"Array", "Array"},     {"TypedArray", "TypedArray"},
    {"Object", "Object"},   {"Math", "Math"},
    {"Promise", "Promise"}, {"Reflect", "Reflect"},
    {"String", "String"},   {"Number", "Number"},
    {"Date", "Date"},       {"BigInt", "BigInt"},
    {"Symbol", "Symbol"},   {"Atomics", "Atomics"},
    {"RegExp", "RegExp"},   {"Global", ""},
};

static void put_method(const char *object, const char *between, const char *method, char *buf,
                       size_t n)
{
    snprintf(buf, n, "%s%s%c%s", object, between, tolower((unsigned char)method[0]), method + 1);
}

// ArrayMap is a method of the prototype, ArrayFrom is not.
static bool is_static_of_array(const char *method)
{
    return !strcmp(method, "From") || !strcmp(method, "Of") || !strcmp(method, "IsArray");
}

// Functions that V8 makes to go on where a program awaits: they have no name of the program's.
static bool is_resumption(const char *builtin)
{
    return !strncmp(builtin, "AsyncFunctionAwait", 18) ||
           !strncmp(builtin, "AsyncGeneratorAwait", 19) ||
           !strncmp(builtin, "AsyncModuleEvaluate", 19);
}

bool v8_builtin_name(const char *builtin, char *buf, size_t n)
{
    if (is_resumption(builtin)) {
        snprintf(buf, n, "(after await)");
        return true;
    }
    const char *prototype = strstr(builtin, "Prototype");
    size_t length = strlen(builtin);
    if (prototype && prototype > builtin && isupper((unsigned char)prototype[9])) {
        char object[64];
        snprintf(object, sizeof object, "%.*s", (int)(prototype - builtin), builtin);
        put_method(object, ".prototype.", prototype + 9, buf, n);
        return true;
    }
    if (length > 11 && !strcmp(builtin + length - 11, "Constructor")) {
        snprintf(buf, n, "new %.*s", (int)(length - 11), builtin);
        return true;
    }
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        size_t p = strlen(objects[i].prefix);
        if (strncmp(builtin, objects[i].prefix, p) != 0 || !isupper((unsigned char)builtin[p]))
            continue;
        const char *between = objects[i].object[0] ? "." : "";
        if (!strcmp(objects[i].object, "Array") && !is_static_of_array(builtin + p))
            between = ".prototype.";
        put_method(objects[i].object, between, builtin + p, buf, n);
        return true;
    }
    return false;
}

static bool is_spelling_of(const char *v8s, const char *own)
{
    size_t n = strlen(own);
    return n && !strncasecmp(v8s, own, n) && (!v8s[n] || !strcmp(v8s + n, "Intl"));
}

bool v8_same_method(const char *a, const char *b)
{
    return is_spelling_of(a, b) || is_spelling_of(b, a);
}

void v8_spell_method(char *method, const char *own)
{
    char *dot = strrchr(method, '.');
    if (own && dot && is_spelling_of(dot + 1, own))
        memcpy(dot + 1, own, strlen(own) + 1);
}

// Assembled builtins are "Builtins_X"; those in C++ are v8::internal::Builtin_X(int, ...), in
// mangled form with the length of the name before it, or Builtin_Impl_X beneath it.
bool v8_builtin_of_symbol(const char *symbol, char *buf, size_t n)
{
    if (!symbol)
        return false;
    if (!strncmp(symbol, "Builtins_", 9)) {
        snprintf(buf, n, "%s", symbol + 9);
        return true;
    }
    const char *at = strncmp(symbol, "_ZN2v88internal", 15) ? NULL : strstr(symbol, "Builtin_");
    if (!at || !isdigit((unsigned char)at[-1]) || !strncmp(at, "Builtin_Impl_", 13))
        return false;
    const char *digits = at;
    while (digits > symbol && isdigit((unsigned char)digits[-1]))
        digits--;
    int length = 0;
    sscanf(digits, "%4d", &length);
    if (length <= 8 || (size_t)length > strlen(at))
        return false;
    snprintf(buf, n, "%.*s", length - 8, at + 8);
    return true;
}

static bool is_collector(const char *symbol)
{
    static const char *const parts[] = {
        "Heap14CollectGarbage",
        "Heap24PerformGarbageCollection",
        "9Scavenger",
        "18ScavengerCollector",
        "20MarkCompactCollector",
        "18IncrementalMarking",
        "7Sweeper",
        "16MarkingVisitor",
        "23ConcurrentMarking",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(symbol, parts[i]))
            return true;
    return false;
}

// V8 sends these events from within the function that collects and from the steps of its marking.
void v8_find_collector(struct v8 *v, const char *module)
{
    static const char *const events[] = {"MinorGC", "V8.GCIncrementalMarking"};
    const struct lang_process *p = &v->process;
    if (p->symbol(p->arg, module, "_ZN2v88internal4Heap8TearDownEv"))
        return; // its functions have names
    v->ncollector = p->text_users(p->arg, module, events, sizeof events / sizeof *events,
                                  v->collector, V8_COLLECTOR);
}

static bool is_in_collector(const struct v8 *v, uint64_t pc)
{
    for (int i = 0; i < v->ncollector; i++)
        if (pc > v->collector[i].start && pc <= v->collector[i].end)
            return true;
    return false;
}

int v8_collector_frame(const struct v8 *v, const struct native_frame *frames, int n)
{
    for (int i = 0; i < n && !frames[i].jit; i++) {
        const char *s = frames[i].symbol;
        if (s && !strncmp(s, "Builtins_Interpreter", 20))
            return -1;
        if (s ? !strncmp(s, "_ZN2v88internal", 15) && is_collector(s)
              : is_in_collector(v, frames[i].pc))
            return i;
    }
    return -1;
}
