// What each thread has open, and its dice.
#include "torture.h"

#include <unistd.h>

#define KEPT_MAX 400

static __thread int kept[KEPT_MAX], nkept;
static __thread unsigned dice;

unsigned chance(unsigned below)
{
    if (dice == 0)
        dice = (unsigned)gettid() * 7919 + 1;
    dice = dice * 1103515245 + 12345;
    return (dice >> 8) % below;
}

bool coin(void)
{
    return chance(2);
}

int keep(int fd)
{
    if (fd < 0)
        return fd;
    if (nkept < KEPT_MAX)
        kept[nkept++] = fd;
    else
        close(fd);
    return fd;
}

int keep_two(int ok, int *fds)
{
    if (ok != 0)
        return -1;
    keep(fds[0]);
    return keep(fds[1]);
}

int any_kept(void)
{
    return nkept ? kept[chance((unsigned)nkept)] : -1;
}

int take_kept(void)
{
    if (nkept == 0)
        return -1;
    int i = (int)chance((unsigned)nkept), fd = kept[i];
    kept[i] = kept[--nkept];
    return fd;
}

int kept_count(void)
{
    return nkept;
}

bool is_kept(int fd)
{
    for (int i = 0; i < nkept; i++)
        if (kept[i] == fd)
            return true;
    return false;
}

void forget_kept(int from, int to)
{
    int n = 0;
    for (int i = 0; i < nkept; i++)
        if (kept[i] < from || kept[i] > to)
            kept[n++] = kept[i];
    nkept = n;
}
