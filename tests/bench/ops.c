// Programs that the agent does not watch, to measure what they pay for its presence.
//
// usage: ops syscall|switch COUNTER-FILE
// syscall: one thread that does nothing but the cheapest system call
// switch:  two processes on one core that pass a byte to and fro through pipes
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile uint64_t *operations;

static void run_syscalls(void)
{
    for (;;) {
        for (int i = 0; i < 100; i++)
            syscall(SYS_getppid);
        *operations += 100;
    }
}

static void echo(int from, int to)
{
    char c;
    while (read(from, &c, 1) == 1 && write(to, &c, 1) == 1)
        ;
    _exit(0);
}

static void run_switches(void)
{
    int there[2], back[2];
    char c = 0;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one);
    if (pipe(there) || pipe(back))
        exit(1);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo(there[0], back[1]);
    }
    while (write(there[1], &c, 1) == 1 && read(back[0], &c, 1) == 1)
        ++*operations;
}

int main(int argc, char **argv)
{
    int fd = argc == 3 ? open(argv[2], O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 8))
        return 2;
    operations = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (operations == MAP_FAILED)
        return 1;
    if (!strcmp(argv[1], "syscall"))
        run_syscalls();
    else
        run_switches();
    return 0;
}
