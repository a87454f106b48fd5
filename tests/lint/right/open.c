#include <fcntl.h>
#include <loopscope/loopscope.h>
#include <pthread.h>
#include <unistd.h>

struct door {
    ls_loop *loop;
    ls_event *event;
};

static int64_t copy(void *path)
{
    int fd = ls_own_fd(open(path, O_RDONLY | O_CLOEXEC));
    int mine = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || mine < 0)
        return -1;
    int rc = ls_sleep(LS_SEC(1));
    close(mine);
    return rc;
}

static void wake(void *event)
{
    ls_event_set(event);
}

static void *announce(void *arg)
{
    struct door *door = arg;
    ls_post(door->loop, wake, door->event);
    return NULL;
}

static int64_t run(void *path)
{
    struct door door = {ls_loop_current(), NULL};
    pthread_t thread;
    int64_t rc = ls_event_new(&door.event);
    if (rc < 0 || pthread_create(&thread, NULL, announce, &door))
        return -1;
    pthread_detach(thread);
    rc = ls_event_wait(door.event, LS_SEC(1));
    return rc < 0 ? rc : ls_await(ls_spawn(copy, path));
}

int main(void)
{
    return (int)ls_run(run, "/etc/hostname");
}
