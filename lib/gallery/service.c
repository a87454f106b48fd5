#include "gallery.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

struct service {
    int fd, delay_ms;
};

static void answer(int fd, int delay_ms)
{
    char request[256];
    struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000L};
    if (read(fd, request, sizeof(request)) > 0) {
        nanosleep(&delay, NULL);
        if (write(fd, "ok\n", 3) < 0)
            perror("gallery: service");
    }
    close(fd);
}

static void *serve(void *arg)
{
    const struct service *s = arg;
    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd >= 0)
            answer(fd, s->delay_ms);
    }
    return NULL;
}

uint16_t service_start(int delay_ms)
{
    static struct service s;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    pthread_t thread;
    s.delay_ms = delay_ms;
    s.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s.fd < 0 || bind(s.fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s.fd, 64) < 0 ||
        getsockname(s.fd, (struct sockaddr *)&a, &size) < 0)
        check(-errno, "service");
    check(-pthread_create(&thread, NULL, serve, &s), "service");
    pthread_detach(thread);
    return ntohs(a.sin_port);
}
