// gallery --list | NAME [--cured]
#include "gallery.h"

#include <signal.h>

static const struct exhibit *const exhibits[] = {
    &loop_sync_io,         &loop_sync_log,    &loop_cpu,
    &task_never_awaited,   &task_unbounded,   &task_error_unread,
    &task_timeout_runs_on, &task_cancel_leak, &task_cancel_ignored,
    &task_orphan,          &task_fail_rate,   &task_deadlock,
    &task_lost_wake,       &task_stuck,       &task_self_wake,
    &thread_unsafe,        &fd_orphan,        &fd_leak,
    &pool_exhausted,       &child_zombie,
};
static const size_t count = sizeof(exhibits) / sizeof(*exhibits);

void check(int64_t r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "gallery: %s: %s\n", what, strerror((int)-r));
    exit(1);
}

static int list(void)
{
    for (size_t i = 0; i < count; i++)
        printf("%s\t%s\n", exhibits[i]->name, exhibits[i]->text);
    return 0;
}

static int usage(void)
{
    fputs("usage: gallery --list | NAME [--cured]\n", stderr);
    return 2;
}

static int run(const struct exhibit *e, bool cured)
{
    struct ls_options options = {.name = "gallery", .debug = e->debug ? LS_DEBUG_ON : LS_DEBUG_ENV};
    signal(SIGPIPE, SIG_IGN);
    int64_t r = ls_run_with(&options, cured ? e->cured : e->wrong, NULL);
    check(r, e->name);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = NULL;
    bool cured = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list"))
            return list();
        if (!strcmp(argv[i], "--cured"))
            cured = true;
        else if (argv[i][0] == '-' || name)
            return usage();
        else
            name = argv[i];
    }
    for (size_t i = 0; name && i < count; i++)
        if (!strcmp(name, exhibits[i]->name))
            return run(exhibits[i], cured);
    if (!name)
        return usage();
    fprintf(stderr, "gallery: no exhibit \"%s\" (see --list)\n", name);
    return 2;
}
