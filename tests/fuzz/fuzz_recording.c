// Any bytes as a recording: one clear line, or snapshots that can be shown; never a crash. Give it recordings
// as a corpus: most of SQLite's own doubts are behind them then.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../agent/export/export.h"
#include "../../agent/record/replay.h"

#define MOST 300 // snapshots of one input

static void show(const struct snap *s, FILE *out)
{
    struct export_opts o = {.parts = PART_ALL, .task_state = -1};
    export_json(s, &o, out);
    for (int i = 0; i < s->nevents; i++)
        export_event_json(s, &s->events[i], out);
}

static void play(const char *path, FILE *out)
{
    struct error err = {0};
    struct replay *r;
    struct snap *s;
    if (replay_open(&r, path, &err) < 0) {
        if (err.text[0] == '\0' || strchr(err.text, '\n') || err.status != STATUS_NO_ATTACH)
            abort();
        return;
    }
    for (int i = 0; i < MOST && replay_next(r, &s, &err) == 1; i++) {
        if (i % 16 == 0)
            show(s, out);
        snap_unref(s);
    }
    if (replay_seek(r, replay_length_ns(r) / 2, &err) == 0 && replay_next(r, &s, &err) == 1)
        snap_unref(s);
    replay_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *out;
    char path[64];
    int fd = memfd_create("recording", MFD_CLOEXEC);
    if (!out)
        out = fopen("/dev/null", "w");
    if (fd < 0 || !out || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    play(path, out);
    close(fd);
    return 0;
}
