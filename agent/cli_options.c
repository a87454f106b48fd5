// The table of options and how their values are read.
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "export/export.h"
#include "snapshot/snapshot.h"

#define MS 1000000LL

static int usage(struct error *err, const char *option, const char *value, const char *wants)
{
    return error_set(err, STATUS_USAGE, EINVAL, "%s wants %s, not '%.80s'", option, wants, value);
}

static int word_index(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(value, words[i]))
            return i;
    return -1;
}

static int set_threshold(struct cli *c, const char *value, struct error *err)
{
    int64_t ns;
    if (parse_duration(value, &ns) < 0 || ns < MS)
        return usage(err, "--threshold", value, "a duration of 1ms or more");
    c->opts.threshold_ns = ns;
    return 0;
}

static int set_time_scale(struct cli *c, const char *value, struct error *err)
{
    char *end;
    double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v) || v <= 0)
        return usage(err, "--time-scale", value, "a number above 0");
    c->opts.time_scale = v;
    return 0;
}

static int set_backend(struct cli *c, const char *value, struct error *err)
{
    int i = word_index(value, (const char *const[]){"auto", "bpf", "proc", NULL});
    if (i < 0)
        return usage(err, "--backend", value, "auto, bpf or proc");
    c->opts.backend = (enum backend)i;
    return 0;
}

static int set_color(struct cli *c, const char *value, struct error *err)
{
    int i = word_index(value, (const char *const[]){"auto", "always", "never", NULL});
    if (i < 0)
        return usage(err, "--color", value, "auto, always or never");
    c->opts.color = (enum color)i;
    return 0;
}

static int set_fail_on(struct cli *c, const char *value, struct error *err)
{
    int i = word_index(value, (const char *const[]){"info", "warning", "critical", "never", NULL});
    if (i < 0)
        return usage(err, "--fail-on", value, "info, warning, critical or never");
    c->opts.fail_on = i;
    return 0;
}

static int set_state(struct cli *c, const char *value, struct error *err)
{
    for (int i = TASK_NEW; i <= TASK_CANCELLED; i++)
        if (!strcmp(value, task_state_name((enum task_state)i))) {
            c->opts.state = value;
            return 0;
        }
    return usage(err, "--state", value, "new, ready, running, waiting, done, failed or cancelled");
}

static int set_format(struct cli *c, const char *value, struct error *err)
{
    if (c->command->takes == TAKES_PATHS) { // of its own, which it checks
        c->opts.format = value;
        return 0;
    }
    if (!export_find(value)) {
        usage(err, "--format", value, "a format");
        char list[200] = "";
        for (const struct export_format *f = export_formats; f->name; f++) {
            strncat(list, *list ? ", " : "", sizeof(list) - strlen(list) - 1);
            strncat(list, f->name, sizeof(list) - strlen(list) - 1);
        }
        error_hint(err, "one of %s", list);
        return -EINVAL;
    }
    c->opts.format = value;
    return 0;
}

// "50M", "2G", "1000000"; at least 256 KiB, below which no recording is worth its name.
static int set_max_size(struct cli *c, const char *value, struct error *err)
{
    char *end;
    double v = strtod(value, &end);
    const char *units = "kmg";
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    double scale = unit ? pow(1024, (double)(unit - units + 1)) : 1;
    bool junk =
        end == value ||
        (*end && (!unit || (end[1] && strcmp(end + 1, "B") != 0 && strcmp(end + 1, "iB") != 0)));
    if (junk || !isfinite(v) || v * scale < 262144 || v * scale > 9e18)
        return usage(err, "--max-size", value, "a size of 256K or more, such as 50M or 2G");
    c->opts.max_bytes = (int64_t)(v * scale);
    return 0;
}

static int set_ring(struct cli *c, const char *value, struct error *err)
{
    int64_t ns;
    if (parse_duration(value, &ns) < 0 || ns < 1000 * MS)
        return usage(err, "--ring", value, "a duration of 1s or more");
    c->opts.ring_ns = ns;
    return 0;
}

static int set_delay(struct cli *c, const char *value, struct error *err)
{
    int64_t ns;
    if (parse_duration(value, &ns) < 0 || ns < 100 * MS)
        return usage(err, "-d", value, "a duration of 100ms or more");
    c->opts.delay_ns = ns;
    return 0;
}

static int set_target(struct cli *c, enum target_kind kind, const char *text, struct error *err)
{
    if (c->opts.target != TARGET_NONE)
        return error_set(err, STATUS_USAGE, EINVAL, "more than one TARGET was given");
    c->opts.target = kind;
    c->opts.text = text;
    return 0;
}

static int set_name(struct cli *c, const char *value, struct error *err)
{
    return set_target(c, TARGET_NAME, value, err);
}

static int set_all(struct cli *c, const char *value, struct error *err)
{
    (void)value;
    return set_target(c, TARGET_ALL, NULL, err);
}

static int set_cgroup(struct cli *c, const char *value, struct error *err)
{
    return set_target(c, TARGET_CGROUP, value, err);
}

static int set_unit(struct cli *c, const char *value, struct error *err)
{
    return set_target(c, TARGET_UNIT, value, err);
}

static int set_connect(struct cli *c, const char *value, struct error *err)
{
    return set_target(c, TARGET_SOCKET, value, err);
}

static void allow(struct cli *c, uid_t uid)
{
    struct opts *o = &c->opts;
    o->allowed = realloc(o->allowed, sizeof(*o->allowed) * (size_t)(o->nallowed + 1));
    if (!o->allowed)
        abort();
    o->allowed[o->nallowed++] = uid;
}

static int set_allow_uid(struct cli *c, const char *value, struct error *err)
{
    char *end;
    unsigned long long uid = strtoull(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end || uid >= UINT32_MAX)
        return usage(err, "--allow-uid", value, "a user's number");
    allow(c, (uid_t)uid);
    return 0;
}

static int set_allow_user(struct cli *c, const char *value, struct error *err)
{
    const struct passwd *user = getpwnam(value);
    if (!user)
        return error_set(err, STATUS_USAGE, ENOENT, "--allow-user: there is no user '%.80s'",
                         value);
    allow(c, user->pw_uid);
    return 0;
}

static int set_setting(struct cli *c, const char *value, struct error *err)
{
    if (!looks_like_setting(value)) {
        usage(err, "-o", value, "rule.key=value");
        error_hint(err, "loopscope rules lists the keys");
        return -EINVAL;
    }
    add_text(&c->opts.settings, &c->opts.nsettings, value);
    return 0;
}

// -o is a setting, and the file of those whose purpose is to write one (check has --output).
static int set_o(struct cli *c, const char *value, struct error *err)
{
    const char *const writers[] = {"record", "report", "lint", NULL};
    if (looks_like_setting(value) || word_index(c->command->name, writers) < 0)
        return set_setting(c, value, err);
    c->opts.output = value;
    return 0;
}

static int set_ignore(struct cli *c, const char *value, struct error *err)
{
    (void)err;
    add_text(&c->opts.ignore, &c->opts.nignore, value);
    return 0;
}

static char *read_text_file(const char *path, struct error *err)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        error_set(err, STATUS_USAGE, errno, "cannot read %.200s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = calloc(1, 65537);
    size_t n = text ? fread(text, 1, 65536, f) : 0;
    bool whole = text && feof(f) && !ferror(f) && strlen(text) == n;
    fclose(f);
    if (!whole) {
        error_set(err, STATUS_USAGE, EINVAL, "%.200s is not a settings file", path);
        free(text);
        return NULL;
    }
    return text;
}

static char *trim(char *line)
{
    line += strspn(line, " \t");
    size_t n = strcspn(line, "#\r");
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'))
        n--;
    line[n] = '\0';
    return line;
}

static int set_config(struct cli *c, const char *value, struct error *err)
{
    char *text = read_text_file(value, err);
    if (!text)
        return -EINVAL;
    char **files = realloc(c->files, sizeof(*files) * (size_t)(c->nfiles + 1));
    if (!files)
        abort();
    c->files = files;
    c->files[c->nfiles++] = text;
    int number = 0;
    for (char *line; (line = strsep(&text, "\n"));) {
        number++;
        line = trim(line);
        if (*line == '\0')
            continue;
        if (!looks_like_setting(line))
            return error_set(err, STATUS_USAGE, EINVAL,
                             "%.200s:%d: wants rule.key=value, not '%.80s'", value, number, line);
        add_text(&c->opts.settings, &c->opts.nsettings, line);
    }
    return 0;
}

static int set_help(struct cli *c, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    c->help = true;
    return 0;
}

static int set_version(struct cli *c, const char *value, struct error *err)
{
    (void)value;
    (void)err;
    c->version = true;
    return 0;
}

#define FLAG(name, letter, field, only, help)                                                      \
    {                                                                                              \
        name, letter, OPTION_FLAG, offsetof(struct opts, field), NULL, NULL, only, help            \
    }
#define TEXT(name, letter, field, arg, only, help)                                                 \
    {                                                                                              \
        name, letter, OPTION_TEXT, offsetof(struct opts, field), NULL, arg, only, help             \
    }
#define SPAN(name, letter, field, arg, only, help)                                                 \
    {                                                                                              \
        name, letter, OPTION_DURATION, offsetof(struct opts, field), NULL, arg, only, help         \
    }
#define CALL(name, letter, set, arg, only, help)                                                   \
    {                                                                                              \
        name, letter, OPTION_CALL, 0, set, arg, only, help                                         \
    }

#define SEEN "top ps watch check loops tasks fds stacks record report"
#define LIVE "top watch check loops tasks fds stacks record report serve"

const struct option_spec cli_options[] = {
    CALL("name", 0, set_name, "GLOB", NULL, "TARGET: processes of this name"),
    CALL("all", 0, set_all, NULL, NULL, "TARGET: every process with an event loop"),
    CALL("cgroup", 0, set_cgroup, "PATH", NULL, "TARGET: the processes of a control group"),
    CALL("unit", 0, set_unit, "NAME", NULL, "TARGET: the processes of a systemd unit"),
    FLAG("once", 0, once, "top", "one frame as text"),
    FLAG("plain", 0, plain, "top", "no full screen: lines as things change"),
    CALL("delay", 'd', set_delay, "TIME", "top", "time between frames"),
    CALL("connect", 0, set_connect, "SOCKET", SEEN, "TARGET: what `serve --socket` sees"),
    TEXT("exec", 0, exec, "CMD", "watch", "run CMD for each finding, JSON on its stdin"),
    CALL("fail-on", 0, set_fail_on, "SEVERITY", "check lint",
         "info, warning (default), critical or never"),
    CALL("ignore", 0, set_ignore, "RULE[:GLOB]", "check watch report lint",
         "leave out findings of RULE (whose subject, title, file or function matches GLOB)"),
    TEXT("baseline", 0, baseline, "FILE", "check lint",
         "only what this recording (lint: earlier --json) lacks fails"),
    TEXT("from", 0, from, "FILE.lsr", "lint", "what blocked in this recording comes first"),
    FLAG("tree", 0, tree, "tasks", "children under their parents"),
    FLAG("by-site", 0, by_site, "tasks", "one row a spawn site"),
    FLAG("orphans", 0, orphans, "tasks", "only tasks nobody can await"),
    CALL("state", 0, set_state, "STATE", "tasks", "only tasks in this state"),
    FLAG("fd-stacks", 0, fd_stacks, LIVE, "find the stacks that open descriptors"),
    FLAG("handles", 0, handles, LIVE, "find libuv handles never closed (probes its functions)"),
    FLAG("thread-checks", 0, thread_checks, LIVE,
         "find libuv called from a wrong thread (probes its functions)"),
    TEXT("output", 0, output, "FILE", "record report check lint", "write there instead of stdout"),
    CALL("format", 0, set_format, "FORMAT", "report check lint", "how to write it"),
    FLAG("json-schema", 0, json_schema, "report", "print the schema of the JSON output"),
    FLAG("rejudge", 0, rejudge, "top watch check report", "run today's rules on a recording"),
    CALL("max-size", 0, set_max_size, "SIZE", "record", "keep the file below this, oldest go"),
    CALL("ring", 0, set_ring, "TIME", "record", "keep only the newest TIME"),
    FLAG("redact", 0, redact, "record report", "no paths, peers, names or arguments"),
    TEXT("listen", 0, listen, "ADDR:PORT", "serve", "default 127.0.0.1:9464"),
    TEXT("socket", 0, socket, "PATH", "serve", "a Unix socket for other dashboards"),
    CALL("allow-user", 0, set_allow_user, "NAME", "serve", "this user may connect too"),
    CALL("allow-uid", 0, set_allow_uid, "UID", "serve", "the same by number"),
    FLAG("json", 0, json, NULL, "one JSON document (watch: one a line)"),
    SPAN("for", 0, for_ns, "TIME", NULL, "how long to watch: 500ms, 10s, 2m"),
    CALL("threshold", 0, set_threshold, "TIME", NULL, "a turn this long is a stall (100ms)"),
    FLAG("strict", 0, strict, NULL, "a stall is 25ms"),
    CALL("", 'o', set_o, "RULE.KEY=VALUE", NULL,
         "a rule's number, see `rules`; record, report: the FILE to write"),
    CALL("set", 0, set_setting, "RULE.KEY=VALUE", NULL, "the same, never a file"),
    CALL("config", 'c', set_config, "FILE", NULL, "a file of such lines"),
    CALL("backend", 0, set_backend, "WHICH", NULL, "auto, bpf or proc"),
    FLAG("exact", 0, exact, NULL, "see every turn, at the target's cost"),
    FLAG("native", 0, native, NULL, "keep the interpreter's own frames"),
    FLAG("gc-walk", 0, gc_walk, NULL, "Python: also objects only the collector knows"),
    CALL("time-scale", 0, set_time_scale, "X", NULL, "multiplies ages and windows of slow rules"),
    CALL("color", 0, set_color, "WHEN", NULL, "auto, always or never"),
    FLAG("ascii", 0, ascii, NULL, "no characters beyond ASCII"),
    FLAG("verbose", 'v', verbose, NULL, "more about what is done"),
    CALL("version", 'V', set_version, NULL, NULL, "print the version"),
    CALL("help", 'h', set_help, NULL, NULL, "print this"),
    {0},
};

int option_apply(struct cli *c, const struct option_spec *o, const char *value, struct error *err)
{
    char *at = (char *)&c->opts + o->offset;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)at = true; return 0;
    case OPTION_TEXT: *(const char **)at = value; return 0;
    case OPTION_DURATION:
        if (parse_duration(value, (int64_t *)at) == 0)
            return 0;
        return error_set(err, STATUS_USAGE, EINVAL,
                         "--%s wants a duration such as 500ms, 10s or 2m, not '%.80s'", o->name,
                         value);
    case OPTION_CALL: return o->set(c, value, err);
    }
    return -EINVAL;
}
