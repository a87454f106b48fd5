// Tasks in a program that has a libuv loop and callbacks already. Its timer callback asks a task to do work that would
// take several callbacks; the task's result comes back by a plain function call. Closing in order ends uv_run.
#include <loopscope/loopscope.h>

#include <stdio.h>
#include <string.h>
#include <uv.h>

#define ROUNDS 3

struct program {
    ls_loop *tasks;
    uv_timer_t timer;
    int asked, answered;
};

static void on_tasks_closed(void *ctx)
{
    (void)ctx;
    puts("tasks closed");
}

// Called by a task; a function of the old program.
static void answer(struct program *p, int number, const char *text)
{
    printf("answer %d: %s\n", number, text);
    if (++p->answered == ROUNDS)
        uv_close((uv_handle_t *)&p->timer, NULL);
}

static int64_t look_up(void *arg)
{
    struct program *p = arg;
    char text[64];
    ls_stream *ends[2];
    int number = ++p->asked;
    int r = ls_stream_pair(ends); // a connection to some service, for the example to ourselves
    if (r == 0)
        r = ls_write(ends[1], "found\n", 6, LS_SEC(1));
    if (r == 0)
        r = ls_sleep(LS_MSEC(20));
    if (r == 0)
        r = (int)ls_read_until(ends[0], text, sizeof(text), '\n', LS_SEC(1));
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = 0;
    answer(p, number, text);
    return 0;
}

static void on_timer(uv_timer_t *timer)
{
    struct program *p = timer->data;
    if (p->asked < ROUNDS)
        ls_spawn_detached("look-up", look_up, p); // from a callback: it has no parent
}

int main(void)
{
    struct program p = {0};
    uv_loop_t *uv = uv_default_loop();
    int r = ls_attach(&p.tasks, uv, NULL);
    if (r < 0) {
        fprintf(stderr, "embed: %s\n", strerror(-r));
        return 1;
    }
    uv_timer_init(uv, &p.timer);
    p.timer.data = &p;
    uv_timer_start(&p.timer, on_timer, 10, 30);
    uv_run(uv, UV_RUN_DEFAULT); // until the timer is closed and no task lives
    ls_loop_close(p.tasks, on_tasks_closed, NULL);
    uv_run(uv, UV_RUN_DEFAULT);
    return uv_loop_close(uv) != 0 || p.answered != ROUNDS;
}
