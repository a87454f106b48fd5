#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct given { // an option met on the way, applied when the command is known
    const struct option_spec *option;
    const char *value;
};

struct words {
    struct given *given;
    int ngiven;
    const char **positional; // as many as argv may hold
    int npositional;
    char **command; // after "--"
};

struct opts opts_default(void)
{
    return (struct opts){.for_ns = OPT_UNSET,
                         .threshold_ns = OPT_UNSET,
                         .delay_ns = OPT_UNSET,
                         .time_scale = 1,
                         .fail_on = 1};
}

void add_text(const char ***list, int *n, const char *text)
{
    const char **grown = realloc(*list, sizeof(*grown) * (size_t)(*n + 1));
    if (!grown)
        abort();
    *list = grown;
    grown[(*n)++] = text;
}

bool looks_like_setting(const char *text)
{
    size_t rule = strspn(text, "abcdefghijklmnopqrstuvwxyz-");
    if (rule == 0 || text[rule] != '.')
        return false;
    const char *key = text + rule + 1;
    size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyz_");
    return n > 0 && key[n] == '=';
}

bool option_is_of(const struct option_spec *o, const struct command *command)
{
    if (!o->only || !command)
        return true;
    size_t len = strlen(command->name);
    for (const char *at = o->only; (at = strstr(at, command->name)); at += len)
        if ((at == o->only || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

const struct option_spec *option_find(const char *name, size_t len)
{
    for (const struct option_spec *o = cli_options; o->name; o++)
        if (len > 0 && strlen(o->name) == len && !memcmp(o->name, name, len))
            return o;
    return NULL;
}

static const struct option_spec *letter_find(char letter)
{
    for (const struct option_spec *o = cli_options; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

// Edit distance, for words short enough to be typed.
static int distance(const char *a, const char *b)
{
    int row[64];
    int n = (int)strlen(b);
    if (n > 62)
        return 99;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int replaced = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int shifted = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = replaced < shifted ? replaced : shifted;
        }
    }
    return row[n];
}

const char *nearest(const char *text, const char *const *list, int n)
{
    const char *best = NULL;
    int best_distance = (int)strlen(text) > 4 ? 3 : 2;
    for (int i = 0; i < n; i++) {
        int d = distance(text, list[i]);
        if (d < best_distance) {
            best_distance = d;
            best = list[i];
        }
    }
    return best;
}

static int unknown_option(const char *word, size_t len, struct error *err)
{
    const char *names[80];
    int n = 0;
    for (const struct option_spec *o = cli_options; o->name && n < 80; o++)
        if (*o->name)
            names[n++] = o->name;
    error_set(err, STATUS_USAGE, EINVAL, "unknown option --%.*s", (int)(len > 60 ? 60 : len), word);
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)len, word);
    const char *near = nearest(name, names, n);
    if (near)
        error_hint(err, "did you mean --%s?", near);
    return -EINVAL;
}

static void give(struct words *w, const struct option_spec *o, const char *value)
{
    w->given[w->ngiven++] = (struct given){o, value};
}

static bool takes_value(const struct option_spec *o)
{
    return o->kind != OPTION_FLAG && o->arg != NULL;
}

static int long_option(struct words *w, char **argv, int *i, struct error *err)
{
    const char *name = argv[*i] + 2;
    size_t len = strcspn(name, "=");
    const struct option_spec *o = option_find(name, len);
    if (!o)
        return unknown_option(name, len, err);
    if (!takes_value(o)) {
        if (name[len] == '=')
            return error_set(err, STATUS_USAGE, EINVAL, "--%s takes no value", o->name);
        give(w, o, NULL);
        return 0;
    }
    const char *value = name[len] == '=' ? name + len + 1 : argv[*i + 1];
    if (!value || (name[len] != '=' && !strcmp(value, "--")))
        return error_set(err, STATUS_USAGE, EINVAL, "--%s needs %s", o->name, o->arg);
    if (name[len] != '=')
        (*i)++;
    give(w, o, value);
    return 0;
}

// -d1s, -d 1s, -v; several flags may share one dash.
static int short_options(struct words *w, char **argv, int *i, struct error *err)
{
    for (const char *at = argv[*i] + 1; *at; at++) {
        const struct option_spec *o = letter_find(*at);
        if (!o)
            return error_set(err, STATUS_USAGE, EINVAL, "unknown option -%c",
                             isprint((unsigned char)*at) ? *at : '?');
        if (!takes_value(o)) {
            give(w, o, NULL);
            continue;
        }
        const char *value = at[1] ? at + 1 : argv[*i + 1];
        if (!value || (!at[1] && !strcmp(value, "--")))
            return error_set(err, STATUS_USAGE, EINVAL, "-%c needs %s", *at, o->arg);
        if (!at[1])
            (*i)++;
        give(w, o, value);
        return 0;
    }
    return 0;
}

static int split_words(struct words *w, int argc, char **argv, struct error *err)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int rc = 0;
        if (!strcmp(word, "--")) {
            w->command = argv + i + 1;
            return *w->command ? 0 : error_set(err, STATUS_USAGE, EINVAL, "-- needs a COMMAND");
        }
        if (!strncmp(word, "--", 2))
            rc = long_option(w, argv, &i, err);
        else if (word[0] == '-' && word[1])
            rc = short_options(w, argv, &i, err);
        else
            w->positional[w->npositional++] = word;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static bool is_digits(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static int set_pid(struct opts *o, const char *text, struct error *err)
{
    errno = 0;
    long pid = strtol(text, NULL, 10);
    if (errno || pid <= 0 || pid > 1 << 30)
        return error_set(err, STATUS_NO_ATTACH, ESRCH, "there is no process %.40s", text);
    o->target = TARGET_PID;
    o->pid = (int)pid;
    return 0;
}

static int set_positional_target(struct opts *o, const char *text, struct error *err)
{
    if (o->target != TARGET_NONE)
        return error_set(err, STATUS_USAGE, EINVAL, "more than one TARGET was given: '%.80s' too",
                         text);
    if (is_digits(text))
        return set_pid(o, text, err);
    if (is_file(text)) {
        o->target = TARGET_RECORDING;
        o->text = text;
        return 0;
    }
    error_set(err, STATUS_USAGE, EINVAL, "'%.200s' is neither a PID nor a file", text);
    error_hint(err, "--name '%.80s' finds processes by name", text);
    return -EINVAL;
}

static int no_target(const struct command *command, struct error *err)
{
    error_set(err, STATUS_USAGE, EINVAL, "%s needs a TARGET", command->name);
    error_hint(err, "a PID, --name GLOB, --all, --cgroup PATH, --unit NAME, a recording, or "
                    "-- COMMAND");
    return -EINVAL;
}

static int apply_target(struct cli *c, const char *text, struct error *err)
{
    struct opts *o = &c->opts;
    int rc = text ? set_positional_target(o, text, err) : 0;
    if (rc < 0)
        return rc;
    if (o->argv && o->target != TARGET_NONE)
        return error_set(err, STATUS_USAGE, EINVAL, "a TARGET and -- COMMAND were both given");
    if (o->argv)
        o->target = TARGET_COMMAND;
    if (o->target == TARGET_NONE && c->command->takes == TAKES_TARGET)
        return no_target(c->command, err);
    if (o->target == TARGET_NONE && c->command->takes == TAKES_TARGET_ALL)
        o->target = TARGET_ALL;
    return 0;
}

static int need_file(const char *path, struct error *err)
{
    if (is_file(path))
        return 0;
    return error_set(err, STATUS_USAGE, EINVAL, "there is no file '%.200s'", path);
}

static int apply_two_files(struct cli *c, const char *const *words, int n, struct error *err)
{
    if (n != 2)
        return error_set(err, STATUS_USAGE, EINVAL, "%s needs two recordings, A and B",
                         c->command->name);
    int rc = need_file(words[0], err);
    rc = rc < 0 ? rc : need_file(words[1], err);
    c->opts.target = TARGET_RECORDING;
    c->opts.text = words[0];
    c->opts.second = words[1];
    return rc;
}

// Whether they exist is the command's to say: the error of a walk tells more.
static int apply_paths(struct cli *c, const char *const *words, int n, struct error *err)
{
    if (c->opts.target != TARGET_NONE || c->opts.argv)
        return error_set(err, STATUS_USAGE, EINVAL, "%s takes paths, no TARGET", c->command->name);
    if (n == 0)
        return error_set(err, STATUS_USAGE, EINVAL, "%s needs a PATH", c->command->name);
    for (int i = 0; i < n; i++)
        add_text(&c->opts.paths, &c->opts.npaths, words[i]);
    return 0;
}

static int apply_positionals(struct cli *c, const char *const *words, int n, struct error *err)
{
    enum cmd_takes takes = c->command->takes;
    if (takes == TAKES_PATHS)
        return apply_paths(c, words, n, err);
    if (takes == TAKES_TWO_FILES)
        return apply_two_files(c, words, n, err);
    if (takes == TAKES_NOTHING || takes == TAKES_RULE) {
        if (c->opts.target != TARGET_NONE || c->opts.argv)
            return error_set(err, STATUS_USAGE, EINVAL, "%s takes no TARGET", c->command->name);
        if (n > (takes == TAKES_RULE))
            return error_set(err, STATUS_USAGE, EINVAL, "%s: one argument too many: '%.80s'",
                             c->command->name, words[n - 1]);
        c->opts.second = n ? words[0] : NULL;
        return 0;
    }
    if (n > 1)
        return error_set(err, STATUS_USAGE, EINVAL, "%s: one argument too many: '%.80s'",
                         c->command->name, words[1]);
    return apply_target(c, n ? words[0] : NULL, err);
}

// The first positional word is the command, unless it is a TARGET of `top`.
static int choose_command(struct cli *c, struct words *w, int *ret_used, struct error *err)
{
    c->command = &commands[0];
    *ret_used = 0;
    if (w->npositional == 0)
        return 0;
    const char *word = w->positional[0];
    if (!strcmp(word, "help")) {
        c->help = true;
        c->command = w->npositional > 1 ? command_find(w->positional[1]) : NULL;
        *ret_used = w->npositional;
        return 0;
    }
    const struct command *found = command_find(word);
    if (found) {
        c->command = found;
        *ret_used = 1;
        return 0;
    }
    if (is_digits(word) || is_file(word))
        return 0;
    const char *names[32];
    int n = 0;
    for (const struct command *k = commands; k->name && n < 32; k++)
        names[n++] = k->name;
    const char *near = nearest(word, names, n);
    error_set(err, STATUS_USAGE, EINVAL, "'%.80s' is neither a command, a PID nor a file", word);
    if (near)
        error_hint(err, "did you mean %s?", near);
    else
        error_hint(err, "loopscope --help lists the commands");
    return -EINVAL;
}

static int apply_options(struct cli *c, const struct words *w, struct error *err)
{
    for (int i = 0; i < w->ngiven; i++) {
        const struct given *g = &w->given[i];
        const char *dashes = *g->option->name ? "--" : "-o";
        if (!option_is_of(g->option, c->command)) {
            error_set(err, STATUS_USAGE, EINVAL, "%s has no option %s%s", c->command->name, dashes,
                      g->option->name);
            error_hint(err, "it is an option of: %s", g->option->only);
            return -EINVAL;
        }
        int rc = option_apply(c, g->option, g->value, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int settle(struct cli *c, struct error *err)
{
    struct opts *o = &c->opts;
    if (o->threshold_ns == OPT_UNSET)
        o->threshold_ns = o->strict ? 25000000 : 100000000;
    if (o->target == TARGET_RECORDING && !strcmp(c->command->name, "record"))
        return error_set(err, STATUS_USAGE, EINVAL, "record takes a live TARGET, not a recording");
    return 0;
}

// Help and version win over whatever else is wrong in what was typed.
static bool asks_help(struct cli *c, const struct words *w)
{
    for (int i = 0; i < w->ngiven; i++) {
        struct error ignored;
        const char *name = w->given[i].option->name;
        if (!strcmp(name, "help") || !strcmp(name, "version"))
            option_apply(c, w->given[i].option, NULL, &ignored);
    }
    if (c->help && w->npositional > 0)
        c->command = command_find(w->positional[0]);
    return c->help || c->version;
}

static int parse(struct cli *c, struct words *w, int argc, char **argv, struct error *err)
{
    int rc = split_words(w, argc, argv, err);
    if (rc < 0 || asks_help(c, w))
        return rc;
    int used;
    rc = choose_command(c, w, &used, err);
    if (rc < 0 || c->help)
        return rc;
    c->opts.argv = w->command;
    rc = apply_options(c, w, err);
    if (rc < 0)
        return rc;
    rc = apply_positionals(c, w->positional + used, w->npositional - used, err);
    return rc < 0 ? rc : settle(c, err);
}

// "-vvv" is three options in one word.
static size_t count_given(int argc, char **argv)
{
    size_t n = 1;
    for (int i = 1; i < argc; i++)
        n += argv[i][0] == '-' ? strlen(argv[i]) : 0;
    return n;
}

int cli_parse(struct cli *c, int argc, char **argv, struct error *err)
{
    *c = (struct cli){.opts = opts_default()};
    struct words w = {.given = calloc(count_given(argc, argv), sizeof(struct given)),
                      .positional = calloc((size_t)argc + 1, sizeof(char *))};
    if (!w.given || !w.positional)
        abort();
    int rc = parse(c, &w, argc, argv, err);
    free(w.positional);
    free(w.given);
    return rc;
}

void cli_finish(struct cli *c)
{
    for (int i = 0; i < c->nfiles; i++)
        free(c->files[i]);
    free(c->files);
    free(c->opts.settings);
    free(c->opts.ignore);
    free(c->opts.allowed);
    free(c->opts.paths);
    *c = (struct cli){0};
}
