// A TCP echo server: echo_server [PORT]. A task a connection, at most 1000 at once; ^C ends it, after the clients that are
// being served have been cancelled and their sockets closed.
#include <loopscope/loopscope.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CLIENTS 1000
#define IDLE        LS_SEC(60)

static int64_t serve_client(void *arg)
{
    ls_stream *client = arg;
    char buffer[16384];
    ssize_t n;
    int r = ls_stream_adopt(client); // from now on it ends with this task
    while (r == 0 && (n = ls_read(client, buffer, sizeof(buffer), IDLE)) > 0)
        r = ls_write(client, buffer, (size_t)n, IDLE);
    return r == -ECANCELED ? r : 0; // a client that goes away is no failure of ours
}

static int64_t accept_clients(void *arg)
{
    ls_listener *listener = arg;
    ls_group *clients;
    ls_stream *client;
    int r = ls_group_open(&clients, LS_COLLECT_ALL, MAX_CLIENTS);
    if (r < 0)
        return r;
    while ((r = ls_accept(listener, &client, LS_FOREVER)) == 0 || r == -EMFILE) {
        if (r == -EMFILE) {
            ls_sleep(LS_MSEC(100)); // some client will leave
            continue;
        }
        ls_stream_disown(client); // the new task adopts it
        ls_task t = ls_group_spawn(clients, serve_client, client, NULL);
        if (t.id < 0)
            ls_close(client);
    }
    ls_group_cancel(clients);
    ls_group_wait(clients);
    return r;
}

static int64_t run(void *arg)
{
    ls_listener *listener;
    ls_signal *interrupt;
    int r = ls_tcp_listen(&listener, "127.0.0.1", *(uint16_t *)arg, 0);
    if (r == 0)
        r = ls_signal_open(&interrupt, (int[]){SIGINT, SIGTERM}, 2);
    if (r < 0)
        return r;
    printf("listening on 127.0.0.1:%d\n", ls_listener_port(listener));
    fflush(stdout);
    ls_task server = ls_spawn(accept_clients, listener);
    r = ls_signal_wait(interrupt, LS_FOREVER);
    ls_listener_close(listener); // wakes the server: no new clients
    int64_t ended = ls_await_for(server, LS_SEC(5));
    return r < 0 ? r : ended == -EBADF ? 0 : ended;
}

int main(int argc, char **argv)
{
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
    int64_t r = ls_run(run, &port);
    if (r < 0)
        fprintf(stderr, "echo_server: %s\n", strerror((int)-r));
    return r < 0;
}
