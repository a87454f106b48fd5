#include <fcntl.h>
#include <loopscope/loopscope.h>
#include <pthread.h>
#include <unistd.h>

static int64_t copy(void *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC); // expect: fd-orphan
    if (fd < 0)
        return -1;
    int rc = ls_sleep(LS_SEC(1));
    if (rc < 0)
        return rc;
    close(fd);
    return 0;
}

static int64_t hold(void *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC); // expect: fd-orphan
    return fd < 0 ? -1 : ls_sleep(LS_SEC(1));
}

static void *announce(void *event)
{
    ls_event_set(event); // expect: thread-unsafe
    return NULL;
}

static int64_t run(void *path)
{
    ls_event *event;
    pthread_t thread;
    int64_t rc = ls_event_new(&event);
    if (rc < 0 || pthread_create(&thread, NULL, announce, event))
        return -1;
    pthread_detach(thread);
    rc = ls_event_wait(event, LS_SEC(1));
    rc = rc < 0 ? rc : ls_await(ls_spawn(copy, path));
    return rc < 0 ? rc : ls_await(ls_spawn(hold, path));
}

int main(void)
{
    return (int)ls_run(run, "/etc/hostname");
}
