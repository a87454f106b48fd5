// The child that parses a language by that language's own parser.
//
// Its program is embedded and reaches it as a memory file on standard input, the request as another
// on fd 3: no temporary file, no quoting, no pipe that could fill. It gets PATH and HOME of the
// environment, may write no file and gain no privilege, and ends with us.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -errno;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int memory_file(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int program_file(const struct helper_program *p)
{
    int fd = memory_file("loopscope-lint");
    for (int i = 0; fd >= 0 && i < HELPER_PARTS && p->parts[i][0]; i++) {
        int rc = write_all(fd, p->parts[i][0], (size_t)(p->parts[i][1] - p->parts[i][0]));
        if (rc < 0) {
            close(fd);
            return rc;
        }
    }
    return fd;
}

static void limit(int what, long value)
{
    struct rlimit l = {(rlim_t)value, (rlim_t)value};
    setrlimit(what, &l);
}

static void confine(const struct helper_program *p)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    if (p->memory_max)
        limit(RLIMIT_AS, p->memory_max);
}

static void execute(const struct helper_program *p)
{
    char path[8192], home[4200];
    const char *has_path = getenv("PATH"), *has_home = getenv("HOME");
    snprintf(path, sizeof(path), "PATH=%s", has_path ? has_path : "/usr/bin:/bin");
    snprintf(home, sizeof(home), "HOME=%s", has_home ? has_home : "/");
    char *env[] = {path, home, NULL};
    execvpe(p->argv[0], (char *const *)p->argv, env);
    _exit(127);
}

// In the child. dup2 onto itself would keep O_CLOEXEC, so all go above 9 first.
static void become(const struct helper_program *p, int program, int request, int out)
{
    int from[3] = {fcntl(program, F_DUPFD, 10), fcntl(out, F_DUPFD, 10),
                   fcntl(request, F_DUPFD, 10)};
    const int to[3] = {0, 1, 3};
    for (int i = 0; i < 3; i++) {
        if (lseek(from[i], 0, SEEK_SET) < 0 && errno != ESPIPE)
            _exit(126);
        if (dup2(from[i], to[i]) < 0)
            _exit(126);
        close(from[i]);
    }
    int nothing = open("/dev/null", O_WRONLY);
    if (nothing >= 0)
        dup2(nothing, 2); // what went wrong is told on standard output, or by the status
    confine(p);
    execute(p);
}

static int start(struct helper *h, const struct helper_program *p, int program, int request,
                 struct error *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_set(err, STATUS_INTERNAL, errno, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become(p, program, request, pipe_fds[1]);
    int e = errno;
    close(pipe_fds[1]);
    if (pid < 0) {
        close(pipe_fds[0]);
        return error_set(err, STATUS_INTERNAL, e, "cannot start %s: %s", p->argv[0], strerror(e));
    }
    *h = (struct helper){pid, pipe_fds[0]};
    return 0;
}

int helper_start(struct helper *h, const struct helper_program *p, const char *request, size_t size,
                 struct error *err)
{
    int program = program_file(p), wanted = memory_file("loopscope-lint-request");
    int rc = program < 0 ? program : wanted < 0 ? wanted : write_all(wanted, request, size);
    if (rc < 0)
        error_set(err, STATUS_INTERNAL, -rc, "no memory file: %s", strerror(-rc));
    else
        rc = start(h, p, program, wanted, err);
    if (program >= 0)
        close(program);
    if (wanted >= 0)
        close(wanted);
    return rc;
}

int helper_end(struct helper *h)
{
    int status = 0;
    close(h->out);
    if (waitpid(h->pid, &status, WNOHANG) == 0) {
        kill(h->pid, SIGKILL);
        while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    return status;
}
