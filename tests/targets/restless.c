// A process that does not stay what it is while the agent looks: it execs itself, forks, exits, or
// starts and ends threads with loops of their own, at moments that a seed decides.
//
// usage: restless exec|fork|exit|threads SEED
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned seed;

static int random_ms(int low, int high)
{
    return low + rand_r(&seed) % (high - low + 1);
}

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

// A loop that turns for a while, with a stall in it now and then.
static void turn(int ms)
{
    struct epoll_event event;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int spent = 0; spent < ms; spent += 5) {
        epoll_wait(epoll, &event, 1, 5);
        if (random_ms(0, 60) == 0)
            sleep_ms(150);
    }
    close(epoll);
}

static void *turn_in_thread(void *data)
{
    turn((int)(long)data);
    return NULL;
}

static void exec_again(char **argv)
{
    char next[32];
    turn(random_ms(20, 400));
    snprintf(next, sizeof next, "%u", seed);
    execl("/proc/self/exe", argv[0], "exec", next, NULL);
    _exit(1);
}

static void fork_again(void)
{
    for (;;) {
        turn(random_ms(10, 200));
        if (fork() == 0) {
            turn(random_ms(10, 300));
            _exit(0);
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

static void churn_threads(void)
{
    for (;;) {
        pthread_t threads[4];
        for (int i = 0; i < 4; i++)
            pthread_create(&threads[i], NULL, turn_in_thread, (void *)(long)random_ms(10, 300));
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "exit";
    seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    alarm(60); // never left behind
    if (!strcmp(mode, "exec"))
        exec_again(argv);
    else if (!strcmp(mode, "fork"))
        fork_again();
    else if (!strcmp(mode, "threads"))
        churn_threads();
    turn(random_ms(200, 2000));
    return 0;
}
