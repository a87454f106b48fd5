#include "gallery.h"

#include <fcntl.h>

#define KEPT    256
#define KEEP_NS LS_SEC(120)

static struct kept {
    int fd;
    int64_t since;
} kept[KEPT];
static unsigned next_kept;

int spool_open(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

void spool_forget(int fd)
{
    int64_t now = ls_now();
    for (int i = 0; i < KEPT; i++) {
        if (kept[i].since && now - kept[i].since > KEEP_NS) {
            close(kept[i].fd);
            kept[i].since = 0;
        }
    }
    struct kept *k = &kept[next_kept++ % KEPT];
    if (k->since)
        close(k->fd);
    *k = (struct kept){fd, now};
}
