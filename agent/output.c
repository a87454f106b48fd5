#include "output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "rules/rule.h"

static int failed(const char *path, int err)
{
    struct error e;
    error_set(&e, STATUS_INTERNAL, err, "cannot write %.300s: %s", path, strerror(err));
    cli_error(&e);
    return STATUS_INTERNAL;
}

// A reader that has seen enough (| head) is no failure. The writers only know that some write failed.
static bool reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

static int to_stdout(const struct export_format *format, const struct snap *s,
                     const struct export_opts *o)
{
    if (format->binary && isatty(STDOUT_FILENO)) {
        struct error e;
        error_set(&e, STATUS_USAGE, EINVAL, "%s is not for a terminal", format->name);
        error_hint(&e, "write it to a file with -o FILE");
        cli_error(&e);
        return STATUS_USAGE;
    }
    int rc = format->write(s, o, stdout);
    if (rc == 0 && fflush(stdout) != 0)
        rc = -errno;
    return rc < 0 && !reader_gone() ? failed("to stdout", -rc) : 0;
}

// What is read would be gone before it is written.
static bool is_the_recording(const struct opts *opts)
{
    struct stat in, out;
    return opts->target == TARGET_RECORDING && stat(opts->text, &in) == 0 &&
           stat(opts->output, &out) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static int refused(const char *path)
{
    struct error e;
    error_set(&e, STATUS_USAGE, EINVAL, "-o %.300s: that is the recording itself", path);
    cli_error(&e);
    return STATUS_USAGE;
}

#define MAX_RULES 128

int output_snapshot(const struct opts *opts, const struct snap *s, struct export_opts *o)
{
    const char *rules[MAX_RULES + 1] = {0};
    for (int i = 0; i < MAX_RULES && all_rules[i]; i++)
        rules[i] = all_rules[i]->id;
    o->rules = rules;
    o->fail_on = opts->fail_on;
    const char *name = opts->format ? opts->format : opts->json ? "json" : "text";
    const struct export_format *format = export_find(name);
    if (!opts->output)
        return to_stdout(format, s, o);
    if (is_the_recording(opts))
        return refused(opts->output);
    o->color = false;
    FILE *out = fopen(opts->output, "we");
    if (!out)
        return failed(opts->output, errno);
    int rc = format->write(s, o, out);
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    return rc < 0 ? failed(opts->output, -rc) : 0;
}
