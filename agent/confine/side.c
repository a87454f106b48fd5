#include "side.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int side_fork(int *fd, pid_t *pid)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    *pid = fork();
    int err = errno;
    if (*pid == 0) {
        close(pair[0]); // else it would never see the agent's end
        *fd = pair[1];
        return 1;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(pair[1]);
    *fd = pair[0];
    if (*pid > 0)
        return 0;
    close(pair[0]);
    return -err;
}

void side_end(int fd, pid_t pid)
{
    if (fd >= 0)
        close(fd);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

void expect_descriptor(struct msghdr *m, union one_descriptor *control)
{
    m->msg_control = control->space;
    m->msg_controllen = sizeof(control->space);
}

void put_descriptor(struct msghdr *m, union one_descriptor *control, int fd)
{
    *control = (union one_descriptor){0};
    expect_descriptor(m, control);
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    *c = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

int take_descriptor(struct msghdr *m)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}
