// One pass over the syntax tree. The runtime's calls are macros: what is seen here is their
// expansion (ls_spawn_at, ls_await_at, ...), placed where the macro is written.
#include "clang_unit.h"

#include <stdlib.h>
#include <string.h>

#include "../list.h"

#define FEW 100

struct context {
    struct unit *u;
    int function, call;
    enum rounds rounds;
    bool dropped, returned;
    const char *var;
    int child; // how many were seen
};

static char *take_string(const struct clang_api *api, CXString s)
{
    const char *text = api->getCString(s);
    char *copy = strdup(text ? text : "");
    if (!copy)
        abort();
    api->disposeString(s);
    return copy;
}

static struct place place_of(const struct clang_api *api, CXSourceLocation location)
{
    struct place p = {0, 0};
    api->getExpansionLocation(location, NULL, &p.line, &p.column, NULL);
    return p;
}

static long long value_of(const struct clang_api *api, CXCursor c)
{
    long long v = ARG_UNKNOWN;
    CXEvalResult r = api->Cursor_Evaluate(c);
    if (r && api->EvalResult_getKind(r) == CXEval_Int)
        v = api->EvalResult_getAsLongLong(r);
    if (r)
        api->EvalResult_dispose(r);
    return v;
}

static enum CXChildVisitResult visit(CXCursor c, CXCursor parent, CXClientData data);

static void descend(const struct context *up, CXCursor c, struct context *in)
{
    in->child = 0;
    up->u->api->visitChildren(c, visit, in);
}

static void read_function(struct context *up, CXCursor c)
{
    struct unit *u = up->u;
    list_must_have_room(u->functions, u->nfunctions, u->room.functions);
    u->functions[u->nfunctions] = (struct c_function){
        .name = take_string(u->api, u->api->getCursorSpelling(c)),
        .at = place_of(u->api, u->api->getCursorLocation(c)),
    };
    struct context in = {.u = u, .function = u->nfunctions++, .call = -1};
    descend(up, c, &in);
}

static bool gives_task(const struct clang_api *api, CXCursor call)
{
    char *type = take_string(api, api->getTypeSpelling(api->getCursorType(call)));
    bool is = !strcmp(type, "ls_task") || !strcmp(type, "struct ls_task");
    free(type);
    return is;
}

static void read_call(struct context *up, CXCursor c)
{
    struct unit *u = up->u;
    struct c_call call = {.function = up->function,
                          .name = take_string(u->api, u->api->getCursorSpelling(c)),
                          .at = place_of(u->api, u->api->getCursorLocation(c)),
                          .dropped = up->dropped,
                          .is_task = gives_task(u->api, c),
                          .var = up->var ? strdup(up->var) : NULL,
                          .rounds = up->rounds};
    int n = u->api->Cursor_getNumArguments(c);
    for (int i = 0; i < 6; i++)
        call.args[i] =
            i < n ? value_of(u->api, u->api->Cursor_getArgument(c, (unsigned)i)) : ARG_UNKNOWN;
    list_must_have_room(u->calls, u->ncalls, u->room.calls);
    u->calls[u->ncalls] = call;
    struct context in = *up;
    in.call = u->ncalls++;
    in.dropped = in.returned = false;
    in.var = NULL;
    descend(up, c, &in);
}

// What takes a function: the runtime (a task), or a thread.
static bool takes_task(const char *name)
{
    static const char *const takers[] = {
        "ls_spawn_at", "ls_spawn_detached_at", "ls_run_at",       "ls_run",
        "ls_run_with", "ls_group_spawn_at",    "ls_subscribe_at", "ls_spawn_from_thread_at",
        NULL};
    for (int i = 0; takers[i]; i++)
        if (!strcmp(name, takers[i]))
            return true;
    return false;
}

static bool takes_thread(const char *name)
{
    return !strcmp(name, "pthread_create") || !strcmp(name, "ls_offload_at") ||
           !strcmp(name, "ls_offload_abandon_at") || !strcmp(name, "uv_thread_create") ||
           !strcmp(name, "thrd_create");
}

// Once all functions are known: the handed one may be defined further down.
static void judge_handed(struct unit *u)
{
    for (int i = 0; i < u->nhanded; i++) {
        int function = unit_function(u, u->handed[i].function);
        if (function < 0)
            continue;
        if (u->handed[i].call < 0) { // put into a table or a struct ls_job
            u->functions[function].is_stored = true;
            continue;
        }
        const char *taker = u->calls[u->handed[i].call].name;
        u->functions[function].is_task |= takes_task(taker);
        u->functions[function].is_thread |= takes_thread(taker);
    }
    for (int i = 0; i < u->nfunctions; i++)
        u->functions[i].is_task |= u->functions[i].is_stored && !u->functions[i].is_thread;
}

// int64_t fn(void *arg): what the runtime calls a task's function.
static bool is_task_function(const struct clang_api *api, CXCursor function)
{
    char *type = take_string(api, api->getTypeSpelling(api->getCursorType(function)));
    bool is = !strcmp(type, "int64_t (void *)");
    free(type);
    return is;
}

static void read_reference(struct context *up, CXCursor c)
{
    struct unit *u = up->u;
    CXCursor referenced = u->api->getCursorReferenced(c);
    enum CXCursorKind kind = u->api->getCursorKind(referenced);
    char *name = take_string(u->api, u->api->getCursorSpelling(c));
    if (kind == CXCursor_FunctionDecl) {
        bool handed = up->call >= 0 ? strcmp(name, u->calls[up->call].name) != 0
                                    : is_task_function(u->api, referenced);
        if (handed) {
            list_must_have_room(u->handed, u->nhanded, u->room.handed);
            u->handed[u->nhanded++] = (struct c_handed){name, up->call};
            return;
        }
    } else if (kind == CXCursor_VarDecl || kind == CXCursor_ParmDecl) {
        list_must_have_room(u->uses, u->nuses, u->room.uses);
        u->uses[u->nuses++] = (struct c_use){
            up->function, up->call,   name, place_of(u->api, u->api->getCursorLocation(c)),
            up->returned, up->dropped};
        return;
    }
    free(name);
}

static enum CXChildVisitResult second_operand(CXCursor c, CXCursor parent, CXClientData data)
{
    (void)parent;
    CXCursor *ret = data;
    *ret = c; // the last one stays
    return CXChildVisit_Continue;
}

struct bound {
    const struct clang_api *api;
    long long rounds;
};

// for (...; i < N; ...): N where it is a constant.
static enum CXChildVisitResult find_bound(CXCursor c, CXCursor parent, CXClientData data)
{
    (void)parent;
    struct bound *b = data;
    if (b->api->getCursorKind(c) != CXCursor_BinaryOperator)
        return CXChildVisit_Continue;
    CXCursor last = c;
    b->api->visitChildren(c, second_operand, &last);
    b->rounds = value_of(b->api, last);
    return b->rounds == ARG_UNKNOWN ? CXChildVisit_Continue : CXChildVisit_Break;
}

static struct place body_of(const struct clang_api *api, CXCursor loop)
{
    CXCursor last = loop;
    if (api->getCursorKind(loop) == CXCursor_DoStmt)
        return (struct place){0, 0};
    api->visitChildren(loop, second_operand, &last);
    return place_of(api, api->getCursorLocation(last));
}

static void read_loop(struct context *up, CXCursor c)
{
    struct unit *u = up->u;
    struct bound b = {u->api, ARG_UNKNOWN};
    if (u->api->getCursorKind(c) == CXCursor_ForStmt)
        u->api->visitChildren(c, find_bound, &b);
    list_must_have_room(u->loops, u->nloops, u->room.loops);
    u->loops[u->nloops++] = (struct c_loop){
        up->function, place_of(u->api, u->api->getCursorLocation(c)), body_of(u->api, c),
        place_of(u->api, u->api->getRangeEnd(u->api->getCursorExtent(c))), b.rounds};
    struct context in = *up;
    bool few = b.rounds != ARG_UNKNOWN && b.rounds <= FEW && up->rounds != ROUNDS_ANY;
    in.rounds = few ? ROUNDS_FEW : ROUNDS_ANY;
    descend(up, c, &in);
}

static void read_return(struct context *up, CXCursor c)
{
    struct unit *u = up->u;
    list_must_have_room(u->returns, u->nreturns, u->room.returns);
    u->returns[u->nreturns++] =
        (struct c_return){up->function, place_of(u->api, u->api->getCursorLocation(c)),
                          place_of(u->api, u->api->getRangeEnd(u->api->getCursorExtent(c)))};
    struct context in = *up;
    in.dropped = false;
    in.returned = true;
    descend(up, c, &in);
}

static void read_variable(struct context *up, CXCursor c)
{
    char *name = take_string(up->u->api, up->u->api->getCursorSpelling(c));
    struct context in = *up;
    in.var = name;
    in.dropped = in.returned = false;
    descend(up, c, &in);
    free(name);
}

static enum CXChildVisitResult first_name(CXCursor c, CXCursor parent, CXClientData data)
{
    (void)parent;
    *(CXCursor *)data = c;
    return CXChildVisit_Break;
}

// a = f(): the left side's name is where the value of f goes.
static void read_operator(struct context *up, CXCursor c)
{
    const struct clang_api *api = up->u->api;
    CXCursor left = c;
    api->visitChildren(c, first_name, &left);
    bool named = api->getCursorKind(left) == CXCursor_DeclRefExpr;
    char *name = named ? take_string(api, api->getCursorSpelling(left)) : NULL;
    struct context in = *up;
    in.var = name;
    in.dropped = in.returned = false;
    descend(up, c, &in);
    free(name);
}

static bool is_void_cast(const struct clang_api *api, CXCursor c)
{
    return api->getCursorKind(c) == CXCursor_CStyleCastExpr &&
           api->getCursorType(c).kind == CXType_Void;
}

static void read_other(struct context *up, CXCursor c, enum CXCursorKind kind)
{
    const struct clang_api *api = up->u->api;
    struct context in = *up;
    bool through = kind == CXCursor_UnexposedExpr || kind == CXCursor_ParenExpr;
    if (kind == CXCursor_CompoundStmt || is_void_cast(api, c))
        in.dropped = true;
    else if (!through && kind != CXCursor_IfStmt)
        in.dropped = in.returned = false;
    if (kind == CXCursor_IfStmt)
        in.dropped = false;
    if (!through && kind != CXCursor_CStyleCastExpr)
        in.var = NULL;
    descend(up, c, &in);
}

static enum CXChildVisitResult visit(CXCursor c, CXCursor parent, CXClientData data)
{
    struct context *up = data;
    const struct clang_api *api = up->u->api;
    enum CXCursorKind kind = api->getCursorKind(c);
    (void)parent;
    if (up->function < 0 && kind == CXCursor_DeclRefExpr) { // in a table of the file
        read_reference(up, c);
        return CXChildVisit_Continue;
    }
    if (up->function < 0) {
        if ((kind == CXCursor_VarDecl || kind == CXCursor_InitListExpr ||
             kind == CXCursor_UnexposedExpr || kind == CXCursor_UnaryOperator) &&
            api->Location_isFromMainFile(api->getCursorLocation(c)))
            return CXChildVisit_Recurse;
        if (kind == CXCursor_FunctionDecl && api->isCursorDefinition(c) &&
            api->Location_isFromMainFile(api->getCursorLocation(c)))
            read_function(up, c);
        return CXChildVisit_Continue;
    }
    switch (kind) {
    case CXCursor_CallExpr: read_call(up, c); break;
    case CXCursor_DeclRefExpr: read_reference(up, c); break;
    case CXCursor_ForStmt:
    case CXCursor_WhileStmt:
    case CXCursor_DoStmt: read_loop(up, c); break;
    case CXCursor_ReturnStmt: read_return(up, c); break;
    case CXCursor_VarDecl: read_variable(up, c); break;
    case CXCursor_BinaryOperator: read_operator(up, c); break;
    default: read_other(up, c, kind); break;
    }
    return CXChildVisit_Continue;
}

int unit_function(const struct unit *u, const char *name)
{
    for (int i = 0; i < u->nfunctions; i++)
        if (!strcmp(u->functions[i].name, name))
            return i;
    return -1;
}

void unit_read(struct unit *u, const struct clang_api *api, CXTranslationUnit tu)
{
    *u = (struct unit){.api = api};
    struct context top = {.u = u, .function = -1, .call = -1};
    CXCursor root = api->getTranslationUnitCursor(tu);
    u->lines = (long)place_of(api, api->getRangeEnd(api->getCursorExtent(root))).line;
    api->visitChildren(root, visit, &top);
    judge_handed(u);
}

void unit_finish(struct unit *u)
{
    for (int i = 0; i < u->nfunctions; i++)
        free(u->functions[i].name);
    for (int i = 0; i < u->ncalls; i++) {
        free(u->calls[i].name);
        free(u->calls[i].var);
    }
    for (int i = 0; i < u->nuses; i++)
        free(u->uses[i].name);
    for (int i = 0; i < u->nhanded; i++)
        free(u->handed[i].function);
    free(u->handed);
    free(u->functions);
    free(u->calls);
    free(u->uses);
    free(u->loops);
    free(u->returns);
}
