// What is not a recording, or no longer one, is refused in one line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../agent/record/record.h"
#include "../../../agent/record/replay.h"
#include "../fixture.h"
#include "recording.h"

static void refuse(const char *part)
{
    struct replay *r = NULL;
    assert_true(replay_open(&r, path, &err) < 0);
    assert_null(r);
    assert_int_equal(err.status, STATUS_NO_ATTACH);
    assert_null(strchr(err.text, '\n'));
    if (!strstr(err.text, part))
        fail_msg("'%s' does not say '%s'", err.text, part);
}

static void put_file(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    fwrite(bytes, 1, n, f);
    fclose(f);
}

static void what_is_no_recording_is_refused(void **state)
{
    (void)state;
    sqlite3 *db;
    unlink(path);
    refuse("No such file");
    put_file("", 0);
    refuse("not a loopscope recording");
    put_file("#!/bin/sh\n", 10);
    refuse("not a loopscope recording");
    unlink(path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, "CREATE TABLE x(y)", NULL, NULL, NULL);
    sqlite3_close(db);
    refuse("not a loopscope recording");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA application_id=0x4c535231; PRAGMA user_version=2", NULL, NULL, NULL);
    sqlite3_close(db);
    refuse("damaged");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "CREATE TABLE meta(key,value); INSERT INTO meta VALUES('layout','0')", NULL,
                 NULL, NULL);
    sqlite3_close(db);
    refuse("another build");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA user_version=1", NULL, NULL, NULL);
    sqlite3_close(db);
    refuse("older");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL);
    sqlite3_close(db);
    refuse("newer");
}

static void a_missing_folder_is_told(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct recorder *r;
    assert_true(record_open(&r, "/no/such/folder/x.lsr", &opts, &err) < 0);
    assert_string_equal(err.text,
                        "/no/such/folder/x.lsr: cannot be created: No such file or directory");
}

static void foreign_files_are_not_overwritten(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct recorder *r;
    put_file("precious", 8);
    assert_true(record_open(&r, path, &opts, &err) < 0);
    assert_int_equal(err.status, STATUS_USAGE);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 8);
    unlink(path);
}

static void truncated_is_refused(void **state)
{
    (void)state;
    struct opts opts = {0};
    struct snap *snap = fixture_rich(0);
    struct stat st;
    write_all(&snap, 1, &opts);
    snap_unref(snap);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 4096), 0);
    refuse("cut short");
    assert_int_equal(truncate(path, 50), 0);
    refuse("not a loopscope recording");
}

// Any damage ends in a clear line or in snapshots, never in a crash (run under ASan).
static void damage_never_crashes(void **state)
{
    (void)state;
    struct opts opts = {0};
    unlink(path);
    struct snap *snaps[3] = {fixture_rich(0), fixture_rich(1), fixture_rich(2)};
    write_all(snaps, 3, &opts);
    free_all(snaps, 3);
    FILE *f = fopen(path, "r");
    static unsigned char good[1 << 20], bad[1 << 20];
    size_t n = fread(good, 1, sizeof(good), f);
    fclose(f);
    srand(7);
    for (int round = 0; round < 400; round++) {
        memcpy(bad, good, n);
        int hits = 1 + rand() % 20;
        for (int i = 0; i < hits; i++)
            bad[100 + (size_t)rand() % (n - 100)] = (unsigned char)rand();
        put_file(bad, n);
        struct replay *r = NULL;
        struct snap *s;
        if (replay_open(&r, path, &err) < 0) {
            assert_int_equal(err.status, STATUS_NO_ATTACH);
            continue;
        }
        int rc;
        while ((rc = replay_next(r, &s, &err)) > 0) {
            free(json_of(s));
            snap_unref(s);
        }
        replay_close(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(a_missing_folder_is_told),
        cmocka_unit_test(foreign_files_are_not_overwritten),
        cmocka_unit_test(truncated_is_refused),
        cmocka_unit_test(damage_never_crashes),
    };
    if (!recording_begin())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    recording_end();
    return failed;
}
