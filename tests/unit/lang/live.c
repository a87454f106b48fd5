#include "live.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void begin(struct live *l, bool with_stack)
{
    native_begin(l->native, with_stack ? &l->sample : NULL, 20000);
}

bool live_read_line(struct live *l, char *buf, size_t n)
{
    size_t len = 0;
    while (len + 1 < n) {
        struct pollfd p = {.fd = l->out, .events = POLLIN};
        if (poll(&p, 1, 20000) <= 0 || read(l->out, buf + len, 1) != 1)
            return false;
        if (buf[len++] == '\n')
            break;
    }
    buf[len] = 0;
    return true;
}

static void run_child(const char *const argv[], const int in[2], const int out[2])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

bool live_start(struct live *l, const char *const argv[])
{
    int in[2], out[2];
    char line[128];
    memset(l, 0, sizeof *l);
    if (pipe(in) || pipe(out))
        return false;
    l->pid = fork();
    if (l->pid == 0)
        run_child(argv, in, out);
    close(in[0]);
    close(out[1]);
    l->in = in[1];
    l->out = out[0];
    if (l->pid < 0 || !live_read_line(l, line, sizeof line) || strcmp(line, "READY\n") != 0)
        return false;
    l->capture = capture_open(l->pid);
    l->native = native_open(l->pid);
    return l->capture && l->native;
}

bool live_attach(struct live *l, const char *name)
{
    for (const struct lang *const *p = all_langs; *p; p++) {
        if (strcmp((*p)->name, name) != 0)
            continue;
        begin(l, false);
        l->lang = *p;
        l->self =
            l->lang->attach(native_process(l->native), native_mem(l->native), l->note, l->version);
    }
    return l->self;
}

void live_walk(struct live *l)
{
    l->nframes = 0;
    l->result = (struct lang_result){0};
    if (!capture_take(l->capture, &l->sample, 3000))
        return;
    begin(l, true);
    l->nframes = native_frames(l->native, &l->sample, &l->frames);
    begin(l, true);
    l->lang->walk(l->self, native_mem(l->native), l->pid, l->frames, l->nframes, &l->result);
}

bool live_stall(struct live *l)
{
    char line[128];
    if (write(l->in, "\n", 1) != 1 || !live_read_line(l, line, sizeof line) ||
        sscanf(line, "STALL %63s %d %d", l->function, &l->first_line, &l->last_line) != 3)
        return false;
    usleep(150000);
    live_walk(l);
    return true;
}

void live_tasks(struct live *l, bool gc_walk, int max_rows, struct tasks_answer *ret)
{
    begin(l, false);
    l->lang->tasks(l->self, native_mem(l->native), gc_walk, max_rows, ret);
}

void live_stop(struct live *l)
{
    if (l->self)
        l->lang->detach(l->self);
    native_close(l->native);
    capture_close(l->capture);
    if (l->pid > 0) {
        kill(l->pid, SIGKILL);
        waitpid(l->pid, NULL, 0);
    }
    close(l->in);
    close(l->out);
}

const struct frame *live_culprit(const struct live *l)
{
    for (int i = 0; i < l->result.nframes; i++)
        if (!l->result.frames[i].frame.runtime)
            return &l->result.frames[i].frame;
    return NULL;
}

void live_print(const struct live *l)
{
    char text[1024];
    fprintf(stderr, "%s %s: %d native frames%s%s; wanted %s, lines %d to %d\n", l->lang->name,
            l->version, l->nframes, l->result.torn ? ", torn" : "", l->result.gc ? ", gc" : "",
            l->function, l->first_line, l->last_line);
    for (int i = 0; i < l->nframes; i++)
        fprintf(stderr, "  %#lx %s\n", l->frames[i].pc,
                l->frames[i].symbol ? l->frames[i].symbol : "?");
    for (int i = 0; i < l->result.nframes; i++) {
        const struct frame *f = &l->result.frames[i].frame;
        fprintf(stderr, "  %s%s%s\n", frame_text(f, text, sizeof text),
                f->runtime ? " (runtime)" : "", f->uncertain ? " uncertain" : "");
    }
}
