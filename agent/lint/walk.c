// Which files to check: paths are walked through symbolic links, each file once.
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

#include "lint.h"

#define FILE_MAX (8 << 20) // larger is generated, and costs seconds

struct seen {
    struct {
        dev_t dev;
        ino_t ino;
    } key;
    UT_hash_handle hh;
};

struct walk {
    struct seen *seen;
    struct lint_paths *ret;
    struct lint_report *report;
    int typescript; // files below one path
};

static bool has_suffix(const char *name, const char *suffixes)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot ? strlen(dot) : 0;
    for (const char *at = suffixes; n && (at = strstr(at, dot)); at += n)
        if ((at == suffixes || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))
            return true;
    return false;
}

static bool is_first(struct walk *w, const struct stat *st)
{
    struct seen *s, probe;
    memset(&probe, 0, sizeof(probe));
    probe.key.dev = st->st_dev;
    probe.key.ino = st->st_ino;
    HASH_FIND(hh, w->seen, &probe.key, sizeof(probe.key), s);
    if (s)
        return false;
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    memcpy(&s->key, &probe.key, sizeof(s->key));
    HASH_ADD(hh, w->seen, key, sizeof(s->key), s);
    return true;
}

static void keep(struct lint_paths *p, const char *path)
{
    p->list = realloc(p->list, sizeof(*p->list) * (size_t)(p->n + 1));
    char *copy = strdup(path);
    if (!p->list || !copy)
        abort();
    p->list[p->n++] = copy;
}

// Its types can only be taken out by its own compiler, which no Node brings.
static bool is_typescript(const char *name)
{
    size_t n = strlen(name);
    bool declares = n > 5 && !strcmp(name + n - 5, ".d.ts");
    return !declares && has_suffix(name, ".ts .tsx .mts .cts");
}

// Made by a program, to be read by none.
static bool is_minified(const FTSENT *e)
{
    size_t n = strlen(e->fts_name);
    return e->fts_level > FTS_ROOTLEVEL && n > 7 && !strcmp(e->fts_name + n - 7, ".min.js");
}

static void take_file(struct walk *w, const FTSENT *e)
{
    if (is_minified(e))
        return;
    for (int i = 0; lint_languages[i].name; i++) {
        if (!has_suffix(e->fts_name, lint_languages[i].suffixes))
            continue;
        if (!is_first(w, e->fts_statp))
            return;
        if (!S_ISREG(e->fts_statp->st_mode))
            lint_skip(w->report, e->fts_path, "not a regular file");
        else if (e->fts_statp->st_size > FILE_MAX)
            lint_skip(w->report, e->fts_path, "larger than 8 MB");
        else
            keep(&w->ret[i], e->fts_path);
        return;
    }
    if (is_typescript(e->fts_name))
        w->typescript++;
    else if (e->fts_level == FTS_ROOTLEVEL)
        lint_skip(w->report, e->fts_path, "of no language that lint checks");
}

// What holds no source of this program: version control, caches, installed packages.
static bool is_foreign(const FTSENT *e)
{
    return e->fts_level > FTS_ROOTLEVEL &&
           (e->fts_name[0] == '.' || !strcmp(e->fts_name, "__pycache__") ||
            !strcmp(e->fts_name, "node_modules"));
}

static bool names_source(const FTSENT *e)
{
    for (int i = 0; lint_languages[i].name; i++)
        if (has_suffix(e->fts_name, lint_languages[i].suffixes))
            return true;
    return false;
}

static void visit(struct walk *w, FTS *fts, FTSENT *e)
{
    switch (e->fts_info) {
    case FTS_D:
        if (is_foreign(e))
            fts_set(fts, e, FTS_SKIP);
        break;
    case FTS_F:
    case FTS_DEFAULT: take_file(w, e); break;
    case FTS_DC: lint_skip(w->report, e->fts_path, "a symbolic link back to where it is"); break;
    case FTS_SLNONE:
        if (names_source(e) || e->fts_level == FTS_ROOTLEVEL)
            lint_skip(w->report, e->fts_path, "a symbolic link that leads nowhere");
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS: lint_skip(w->report, e->fts_path, strerror(e->fts_errno)); break;
    default: break;
    }
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int walk_one(struct walk *w, const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return error_set(err, STATUS_USAGE, errno, "cannot read %.200s: %s", path, strerror(errno));
    char *const roots[] = {(char *)path, NULL};
    FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (!fts)
        return error_set(err, STATUS_USAGE, errno, "cannot read %.200s: %s", path, strerror(errno));
    for (FTSENT *e; (e = fts_read(fts));)
        visit(w, fts, e);
    fts_close(fts);
    if (w->typescript > 0) {
        char why[80];
        snprintf(why, sizeof(why), "TypeScript is not checked (%d file%s)", w->typescript,
                 w->typescript == 1 ? "" : "s");
        lint_skip(w->report, path, why);
        w->typescript = 0;
    }
    return 0;
}

int lint_walk(const char *const *paths, int n, struct lint_paths *ret, struct lint_report *r,
              struct error *err)
{
    struct walk w = {.ret = ret, .report = r};
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = walk_one(&w, paths[i], err);
    struct seen *s, *next;
    HASH_ITER (hh, w.seen, s, next) {
        HASH_DEL(w.seen, s);
        free(s);
    }
    return rc;
}
