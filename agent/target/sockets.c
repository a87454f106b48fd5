// TCP and UDP peers come from /proc/PID/net, which shows the target's own network namespace; a unix
// socket's peer only from the kernel's socket diagnosis, asked by inode (it answers for our
// namespace).
#include "sockets.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procfs.h"

#define LINES_MAX 100000 // of a table: a busy host's is longer, and not worth the time

// An address as /proc/net prints it: 8 or 32 hex digits of words in host order, a colon, the port.
static bool parse_address(const char *text, char *buf, size_t size)
{
    uint32_t words[4];
    size_t n = strcspn(text, ":");
    unsigned port = (unsigned)strtoul(text[n] ? text + n + 1 : "0", NULL, 16);
    if (n != 8 && n != 32)
        return false;
    for (size_t i = 0; i < n / 8; i++) {
        char hex[9] = {0};
        memcpy(hex, text + i * 8, 8);
        words[i] = (uint32_t)strtoul(hex, NULL, 16);
    }
    char host[INET6_ADDRSTRLEN];
    if (!inet_ntop(n == 8 ? AF_INET : AF_INET6, words, host, sizeof(host)) || !port)
        return false;
    snprintf(buf, size, n == 8 ? "%s:%u" : "[%s]:%u", host, port);
    return true;
}

static bool inet_peer(int pid, const char *table, unsigned long inode, char *buf, size_t size)
{
    char path[64], line[512], local[80], remote[80], address[80];
    snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, table);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool found = false;
    for (int i = 0; !found && i < LINES_MAX && fgets(line, sizeof(line), f); i++) {
        unsigned long ino;
        if (sscanf(line, " %*d: %79s %79s %*x %*s %*s %*s %*u %*u %lu", local, remote, &ino) == 3 &&
            ino == inode) {
            found = true;
            if (parse_address(remote, address, sizeof(address)))
                snprintf(buf, size, "%.3s %s", table, address);
            else if (parse_address(local, address, sizeof(address)))
                snprintf(buf, size, "%.3s listening on %s", table, address);
            else
                found = false;
            break;
        }
    }
    fclose(f);
    return found;
}

struct unix_answer {
    uint32_t peer; // inode; 0 none
    char name[128];
};

static void read_unix_attributes(const struct nlmsghdr *h, struct unix_answer *ret)
{
    const struct unix_diag_msg *msg = NLMSG_DATA(h);
    int left = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)));
    for (struct rtattr *a = (struct rtattr *)(msg + 1); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= 4)
            memcpy(&ret->peer, RTA_DATA(a), 4);
        if (a->rta_type != UNIX_DIAG_NAME || !RTA_PAYLOAD(a))
            continue;
        size_t n = RTA_PAYLOAD(a) < sizeof(ret->name) - 1 ? RTA_PAYLOAD(a) : sizeof(ret->name) - 1;
        memcpy(ret->name, RTA_DATA(a), n);
        ret->name[n] = '\0';
        if (!ret->name[0])
            ret->name[0] = '@'; // abstract
    }
}

static bool unix_ask(int nl, uint32_t inode, struct unix_answer *ret)
{
    struct {
        struct nlmsghdr h;
        struct unix_diag_req r;
    } ask = {.h = {.nlmsg_len = sizeof(ask),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
             .r = {.sdiag_family = AF_UNIX,
                   .udiag_states = ~0u,
                   .udiag_ino = inode,
                   .udiag_cookie = {~0u, ~0u},
                   .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER}};
    _Alignas(struct nlmsghdr) char buf[4096];
    memset(ret, 0, sizeof(*ret));
    if (send(nl, &ask, sizeof(ask), 0) < 0)
        return false;
    ssize_t n = recv(nl, buf, sizeof(buf), 0);
    struct nlmsghdr *h = (struct nlmsghdr *)buf;
    if (n < 0 || !NLMSG_OK(h, (size_t)n) || h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    read_unix_attributes(h, ret);
    return true;
}

static bool unix_peer(unsigned long inode, char *buf, size_t size)
{
    struct unix_answer own, peer;
    int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (nl < 0)
        return false;
    struct timeval limit = {.tv_usec = 50000};
    setsockopt(nl, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    bool known = unix_ask(nl, (uint32_t)inode, &own);
    if (known && own.peer && unix_ask(nl, own.peer, &peer) && peer.name[0])
        snprintf(buf, size, "unix %s", peer.name);
    else if (known)
        snprintf(buf, size, "unix %s", own.name[0] ? own.name : "socket");
    close(nl);
    return known;
}

const char *socket_peer(int pid, unsigned long inode, char *buf, size_t size)
{
    static const char *const tables[] = {"tcp", "tcp6", "udp", "udp6"};
    if (unix_peer(inode, buf, size))
        return buf;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        if (inet_peer(pid, tables[i], inode, buf, size))
            return buf;
    return NULL;
}
