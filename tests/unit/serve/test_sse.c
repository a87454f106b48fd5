// Who reads gets every event; who does not is cut off and holds up nobody; at the end all are let go.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../agent/serve/sse.h"
#include "../fixture.h"

#define LOOKS 2000 // of 10 ms: more than any machine takes

struct server {
    struct MHD_Daemon *daemon;
    struct sse *sse;
    int port;
};

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **kept)
{
    static int seen;
    (void)url, (void)method, (void)version, (void)data, (void)size;
    if (!*kept) {
        *kept = &seen;
        return MHD_YES;
    }
    return sse_connect(arg, connection);
}

static struct server start(void)
{
    struct server s = {.sse = sse_new()};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s.daemon = MHD_start_daemon(MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, s.sse,
                                MHD_OPTION_SOCK_ADDR, &here, MHD_OPTION_END);
    assert_non_null(s.daemon);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s.daemon, MHD_DAEMON_INFO_BIND_PORT);
    assert_non_null(info);
    s.port = info->port;
    return s;
}

static void end(struct server *s)
{
    MHD_stop_daemon(s->daemon);
    sse_free(s->sse);
}

static void serve_a_moment(struct server *s)
{
    MHD_run_wait(s->daemon, 10);
}

static int ask(const struct server *s, int buffer)
{
    static const char request[] = "GET /events HTTP/1.1\r\nHost: here\r\n\r\n";
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)s->port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof(there)), 0);
    assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
    return fd;
}

// Reads what there is: bytes, 0 the end, -1 nothing yet, -2 cut off.
static ssize_t take(int fd, char *buf, size_t max)
{
    ssize_t n = recv(fd, buf, max, MSG_DONTWAIT);
    return n >= 0 ? n : errno == EAGAIN ? -1 : -2;
}

// Whether `word` comes.
static bool told(struct server *s, int fd, const char *word)
{
    static char text[1 << 16];
    size_t n = 0;
    for (int i = 0; i < LOOKS; i++) {
        serve_a_moment(s);
        ssize_t got = take(fd, text + n, sizeof(text) - 1 - n);
        if (got == 0 || got == -2)
            return false;
        n += got > 0 ? (size_t)got : 0;
        text[n] = '\0';
        if (strstr(text, word))
            return true;
        if (n == sizeof(text) - 1)
            n = 0;
    }
    return false;
}

// Whether the connection ends.
static bool ends(struct server *s, int fd)
{
    static char text[1 << 16];
    for (int i = 0; i < LOOKS; i++) {
        serve_a_moment(s);
        ssize_t got;
        while ((got = take(fd, text, sizeof(text))) > 0)
            ;
        if (got != -1)
            return true;
    }
    return false;
}

static void who_reads_is_told(void **state)
{
    (void)state;
    struct server s = start();
    struct snap *snap = fixture_rich(0);
    assert_true(snap->nevents > 0);
    assert_false(sse_send(s.sse, snap)); // nobody is there
    int fd = ask(&s, 0);
    assert_true(told(&s, fd, "text/event-stream"));
    assert_true(sse_send(s.sse, snap));
    assert_true(told(&s, fd, "\ndata: {"));
    snap->nevents = 0;
    assert_false(sse_send(s.sse, snap));
    close(fd);
    snap_unref(snap);
    sse_end(s.sse);
    end(&s);
}

static void who_does_not_read_is_cut_off(void **state)
{
    (void)state;
    struct server s = start();
    struct snap *snap = fixture_rich(0);
    int slow = ask(&s, 4096), quick = ask(&s, 0);
    assert_true(told(&s, quick, "text/event-stream"));
    static char text[1 << 16];
    bool cut = false;
    for (int i = 0; i < 100000 && !cut; i++) {
        sse_send(s.sse, snap);
        MHD_run_wait(s.daemon, 0);
        while (take(quick, text, sizeof(text)) > 0)
            ;
        struct pollfd p = {.fd = slow};
        cut = poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
    }
    assert_true(cut);
    assert_true(sse_send(s.sse, snap)); // the other goes on
    assert_true(told(&s, quick, "event"));
    close(slow);
    close(quick);
    snap_unref(snap);
    sse_end(s.sse);
    end(&s);
}

static void all_are_let_go_at_the_end(void **state)
{
    (void)state;
    struct server s = start();
    int fd = ask(&s, 0);
    assert_true(told(&s, fd, "text/event-stream"));
    sse_end(s.sse);
    assert_true(told(&s, fd, "0\r\n\r\n")); // the last chunk
    int late = ask(&s, 0);
    assert_true(ends(&s, late)); // refused, not kept waiting
    close(fd);
    close(late);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reads_is_told),
        cmocka_unit_test(who_does_not_read_is_cut_off),
        cmocka_unit_test(all_are_let_go_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
