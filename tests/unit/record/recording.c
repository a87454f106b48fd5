#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recording.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../../agent/export/export.h"
#include "../../../agent/record/record.h"

char folder[] = "/tmp/loopscope-test-record-XXXXXX";
char path[200];
struct error err;

bool recording_begin(void)
{
    if (!mkdtemp(folder))
        return false;
    snprintf(path, sizeof(path), "%s/x.lsr", folder);
    return true;
}

void recording_end(void)
{
    unlink(path);
    rmdir(folder);
}

char *json_of(const struct snap *s)
{
    struct export_opts o = {.parts = PART_ALL, .task_state = -1};
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_int_equal(export_json(s, &o, f), 0);
    for (int i = 0; i < s->nevents; i++)
        export_event_json(s, &s->events[i], f);
    fclose(f);
    return text;
}

void write_all(struct snap **snaps, int n, const struct opts *opts)
{
    struct recorder *r;
    if (record_open(&r, path, opts, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < n; i++)
        if (record_write(r, snaps[i], &err) < 0)
            fail_msg("%s", err.text);
    if (record_close(r, &err) < 0)
        fail_msg("%s", err.text);
}

void free_all(struct snap **snaps, int n)
{
    for (int i = 0; i < n; i++)
        snap_unref(snaps[i]);
}
