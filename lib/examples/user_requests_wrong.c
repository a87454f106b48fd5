// THE WRONG WAY, to be looked at with loopscope: user_requests_wrong PORT [USERS]. For each user a profile and the orders are
// fetched and analysed: one after the other, with blocking calls, computing on the loop, and no look at errors.
// user_requests_right.c does the same work well.
#include <loopscope/loopscope.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint16_t port;
static int users = 12;
static unsigned heartbeats;

static void get(int user, const char *what, char *body, size_t size)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[4096];
    size_t length = 0;
    int n = snprintf(text, sizeof(text), "GET /users/%d/%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     user, what);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&a, sizeof(a));
    if (write(fd, text, (size_t)n) < 0)
        return; // and the descriptor stays
    ssize_t got;
    while (length < sizeof(text) - 1 &&
           (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    text[length] = 0;
    const char *start = strstr(text, "\r\n\r\n");
    snprintf(body, size, "%s", start ? start + 4 : "");
    close(fd);
}

static unsigned analyse(const char *profile, const char *orders)
{
    unsigned hash = 5381;
    for (int round = 0; round < 600000; round++) {
        for (const char *c = profile; *c; c++)
            hash = hash * 33 + (unsigned char)*c;
        for (const char *c = orders; *c; c++)
            hash = hash * 33 + (unsigned char)*c;
    }
    return hash;
}

static int64_t beat(void *arg)
{
    while (ls_sleep(LS_MSEC(10)) == 0)
        heartbeats++;
    return (intptr_t)arg;
}

static int64_t run(void *arg)
{
    char profile[1024], orders[1024];
    int64_t began = ls_now();
    ls_task heart = ls_spawn(beat, arg); // whatever else the program should do meanwhile
    for (int user = 1; user <= users; user++) {
        get(user, "profile", profile, sizeof(profile));
        get(user, "orders", orders, sizeof(orders));
        printf("user %d: %08x\n", user, analyse(profile, orders));
        ls_yield();
    }
    ls_cancel(heart);
    int64_t r = ls_await(heart);
    printf("%d users in %.0f ms; heartbeats: %u\n", users, (double)(ls_now() - began) / 1e6,
           heartbeats);
    return r;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: user_requests_wrong PORT [USERS]\n");
        return 2;
    }
    port = (uint16_t)atoi(argv[1]);
    if (argc > 2)
        users = atoi(argv[2]);
    return ls_run(run, NULL) < 0;
}
