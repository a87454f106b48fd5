// A blocking call to a service in a task: the whole loop waits for the answer.
#include "gallery.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static uint16_t port;

static int fetch_blocking(void)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r = -1;
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && write(fd, "profile\n", 8) == 8 &&
        read(fd, answer, sizeof(answer)) > 0)
        r = 0;
    close(fd);
    return r < 0 ? -EIO : 0;
}

static int fetch(void)
{
    struct ls_scope scope = ls_scope_begin();
    ls_stream *s;
    char answer[64];
    int r = ls_tcp_connect(&s, "127.0.0.1", port, LS_SEC(2));
    if (r == 0)
        r = ls_write(s, "profile\n", 8, LS_SEC(2));
    if (r == 0)
        r = (int)ls_read_until(s, answer, sizeof(answer), '\n', LS_SEC(2));
    ls_scope_end(scope);
    return r;
}

static int64_t wrong(void *arg)
{
    (void)arg;
    port = service_start(300);
    while (ls_check() == 0) {
        check(ls_sleep(LS_MSEC(500)), "sleep");
        check(fetch_blocking(), "fetch");
    }
    return ls_check();
}

static int64_t cured(void *arg)
{
    (void)arg;
    port = service_start(300);
    while (ls_check() == 0) {
        check(ls_sleep(LS_MSEC(500)), "sleep");
        check(fetch(), "fetch");
    }
    return ls_check();
}

const struct exhibit loop_sync_io = {"loop-sync-io",
                                     "a task waits for a service's answer with a blocking read",
                                     wrong, cured, false};
