// What a client of serve gets over HTTP, and when: a request that has come whole is answered in one turn of the
// agent's loop, for the next may be long in coming.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../../agent/serve/http.h"
#include "../fixture.h"

static char answer[1 << 20];

struct server {
    uv_loop_t loop;
    struct http *http;
    int port;
};

static int free_port(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(here);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
    close(fd);
    return ntohs(here.sin_port);
}

static void start(struct server *s)
{
    char where[32];
    struct error err;
    s->port = free_port();
    snprintf(where, sizeof(where), "127.0.0.1:%d", s->port);
    assert_int_equal(uv_loop_init(&s->loop), 0);
    if (http_open(&s->http, &s->loop, where, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < 3; i++)
        uv_run(&s->loop, UV_RUN_NOWAIT);
}

static void end(struct server *s)
{
    http_close(s->http);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void show(struct server *s, int i)
{
    struct snap *snap = fixture_rich(i);
    http_show(s->http, snap, NULL);
    snap_unref(snap);
}

static int ask(const struct server *s, const char *path, const char *host)
{
    char request[300];
    const struct timeval patience = {.tv_sec = 20};
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)s->port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof(there)), 0);
    assert_int_equal(write(fd, request, (size_t)n), n);
    return fd;
}

// All that has come, without waiting for the server to do more.
static void take(int fd)
{
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, answer + n, sizeof(answer) - 1 - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    close(fd);
}

static const char *status_of(struct server *s, const char *path, const char *host)
{
    int fd = ask(s, path, host);
    uv_run(&s->loop, UV_RUN_NOWAIT);
    take(fd);
    answer[strcspn(answer, "\r")] = '\0';
    return answer;
}

static void body_of(struct server *s, const char *path)
{
    int fd = ask(s, path, "localhost");
    uv_run(&s->loop, UV_RUN_NOWAIT);
    take(fd);
    char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    memmove(answer, body, strlen(body) + 1);
}

static void one_turn_answers(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    show(&s, 0);
    int one = ask(&s, "/metrics", "127.0.0.1"), two = ask(&s, "/report.json", "127.0.0.1");
    uv_run(&s.loop, UV_RUN_NOWAIT);
    take(one);
    assert_non_null(strstr(answer, "200 OK"));
    assert_non_null(strstr(answer, "loopscope_loop_iterations_total{"));
    take(two);
    assert_non_null(strstr(answer, "200 OK"));
    assert_int_equal(answer[strlen(answer) - 2], '}'); // whole
    end(&s);
}

static void each_snapshot_has_its_documents(void **state)
{
    (void)state;
    struct server s;
    static char first[sizeof(answer)];
    start(&s);
    show(&s, 0);
    body_of(&s, "/report.json");
    strcpy(first, answer);
    body_of(&s, "/report.json");
    assert_string_equal(answer, first);
    int begun = ask(&s, "/report.json", "localhost");
    uv_run(&s.loop, UV_RUN_NOWAIT); // on its way, not taken yet
    show(&s, 1);
    body_of(&s, "/report.json");
    assert_string_not_equal(answer, first);
    take(begun);
    assert_string_equal(strstr(answer, "\r\n\r\n"), first);
    end(&s);
}

static void only_this_machines_names_are_answered(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1",      "127.0.0.1:9464", "127.1.2.3", "localhost",
                                       "LOCALHOST:9464", "[::1]",          "[::1]:9464"};
    static const char *const bad[] = {"127.0.0.1.example.org",
                                      "127.example.org:9464",
                                      "localhost.example.org",
                                      "localhostile",
                                      "example.org",
                                      "[::1",
                                      "[::1]example.org",
                                      "[::2]",
                                      "128.0.0.1",
                                      ":9464"};
    struct server s;
    start(&s);
    show(&s, 0);
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_string_equal(status_of(&s, "/metrics", good[i]), "HTTP/1.1 200 OK");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_string_equal(status_of(&s, "/metrics", bad[i]), "HTTP/1.1 403 Forbidden");
    end(&s);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    struct server s;
    start(&s);
    assert_string_equal(status_of(&s, "/healthz", "localhost"), "HTTP/1.1 200 OK"); // starting
    assert_string_equal(status_of(&s, "/metrics", "localhost"), "HTTP/1.1 503 Service Unavailable");
    assert_string_equal(status_of(&s, "/etc/passwd", "localhost"), "HTTP/1.1 404 Not Found");
    show(&s, 0);
    assert_string_equal(status_of(&s, "/healthz", "localhost"), "HTTP/1.1 200 OK");
    http_ended(s.http);
    assert_string_equal(status_of(&s, "/healthz", "localhost"), "HTTP/1.1 503 Service Unavailable");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_turn_answers),
        cmocka_unit_test(each_snapshot_has_its_documents),
        cmocka_unit_test(only_this_machines_names_are_answered),
        cmocka_unit_test(what_is_not_there_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
