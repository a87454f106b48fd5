// C on our runtime, by libclang and the compile database.
//
// Only files that speak of the runtime are parsed: elsewhere there is no task to block. Without a
// compile_commands.json above the file (or in a build/ there) plain options are tried.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clang_rules.h"
#include "lint.h"

#define MAX_ARGS 256

struct arguments {
    char *list[MAX_ARGS];
    int n;
};

static void add(struct arguments *a, const char *text)
{
    if (a->n < MAX_ARGS && (a->list[a->n] = strdup(text)))
        a->n++;
}

static void arguments_finish(struct arguments *a)
{
    for (int i = 0; i < a->n; i++)
        free(a->list[i]);
}

enum speaks { SPEAKS_NOT, SPEAKS_MAYBE, SPEAKS_SURELY }; // of our runtime

static bool has_prefix_word(const char *line)
{
    for (const char *at = line; (at = strstr(at, "ls_")); at++)
        if (at == line || !(isalnum((unsigned char)at[-1]) || at[-1] == '_'))
            return true;
    return false;
}

// Its header may come by another one; then names with its prefix are a hint.
static enum speaks speaks_of_runtime(const char *path)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    enum speaks found = SPEAKS_NOT;
    while (f && found != SPEAKS_SURELY && getline(&line, &size, f) >= 0) {
        if (strstr(line, "#include") && strstr(line, "loopscope"))
            found = SPEAKS_SURELY;
        else if (has_prefix_word(line))
            found = SPEAKS_MAYBE;
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// The compiler's name, the output and the file itself (by whatever path) are not for the parser.
static void take_command(const struct clang_api *api, CXCompileCommand command, const char *path,
                         struct arguments *ret)
{
    CXString folder = api->CompileCommand_getDirectory(command);
    char option[PATH_MAX + 32];
    snprintf(option, sizeof(option), "-working-directory=%s", api->getCString(folder));
    api->disposeString(folder);
    add(ret, option);
    unsigned n = api->CompileCommand_getNumArgs(command);
    for (unsigned i = 1; i < n; i++) {
        CXString s = api->CompileCommand_getArg(command, i);
        const char *text = api->getCString(s);
        bool is_file = text[0] != '-' && !strcmp(base_of(text), base_of(path));
        if (!strcmp(text, "-o"))
            i++;
        else if (strcmp(text, "-c") != 0 && strcmp(text, "--") != 0 && !is_file)
            add(ret, text);
        api->disposeString(s);
    }
}

static bool from_database(const struct clang_api *api, const char *folder, const char *path,
                          struct arguments *ret)
{
    char file[PATH_MAX + 32];
    snprintf(file, sizeof(file), "%s/compile_commands.json", folder);
    if (access(file, R_OK) != 0)
        return false;
    CXCompilationDatabase_Error e;
    CXCompilationDatabase db = api->CompilationDatabase_fromDirectory(folder, &e);
    if (e != CXCompilationDatabase_NoError)
        return false;
    CXCompileCommands all = api->CompilationDatabase_getCompileCommands(db, path);
    bool found = all && api->CompileCommands_getSize(all) > 0;
    if (found)
        take_command(api, api->CompileCommands_getCommand(all, 0), path, ret);
    if (all)
        api->CompileCommands_dispose(all);
    api->CompilationDatabase_dispose(db);
    return found;
}

static void add_include(struct arguments *ret, const char *folder, const char *below)
{
    char option[PATH_MAX + 64], header[PATH_MAX + 64];
    snprintf(header, sizeof(header), "%s%s/loopscope/loopscope.h", folder, below);
    snprintf(option, sizeof(option), "-I%s%s", folder, below);
    if (access(header, R_OK) == 0)
        add(ret, option);
}

// Upwards from the file: the database where there is one, else where the header may lie.
static void find_arguments(const struct clang_api *api, const char *path, struct arguments *ret)
{
    char folder[PATH_MAX], build[PATH_MAX + 8];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash; (slash = strrchr(folder, '/')) && slash > folder;) {
        *slash = '\0';
        snprintf(build, sizeof(build), "%s/build", folder);
        if (from_database(api, folder, path, ret) || from_database(api, build, path, ret))
            return;
    }
    add(ret, "-std=gnu11");
    add(ret, "-D_GNU_SOURCE");
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *slash; (slash = strrchr(folder, '/')) && slash > folder;) {
        *slash = '\0';
        add_include(ret, folder, "/include");
        add_include(ret, folder, "/lib/include");
    }
}

// The first error that leaves the tree unreliable, or NULL. buf is returned.
static const char *what_failed(const struct clang_api *api, CXTranslationUnit tu, char *buf,
                               size_t size)
{
    unsigned n = api->getNumDiagnostics(tu);
    bool failed = false;
    for (unsigned i = 0; i < n && !failed; i++) {
        CXDiagnostic d = api->getDiagnostic(tu, i);
        if (api->getDiagnosticSeverity(d) >= CXDiagnostic_Error) {
            unsigned line = 0;
            api->getExpansionLocation(api->getDiagnosticLocation(d), NULL, &line, NULL, NULL);
            CXString s = api->getDiagnosticSpelling(d);
            snprintf(buf, size, "line %u: %s", line, api->getCString(s));
            api->disposeString(s);
            failed = true;
        }
        api->disposeDiagnostic(d);
    }
    return failed ? buf : NULL;
}

static bool is_ours(const struct unit *u)
{
    for (int i = 0; i < u->ncalls; i++)
        if (!strncmp(u->calls[i].name, "ls_", 3))
            return true;
    return false;
}

static void check_unit(struct lint_report *r, const struct clang_api *api, CXTranslationUnit tu,
                       const char *path, const struct lint_settings *settings, enum speaks speaks)
{
    struct unit u;
    unit_read(&u, api, tu);
    if (speaks == SPEAKS_SURELY || is_ours(&u)) {
        clang_rules_judge(r, &u, path, settings);
        r->files++;
        r->lines += u.lines;
    }
    unit_finish(&u);
}

// With a command's folder as its working directory libclang leaves the process in that folder.
static CXTranslationUnit parse(const struct clang_api *api, CXIndex index, const char *path,
                               const struct arguments *args)
{
    CXTranslationUnit tu = NULL;
    int home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum CXErrorCode e = api->parseTranslationUnit2(index, path, (const char *const *)args->list,
                                                    args->n, NULL, 0, 0, &tu);
    if (home >= 0 && fchdir(home) < 0)
        e = CXError_Failure; // the next relative path would be another file's
    if (home >= 0)
        close(home);
    if (e == CXError_Success)
        return tu;
    if (tu)
        api->disposeTranslationUnit(tu);
    return NULL;
}

// What only may be ours and cannot be parsed is somebody else's: nothing is said.
static void check_file(struct lint_report *r, const struct clang_api *api, CXIndex index,
                       const char *path, const struct lint_settings *settings, enum speaks speaks)
{
    char real[PATH_MAX], why[300];
    struct arguments args = {.n = 0};
    if (!realpath(path, real)) {
        lint_skip(r, path, strerror(errno));
        return;
    }
    find_arguments(api, real, &args);
    CXTranslationUnit tu = parse(api, index, real, &args);
    if (!tu)
        snprintf(why, sizeof(why), "libclang gave up on it");
    else if (!what_failed(api, tu, why, sizeof(why)))
        why[0] = '\0';
    if (!why[0])
        check_unit(r, api, tu, path, settings, speaks);
    else if (speaks == SPEAKS_SURELY)
        lint_skip(r, path, why);
    if (tu)
        api->disposeTranslationUnit(tu);
    arguments_finish(&args);
}

int lint_check_c(struct lint_report *r, const struct lint_paths *paths,
                 const struct lint_settings *settings, struct error *err)
{
    struct clang_api api = {0};
    CXIndex index = NULL;
    int rc = 0;
    for (int i = 0; i < paths->n && rc == 0; i++) {
        enum speaks speaks = speaks_of_runtime(paths->list[i]);
        if (speaks == SPEAKS_NOT)
            continue;
        if (!index && (rc = clang_api_open(&api, err)) == 0)
            index = api.createIndex(0, 0);
        if (index)
            check_file(r, &api, index, paths->list[i], settings, speaks);
    }
    if (index)
        api.disposeIndex(index);
    clang_api_close(&api);
    return rc;
}
