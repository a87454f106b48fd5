// Any bytes as a recording: one clear line, or snapshots that can be shown; never a crash. Give it recordings
// as a corpus: most of SQLite's own doubts are behind them then.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    static char path[64];
    if (!out) {
        out = fopen("/dev/null", "w");
        snprintf(path, sizeof(path), "/dev/shm/loopscope-fuzz-%d.lsr", (int)getpid());
    }
    FILE *f = fopen(path, "w"); // in memory, but by a name: the library wants one
    if (!out || !f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        abort();
    play(path, out);
    unlink(path);
    return 0;
}
