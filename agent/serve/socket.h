// Snapshots to other dashboards over a Unix socket (wire.h). Who may connect: root, the agent's own user,
// and users that were named; the kernel says who it is (SO_PEERCRED). A client that does not read is cut
// off rather than waited for.
#ifndef LOOPSCOPE_SERVE_SOCKET_H
#define LOOPSCOPE_SERVE_SOCKET_H

#include <sys/types.h>
#include <uv.h>

#include "../error.h"
#include "../snapshot/snapshot.h"
#include "../wish.h"

struct socket_server;

struct socket_hooks {
    void (*wish)(void *arg, const struct wishes *w); // the newest of any client; they expire
    void (*look)(void *arg);                         // somebody wants a snapshot now
    void *arg;
};

// allowed: these users too; the file is for its owner alone (0600) when there are none. A socket that
// nobody listens on any more is replaced, any other file refused.
int socket_open(struct socket_server **ret, uv_loop_t *loop, const char *path, const uid_t *allowed,
                int nallowed, const struct socket_hooks *hooks, struct error *err);
void socket_show(struct socket_server *s, struct snap *snap);
// Tells the clients why it ends (NULL: the agent ends), removes the file; freed within the loop.
void socket_close(struct socket_server *s, const char *why);

#endif
