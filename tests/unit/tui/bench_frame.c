// What a frame costs: 500 loops, 100 000 spawn sites, 20 000 descriptors, a new picture each frame; and
// what goes to the terminal for an unchanged screen with moving figures. Status 1 above the limits.
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../tui/term.h"
#include "../../../tui/view.h"

#define LOOPS       500
#define SITES       100000
#define FDS         20000
#define FD_SITES    2000
#define ROWS        2000 // of tasks: as many as are asked for
#define FRAMES      40
#define KEY_FRAMES  5
#define LIMIT_MS    5.0
#define LIMIT_BYTES 2048

static void add_loops(struct snap *s, int tick)
{
    s->nprocesses = s->nloops = LOOPS;
    s->processes = snap_alloc(s, sizeof(*s->processes) * LOOPS);
    s->loops = snap_alloc(s, sizeof(*s->loops) * LOOPS);
    for (int i = 0; i < LOOPS; i++) {
        int *tids = snap_alloc(s, sizeof(int));
        tids[0] = 1000 + i;
        s->processes[i] = (struct snap_process){.pid = 1000 + i,
                                                .name = snap_printf(s, "worker-%d", i),
                                                .runtime = RUNTIME_LIBUV,
                                                .judged = true,
                                                .fd_count = 40 + i,
                                                .fd_limit = 1024,
                                                .nloops = 1,
                                                .loops = tids,
                                                .ntasks = 200};
        struct snap_loop *l = &s->loops[i];
        *l = (struct snap_loop){.pid = 1000 + i,
                                .tid = 1000 + i,
                                .name = "main",
                                .state = LOOP_RUNNING,
                                .judged = true,
                                .turns = 100000 + tick * 997 + i,
                                .busy_ratio = (double)((i * 7 + tick) % 100) / 100,
                                .lag_p50_ns = 100000 + (i + tick) % 70 * 10000,
                                .lag_p90_ns = 900000,
                                .lag_p99_ns = 4000000 + (i * 3 + tick) % 50 * 100000,
                                .lag_max_ns = 90000000};
        for (int k = 0; k < LOOP_SPARK; k++)
            l->spark_ns[k] = 1000000LL * (1 + (k + i + tick) % 90);
    }
}

static void add_sites(struct snap *s, int tick)
{
    s->ntask_sites = SITES;
    s->task_sites = snap_alloc(s, sizeof(*s->task_sites) * SITES);
    for (int i = 0; i < SITES; i++)
        s->task_sites[i] = (struct snap_task_site){
            .pid = 1000 + i % LOOPS,
            .site = snap_printf(s, "/srv/app/module_%d/handler.py:%d", i / 100, i),
            .name = "handle",
            .live = (i * 2654435761u + (unsigned)tick) % 5000,
            .spawned = 10000 + tick,
            .completed = 9000 + tick,
            .growth_per_s = 0.1,
            .oldest_ns = 1000000000LL * (i % 300),
            .mean_ns = 5000000,
            .p99_ns = 90000000};
    s->tasks_total = SITES;
}

static void add_tasks(struct snap *s, int tick)
{
    s->ntasks = ROWS;
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * ROWS);
    for (int i = 0; i < ROWS; i++)
        s->tasks[i] = (struct snap_task){.pid = 1000 + i % LOOPS,
                                         .tid = 1000 + i % LOOPS,
                                         .id = snap_printf(s, "%d", i),
                                         .parent = i > 9 ? snap_printf(s, "%d", i / 10) : NULL,
                                         .name = "handle",
                                         .state = TASK_WAITING,
                                         .age_ns = 1000000LL * (tick * 1000 + i),
                                         .spawn_site = "/srv/app/main.py:12",
                                         .await_site = snap_printf(s, "/srv/app/db.py:%d", i)};
}

static void add_fds(struct snap *s, int tick)
{
    s->nfds = FD_SITES;
    s->fds = snap_alloc(s, sizeof(*s->fds) * FD_SITES);
    for (int i = 0; i < FD_SITES; i++) {
        struct snap_fd_site *f = &s->fds[i];
        *f =
            (struct snap_fd_site){.pid = 1000 + i % LOOPS,
                                  .note = snap_printf(s, "opened at place %d", i * 7919 % FD_SITES),
                                  .kind = "tcp",
                                  .opened = FDS / FD_SITES + tick,
                                  .closed = tick,
                                  .open = FDS / FD_SITES,
                                  .oldest_ns = 1000000000LL * tick,
                                  .growth_per_s = 0.5,
                                  .verdict = "suspect",
                                  .ndetail = FDS / FD_SITES};
        f->detail = snap_alloc(s, sizeof(*f->detail) * FDS / FD_SITES);
        for (int d = 0; d < FDS / FD_SITES; d++)
            f->detail[d] = (struct snap_fd){.fd = d,
                                            .age_ns = 1000000000LL * d,
                                            .idle_ns = SNAP_UNKNOWN,
                                            .rx = d * 10,
                                            .tx = SNAP_UNKNOWN,
                                            .state = "ESTABLISHED",
                                            .target = "tcp 10.0.0.1:443"};
    }
}

static struct snap *big(int tick)
{
    struct snap *s = snap_new();
    s->version = (uint64_t)tick + 1;
    s->started_unix_ns = 1772352000000000000LL;
    s->now_ns = 1000000000LL * tick;
    s->threshold_ns = 100000000;
    s->source = "--all";
    s->agent = (struct snap_agent){.backend = "bpf", .cpu_ratio = 0.004 + tick * 0.0001};
    s->host.hostname = "bench";
    add_loops(s, tick);
    add_sites(s, tick);
    add_tasks(s, tick);
    add_fds(s, tick);
    return s;
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double frame(struct ui *ui, struct canvas *c, struct snap *s, const char *keys)
{
    double begin = cpu_ms();
    ui_snapshot(ui, s);
    for (const char *k = keys; *k; k++)
        ui_key(ui, *k);
    ui_prepare(ui);
    frame_draw(ui, c);
    return cpu_ms() - begin;
}

static void press(struct ui *ui, struct canvas *c, const char *keys, int *tick, double *ret_ms)
{
    for (const char *k = keys; k == keys || k[-1]; k++) { // the first frame without a key
        char key[2] = {k > keys ? k[-1] : '\0', '\0'};
        struct snap *s = big((*tick)++);
        *ret_ms = frame(ui, c, s, key);
        snap_unref(s);
    }
}

static double median(double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof(*ms), compare);
    return ms[n / 2];
}

// CPU of the frame after the last key, which orders from nothing.
static double measure_key(struct canvas *c, const char *keys)
{
    double ms[KEY_FRAMES];
    for (int i = 0, tick = 0; i < KEY_FRAMES; i++) {
        struct ui ui;
        ui_init(&ui);
        ui_resize(&ui, 50, 160);
        press(&ui, c, keys, &tick, &ms[i]);
        ui_finish(&ui);
    }
    return median(ms, KEY_FRAMES);
}

// CPU of a frame with a new picture: take it in, order, draw.
static bool measure_view(const char *name, const char *keys)
{
    struct ui ui;
    struct canvas *c = canvas_new(50, 160, false);
    double ms[FRAMES], first = measure_key(c, keys), unused;
    int tick = 0;
    ui_init(&ui);
    ui_resize(&ui, 50, 160);
    press(&ui, c, keys, &tick, &unused);
    for (int i = 0; i < FRAMES; i++) {
        struct snap *s = big(tick++);
        ms[i] = frame(&ui, c, s, "");
        snap_unref(s);
    }
    canvas_free(c);
    ui_finish(&ui);
    double usual = median(ms, FRAMES);
    printf("%-26s median %5.2f ms, worst %5.2f ms of CPU a frame; after the key %5.2f ms\n", name,
           usual, ms[FRAMES - 1], first);
    return usual <= LIMIT_MS && first <= LIMIT_MS;
}

static void draw_frames(int tick, int n)
{
    struct terminal *t;
    struct error err;
    if (term_open(&t, COLOR_AUTO, &err) < 0)
        _exit(1);
    struct ui ui;
    int rows, cols;
    ui_init(&ui);
    term_size(t, &rows, &cols);
    ui_resize(&ui, rows, cols);
    struct canvas *c = canvas_new(rows, cols, false);
    for (int i = 0; i < n; i++) {
        struct snap *s = big(tick + i);
        s->ntask_sites = 0;
        ui_snapshot(&ui, s);
        ui_prepare(&ui);
        frame_draw(&ui, c);
        term_draw(t, c);
        snap_unref(s);
    }
    _exit(0); // without leaving: only frames are counted
}

static long bytes_of(int frames)
{
    struct winsize w = {.ws_row = 30, .ws_col = 100};
    int master;
    pid_t pid = forkpty(&master, NULL, NULL, &w);
    if (pid == 0) {
        setenv("TERM", "xterm-256color", 1);
        draw_frames(0, frames);
    }
    long sum = 0;
    char buf[4096];
    for (ssize_t n; (n = read(master, buf, sizeof(buf))) > 0;)
        sum += n;
    close(master);
    waitpid(pid, NULL, 0);
    return sum;
}

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    bool good = true;
    printf("%d loops, %d spawn sites, %d descriptors, 160x50\n", LOOPS, SITES, FDS);
    good &= measure_view("overview", "1");
    good &= measure_view("overview, ten minutes", "z");
    good &= measure_view("loop", "2");
    good &= measure_view("tasks by site", "3");
    good &= measure_view("tasks by site, by name", "3sjj\n");
    good &= measure_view("tasks by site, filtered", "3\\module_77\n");
    good &= measure_view("tasks by site, by oldest", "3sjjjjjjjjjj\n");
    good &= measure_view("tasks, flat", "3tt");
    good &= measure_view("tasks, tree", "3t");
    good &= measure_view("fds", "4");
    good &= measure_view("fds, by name", "4sjj\n");
    good &= measure_view("findings", "5");
    long one = bytes_of(1), many = bytes_of(41);
    printf("first frame %ld bytes; an unchanged screen with moving figures %ld bytes a frame\n",
           one, (many - one) / 40);
    good &= (many - one) / 40 <= LIMIT_BYTES;
    return good ? 0 : 1;
}
