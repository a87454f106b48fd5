// The child that parses Python with Python's own parser.
//
// Its program is embedded and reaches it as a memory file on standard input, the request as another
// on fd 3: no temporary file, no quoting, no pipe that could fill. -I keeps the working directory
// and PYTHON* variables out, -S all of site: what lies beside the checked code is never imported.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../export/embed.h"
#include "helper.h"

EMBED(lint_python_tables, LINT_PYTHON "/tables.py");
EMBED(lint_python_model, LINT_PYTHON "/model.py");
EMBED(lint_python_blocking, LINT_PYTHON "/blocking.py");
EMBED(lint_python_tasks, LINT_PYTHON "/tasks.py");
EMBED(lint_python_main, LINT_PYTHON "/main.py");

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

static int program_file(void)
{
    const char *parts[][2] = {
        {lint_python_tables, lint_python_tables_end},
        {lint_python_model, lint_python_model_end},
        {lint_python_blocking, lint_python_blocking_end},
        {lint_python_tasks, lint_python_tasks_end},
        {lint_python_main, lint_python_main_end},
    };
    int fd = memory_file("loopscope-lint");
    for (size_t i = 0; fd >= 0 && i < sizeof(parts) / sizeof(*parts); i++) {
        int rc = write_all(fd, parts[i][0], (size_t)(parts[i][1] - parts[i][0]));
        if (rc < 0) {
            close(fd);
            return rc;
        }
    }
    return fd;
}

// In the child. dup2 onto itself would keep O_CLOEXEC, so all go above 9 first.
static void become_python(int program, int request, int out)
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
    execlp("python3", "python3", "-I", "-S", "-B", "-X", "utf8", "-", (char *)NULL);
    _exit(127);
}

static int start(struct helper *h, int program, int request, struct error *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_set(err, STATUS_INTERNAL, errno, "no pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        become_python(program, request, pipe_fds[1]);
    int e = errno;
    close(pipe_fds[1]);
    if (pid < 0) {
        close(pipe_fds[0]);
        return error_set(err, STATUS_INTERNAL, e, "cannot start python3: %s", strerror(e));
    }
    *h = (struct helper){pid, pipe_fds[0]};
    return 0;
}

int helper_start(struct helper *h, const char *request, size_t size, struct error *err)
{
    int program = program_file(), wanted = memory_file("loopscope-lint-request");
    int rc = program < 0 ? program : wanted < 0 ? wanted : write_all(wanted, request, size);
    if (rc < 0)
        error_set(err, STATUS_INTERNAL, -rc, "no memory file: %s", strerror(-rc));
    else
        rc = start(h, program, wanted, err);
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
