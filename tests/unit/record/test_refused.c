// What is not a recording, or no longer one, is refused in one line.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../agent/record/picture.h"
#include "../../../agent/record/record.h"
#include "../../../agent/record/replay.h"
#include "../../../agent/snapshot/arena.h"
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

// A schema that is not ours would run as it is read: these would for hours.
static void foreign_schemas_are_refused(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "DROP TABLE snapshots; CREATE VIEW snapshots(snap,now_ns,is_key,has_rows,picture) AS WITH "
        "RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n,n,1,1,x'00' FROM c",
        "DROP TABLE meta; CREATE VIEW meta(key,value) AS SELECT a.id,b.id FROM texts a,texts b",
        "ALTER TABLE texts ADD COLUMN more AS (instr(text,text))",
        "CREATE TRIGGER t BEFORE UPDATE ON texts BEGIN DELETE FROM texts; END",
        "CREATE INDEX i ON texts(id) WHERE text LIKE '%a%b%c%d%'",
        "CREATE TABLE more(x CHECK(x LIKE '%a%b%c%d%'))",
    };
    struct opts opts = {0};
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct snap *snap = fixture_rich(0);
        sqlite3 *db;
        unlink(path);
        write_all(&snap, 1, &opts);
        snap_unref(snap);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        if (sqlite3_exec(db, changes[i], NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", changes[i], sqlite3_errmsg(db));
        sqlite3_close(db);
        refuse("another build");
    }
    unlink(path);
}

#define LONG_TEXT (4 << 20)
#define ROWS      200

static int64_t name_text(void *arg, const char *text)
{
    (void)arg, (void)text;
    return 1;
}

static int64_t name_stack(void *arg, const struct stack *stack)
{
    (void)arg, (void)stack;
    return 1;
}

static const char *long_text(void *arg, struct snap *into, int64_t id)
{
    (void)id;
    return snap_strdup(into, arg);
}

static struct stack *no_stack(void *arg, struct snap *into, int64_t id)
{
    (void)arg, (void)into, (void)id;
    return NULL;
}

// Some kilobytes of picture that name one long text again and again.
static void a_snapshot_beyond_memory_is_refused(void **state)
{
    (void)state;
    struct snap *s = snap_new(), *back = snap_new();
    struct bytes packed = {0};
    char *text = malloc(LONG_TEXT);
    memset(text, 'x', LONG_TEXT - 1);
    text[LONG_TEXT - 1] = '\0';
    s->ntasks = ROWS;
    s->tasks = snap_alloc(s, sizeof(*s->tasks) * ROWS);
    for (int i = 0; i < ROWS; i++)
        s->tasks[i].name = "name";
    assert_int_equal(
        picture_pack(&packed, s, NULL, &(struct picture_names){name_text, name_stack, NULL}), 0);
    struct reading in = {.at = packed.at, .end = packed.at + packed.n};
    const struct picture_lookup lookup = {long_text, no_stack, text};
    assert_int_equal(picture_unpack(back, NULL, &in, &lookup), -EBADMSG);
    assert_in_range(arena_bytes(back->arena), 200 << 20, 300 << 20);
    snap_unref(s);
    snap_unref(back);
    bytes_free(&packed);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_recording_is_refused),
        cmocka_unit_test(a_missing_folder_is_told),
        cmocka_unit_test(foreign_files_are_not_overwritten),
        cmocka_unit_test(truncated_is_refused),
        cmocka_unit_test(foreign_schemas_are_refused),
        cmocka_unit_test(a_snapshot_beyond_memory_is_refused),
        cmocka_unit_test(damage_never_crashes),
    };
    if (!recording_begin())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    recording_end();
    return failed;
}
