// The probe as the agent has it, watching the main thread of PID, whose kernel side comes and goes on command: so often
// that what a machine does from one second to the next falls out.
//
// usage: toggle PID     a line "1" or "0" on standard input attaches or detaches; "ok" answers
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../agent/probe/bpf.h"

#define SETTLE_NS (2 * NS_PER_S) // until the loop's wait is known and all is attached

struct toggle {
    struct probe *probe;
    bool trusted;
};

static void on_wait_seen(void *arg, int pid, int tid, const struct probe_wait *waits, int n)
{
    struct toggle *g = arg;
    if (tid == pid && n > 0)
        g->trusted =
            !probe_trust(g->probe, tid, waits[n - 1].kind, waits[n - 1].fd, waits[n - 1].user_pc);
}

static void on_sample(void *arg, const struct probe_sample *s)
{
    (void)arg, (void)s;
}

static void on_turn(void *arg, const struct probe_turn *t)
{
    (void)arg, (void)t;
}

static bool dispatch_until_command(struct toggle *g, int64_t until_ns)
{
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                            {.fd = probe_fd(g->probe), .events = POLLIN}};
    while (now_ns() < until_ns) {
        int64_t wait_ns = probe_interval_ns(g->probe);
        poll(fds, 2, (int)(wait_ns / NS_PER_MS) + 1);
        probe_dispatch(g->probe);
        if (fds[0].revents)
            return true;
    }
    return false;
}

static void detach(struct bpf_backend *b)
{
    bpf_detach(b);
    ticks_close(&b->ticks);
}

static bool attach(struct probe *p)
{
    if (bpf_attach(p->backend))
        return false;
    for (struct thread *t = p->trusted; t; t = t->next_trusted)
        ticks_cover(p, t);
    return true;
}

static int obey(struct toggle *g)
{
    char line[8];
    bool attached = true;
    while (dispatch_until_command(g, INT64_MAX)) {
        if (!fgets(line, sizeof(line), stdin))
            return 0;
        bool wanted = line[0] == '1';
        if (wanted && !attached && !attach(g->probe))
            return 1;
        if (!wanted && attached)
            detach(g->probe->backend);
        attached = wanted;
        puts("ok");
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct probe_callbacks callbacks = {
        .wait_seen = on_wait_seen, .sample = on_sample, .turn = on_turn};
    struct probe_config config = {.backend = BACKEND_BPF, .threshold_ns = 100 * NS_PER_MS};
    struct toggle g = {0};
    struct error err = {0};
    setvbuf(stdin, NULL, _IONBF, 0);
    if (argc != 2)
        return 2;
    if (probe_open(&g.probe, &config, &callbacks, &g, &err) < 0 ||
        probe_add_process(g.probe, atoi(argv[1]), &err) < 0) {
        fprintf(stderr, "toggle: %s\n", err.text);
        return 1;
    }
    dispatch_until_command(&g, now_ns() + SETTLE_NS);
    if (!g.trusted) {
        fprintf(stderr, "toggle: the loop's wait was not seen\n");
        return 1;
    }
    puts("ok");
    fflush(stdout);
    int status = obey(&g);
    probe_close(g.probe);
    return status;
}
