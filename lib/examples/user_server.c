// The local server of the user-request examples: GET /users/N/profile and /users/N/orders, each after 50 ms.
// User 13 is broken (500), user 17 is never answered. It prints its port, and ends with its standard input.
#include <loopscope/loopscope.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BROKEN_USER 13
#define SILENT_USER 17

static int answer(ls_stream *s, int status, const char *body)
{
    char text[1024];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s",
                     status, status == 200 ? "OK" : "Error", strlen(body), body);
    return ls_write(s, text, (size_t)n, LS_SEC(5));
}

static int answer_user(ls_stream *s, int user, const char *what)
{
    char body[256];
    if (user == SILENT_USER)
        return ls_sleep(LS_SEC(60));
    int r = ls_sleep(LS_MSEC(50));
    if (r < 0)
        return r;
    if (user == BROKEN_USER)
        return answer(s, 500, "{\"error\":\"no such shard\"}");
    if (!strcmp(what, "profile"))
        snprintf(body, sizeof(body), "{\"user\":%d,\"name\":\"user %d\"}", user, user);
    else if (!strcmp(what, "orders"))
        snprintf(body, sizeof(body), "{\"user\":%d,\"orders\":[%d,%d,%d]}", user, user * 3,
                 user * 3 + 1, user * 3 + 2);
    else
        return answer(s, 404, "{}");
    return answer(s, 200, body);
}

static int64_t serve(void *arg)
{
    ls_stream *s = arg;
    char request[1024], line[1024], what[32] = "";
    int user = 0;
    int r = ls_stream_adopt(s);
    if (r < 0)
        return r;
    ssize_t n = ls_read_until(s, request, sizeof(request), '\n', LS_SEC(5));
    while (n > 0 && (n = ls_read_until(s, line, sizeof(line), '\n', LS_SEC(5))) > 2)
        continue; // headers
    if (n <= 0)
        return 0;
    if (sscanf(request, "GET /users/%d/%31[a-z]", &user, what) != 2)
        r = answer(s, 400, "{}");
    else
        r = answer_user(s, user, what);
    return r == -ECANCELED ? r : 0;
}

static int64_t accept_all(void *arg)
{
    ls_group *group;
    ls_stream *s;
    int r = ls_group_open(&group, LS_COLLECT_ALL, 1000);
    while (r == 0 && (r = ls_accept(arg, &s, LS_FOREVER)) == 0) {
        ls_stream_disown(s);
        if (ls_group_spawn(group, serve, s, NULL).id < 0)
            ls_close(s);
    }
    return r;
}

static int64_t run(void *arg)
{
    ls_listener *l;
    int r = ls_tcp_listen(&l, "127.0.0.1", 0, 0);
    (void)arg;
    if (r < 0)
        return r;
    printf("%d\n", ls_listener_port(l));
    fflush(stdout);
    ls_task server = ls_spawn(accept_all, l);
    char byte;
    do
        r = ls_poll_fd(STDIN_FILENO, LS_READABLE, LS_FOREVER);
    while (r > 0 && read(STDIN_FILENO, &byte, 1) > 0);
    ls_cancel(server);
    int64_t ended = ls_await(server);
    return ended == -ECANCELED || ended == -ECHILD ? 0 : ended;
}

int main(void)
{
    int64_t r = ls_run(run, NULL);
    if (r < 0)
        fprintf(stderr, "user_server: %s\n", strerror((int)-r));
    return r < 0;
}
