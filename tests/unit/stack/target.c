#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void wait_ready(int fd)
{
    char c;
    ssize_t n;
    do
        n = read(fd, &c, 1);
    while ((n < 0 && errno == EINTR) || (n == 1 && c != '\n'));
    if (n != 1)
        die("the target ended before it was ready");
}

struct target_process start_program(char *const argv[], bool wait)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(fds[1], STDOUT_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    close(fds[1]);
    if (wait)
        wait_ready(fds[0]);
    return (struct target_process){pid, pid, fds[0]};
}

struct target_process start_fixture(const char *name, const char *mode)
{
    char self[4096], path[8192];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf(path, sizeof(path), "%s/%s", dirname(self), name);
    char *const argv[] = {path, (char *)mode, NULL};
    return start_program(argv, true);
}

void stop_target(struct target_process *t)
{
    kill(t->pid, SIGKILL);
    waitpid(t->pid, NULL, 0);
    close(t->output);
}

static void to_regs(const struct user_regs_struct *u, struct ls_regs *r)
{
    *r = (struct ls_regs){.r15 = u->r15,
                          .r14 = u->r14,
                          .r13 = u->r13,
                          .r12 = u->r12,
                          .bp = u->rbp,
                          .bx = u->rbx,
                          .r11 = u->r11,
                          .r10 = u->r10,
                          .r9 = u->r9,
                          .r8 = u->r8,
                          .ax = u->rax,
                          .cx = u->rcx,
                          .dx = u->rdx,
                          .si = u->rsi,
                          .di = u->rdi,
                          .orig_ax = u->orig_rax,
                          .ip = u->rip,
                          .cs = u->cs,
                          .flags = u->eflags,
                          .sp = u->rsp,
                          .ss = u->ss};
}

static size_t read_stack(pid_t pid, uint64_t sp, uint8_t *buf, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, buf, size, (off_t)sp);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

void capture(const struct target_process *t, struct capture *c, size_t bytes)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_SEIZE, t->tid, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) != 0 ||
        waitpid(t->tid, NULL, __WALL) != t->tid || ptrace(PTRACE_GETREGS, t->tid, 0, &regs) != 0)
        die("ptrace");
    c->request = (struct stack_request){.pid = t->pid, .tid = t->tid, .stack = c->stack};
    to_regs(&regs, &c->request.regs);
    c->request.stack_base = regs.rsp;
    c->request.stack_len =
        read_stack(t->pid, regs.rsp, c->stack, bytes < CAPTURE_BYTES ? bytes : CAPTURE_BYTES);
    if (ptrace(PTRACE_DETACH, t->tid, 0, 0) != 0)
        die("detach");
}
