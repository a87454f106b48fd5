// The logger and the metrics: what is written is valid, complete, and counted when it is not.
#include "io_test.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>

static char path[64];

static char *read_log(void)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = 0;
    fclose(f);
    unlink(path);
    return text;
}

static ls_logger *open_log(size_t queue)
{
    ls_logger *log;
    snprintf(path, sizeof(path), "/tmp/ls-test-log-%d", getpid());
    unlink(path);
    struct ls_logger_options o = {.path = path, .level = LS_LOG_INFO, .queue_bytes = queue};
    assert_int_equal(ls_logger_new(&log, &o), 0);
    return log;
}

TEST(records_are_json_with_task_and_fields)
{
    ls_logger *log = open_log(0);
    struct ls_logger_stats stats;
    ls_set_name(ls_self(), "main \"one\"");
    assert_int_equal(ls_log(log, LS_LOG_DEBUG, "below the level"), 0);
    assert_int_equal(ls_log(log, LS_LOG_WARN, "order\ndone \xff", ls_int("id", -7),
                            ls_uint("u", UINT64_MAX), ls_double("d", 0.5), ls_double("n", NAN),
                            ls_bool("ok", true), ls_str("none", NULL), ls_error(-ECONNRESET)),
                     0);
    assert_int_equal(ls_log_flush(log, LS_SEC(30)), 0);
    assert_int_equal(ls_logger_get_stats(log, &stats), 0);
    assert_int_equal(stats.written, 1);
    assert_int_equal(stats.queued_bytes, 0);
    assert_int_equal(ls_logger_free(log, LS_SEC(30)), 0);
    const char *text = read_log();
    assert_non_null(strstr(text, "\"level\":\"warn\",\"message\":\"order\\ndone \xef\xbf\xbd\""));
    assert_non_null(strstr(text, "\"task_name\":\"main \\\"one\\\"\",\"id\":-7,"
                                 "\"u\":18446744073709551615,\"d\":0.5,\"n\":null,\"ok\":true,"
                                 "\"none\":null,\"error\":\"ECONNRESET\"}\n"));
    assert_int_equal(strlen(text), stats.bytes);
}

TEST(a_record_that_is_too_long_is_cut_at_a_field)
{
    ls_logger *log = open_log(0);
    static char huge[10000];
    memset(huge, 'x', sizeof(huge) - 1);
    assert_int_equal(ls_log(log, LS_LOG_INFO, "long", ls_str("huge", huge), ls_int("after", 1)), 0);
    assert_int_equal(ls_logger_free(log, LS_SEC(30)), 0);
    const char *text = read_log();
    assert_non_null(strstr(text, ",\"after\":1,\"cut\":true}\n"));
    assert_null(strstr(text, "xxx"));
}

struct told {
    size_t lines, notes, dropped;
};

static struct told count_told(const char *text)
{
    struct told t = {0};
    for (const char *c = text; *c; c++)
        t.lines += *c == '\n';
    for (const char *c = text; (c = strstr(c, "\"dropped\":")); t.notes++) {
        c += strlen("\"dropped\":");
        t.dropped += strtoul(c, NULL, 10);
    }
    return t;
}

TEST(a_full_queue_drops_counts_and_says_so)
{
    int fds[2];
    ls_logger *log;
    struct ls_logger_stats stats;
    static char text[1 << 18];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETPIPE_SZ, 4096);
    struct ls_logger_options o = {.fd = fds[1], .queue_bytes = 2000};
    assert_int_equal(ls_logger_new(&log, &o), 0);
    int accepted = 0, refused = 0;
    for (int i = 0; i < 500; i++) { // nobody reads: should it block, it blocks for ever
        int r = ls_log(log, LS_LOG_INFO, "nobody reads this", ls_int("i", i));
        accepted += r == 0;
        refused += r == -EAGAIN;
    }
    assert_true(refused > 0);
    assert_int_equal(accepted + refused, 500);
    size_t length = 0;
    struct told t = {0};
    while ((t.lines < (size_t)accepted + t.notes || t.dropped < (size_t)refused) &&
           length < sizeof(text) - 1 && ls_poll_fd(fds[0], LS_READABLE, LS_SEC(20)) > 0) {
        length += (size_t)read(fds[0], text + length, sizeof(text) - 1 - length);
        text[length] = 0;
        t = count_told(text);
    }
    assert_int_equal(t.dropped, refused);
    assert_int_equal(t.lines, (size_t)accepted + t.notes);
    assert_int_equal(ls_logger_get_stats(log, &stats), 0);
    assert_int_equal(stats.dropped, refused);
    assert_int_equal(stats.written, accepted);
    assert_int_equal(ls_logger_free(log, LS_SEC(30)), 0);
    close(fds[0]);
    close(fds[1]);
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 1000; i++)
        ls_log(arg, LS_LOG_INFO, "from a thread", ls_int("i", i));
    return NULL;
}

TEST(any_thread_may_log)
{
    ls_logger *log = open_log(4 << 20);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, log_many, log);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ls_log_flush(log, LS_SEC(30)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(ls_logger_free(log, LS_SEC(30)), 0);
    size_t lines = 0;
    for (const char *c = read_log(); *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 4000);
}

static void exit_writes_what_is_queued(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/ls-test-log-%d", getpid());
    unlink(path);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        ls_logger *log;
        fclose(stdout);
        if (ls_logger_new(&log, &(struct ls_logger_options){.path = path}) < 0)
            _exit(1);
        for (int i = 0; i < 1000; i++)
            ls_log(log, LS_LOG_INFO, "last words", ls_int("i", i));
        exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_non_null(strstr(read_log(), "\"i\":999}\n"));
}

// ---- metrics ----

static int64_t ends_with(void *arg)
{
    int r = ls_sleep(LS_MSEC(2));
    return r < 0 ? r : (intptr_t)arg;
}

static void spawn_some(int good, int bad)
{
    for (int i = 0; i < good + bad; i++) {
        int64_t r = ls_await(ls_spawn(ends_with, (void *)(intptr_t)(i < good ? 0 : -EIO)));
        assert_int_equal(r, i < good ? 0 : -EIO);
    }
}

TEST(figures_by_loop_and_by_site)
{
    struct ls_metrics m;
    struct ls_site_metrics sites[16];
    int64_t began = ls_now();
    spawn_some(3, 1);
    int64_t took = ls_now() - began;
    assert_int_equal(ls_metrics_get(&m), 0);
    assert_int_equal(m.created, 5); // and the main task
    assert_int_equal(m.completed, 3);
    assert_int_equal(m.failed, 1);
    assert_int_equal(m.live, 1);
    assert_true(m.turns > 0 && m.busy_ns > 0);
    int n = ls_metrics_sites(sites, 16), found = 0;
    for (int i = 0; i < n; i++) {
        if (!sites[i].site || !sites[i].site->label || strcmp(sites[i].site->label, "ends_with"))
            continue;
        found++;
        assert_int_equal(sites[i].created, 4);
        assert_true(fabs(sites[i].success_ratio - 0.75) < 1e-9);
        assert_true(sites[i].mean_ns >= LS_MSEC(2) && sites[i].mean_ns * 4 <= took + LS_MSEC(1));
        assert_true(sites[i].p99_ns >= sites[i].mean_ns && sites[i].max_ns >= sites[i].p99_ns);
    }
    assert_int_equal(found, 1);
}

TEST(tasks_that_wait_for_their_turn_are_counted)
{
    struct ls_metrics m;
    assert_int_equal(ls_metrics_get(&m), 0);
    assert_int_equal(m.ready, 0);
    ls_task first = ls_spawn(ends_with, NULL), second = ls_spawn(ends_with, NULL);
    assert_int_equal(ls_metrics_get(&m), 0);
    assert_int_equal(m.ready, 2);
    assert_int_equal(ls_await(first), 0);
    assert_int_equal(ls_await(second), 0);
    assert_int_equal(ls_metrics_get(&m), 0);
    assert_int_equal(m.ready, 0);
}

TEST(metrics_render_as_json_and_openmetrics)
{
    char *text;
    spawn_some(2, 1);
    ssize_t n = ls_metrics_render(LS_METRICS_JSON, &text);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(text, "{\"schema\":\"loopscope-runtime/1\",", 32);
    assert_non_null(strstr(text, "\"task\":\"ends_with\""));
    assert_string_equal(text + n - 3, "]}\n");
    free(text);
    n = ls_metrics_render(LS_METRICS_OPENMETRICS, &text);
    assert_int_equal(n, strlen(text));
    assert_non_null(strstr(text, "# TYPE loopscope_tasks_spawned counter\n"));
    assert_non_null(strstr(text, "loopscope_tasks_spawned_total{loop=\"\"} 4\n"));
    assert_non_null(strstr(text, "how=\"failed\"} 1\n"));
    assert_non_null(strstr(text, "# UNIT loopscope_task_duration_seconds seconds\n"));
    assert_non_null(strstr(text, ",le=\"+Inf\"} 3\n"));
    assert_string_equal(text + n - 6, "# EOF\n");
    free(text);
}

static int alerts;
static struct ls_alert last_alert;

static void on_alert(const struct ls_alert *alert, void *ctx)
{
    (void)ctx;
    assert_int_equal(ls_self().id, 0);
    alerts++;
    last_alert = *alert;
}

TEST(an_alert_comes_once_a_window)
{
    struct ls_alert_options o = {.failures = 3, .window_ns = LS_SEC(100)};
    alerts = 0;
    assert_int_equal(ls_on_alert(ls_loop_current(), on_alert, NULL, &o), 0);
    spawn_some(5, 3);
    assert_int_equal(alerts, 0);
    spawn_some(0, 1);
    assert_int_equal(alerts, 1);
    assert_int_equal(last_alert.failures, 4);
    assert_int_equal(last_alert.error, -EIO);
    assert_string_equal(last_alert.site->label, "ends_with");
    spawn_some(0, 5);
    assert_int_equal(alerts, 1);
    o.window_ns = LS_MSEC(5); // each takes 2 ms: never four in 5 ms
    assert_int_equal(ls_on_alert(ls_loop_current(), on_alert, NULL, &o), 0);
    spawn_some(0, 8);
    assert_int_equal(alerts, 1);
    assert_int_equal(ls_on_alert(ls_loop_current(), NULL, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_writes_what_is_queued), // forks: before there are threads
        cmocka_unit_test(records_are_json_with_task_and_fields),
        cmocka_unit_test(a_record_that_is_too_long_is_cut_at_a_field),
        cmocka_unit_test(a_full_queue_drops_counts_and_says_so),
        cmocka_unit_test(any_thread_may_log),
        cmocka_unit_test(figures_by_loop_and_by_site),
        cmocka_unit_test(tasks_that_wait_for_their_turn_are_counted),
        cmocka_unit_test(metrics_render_as_json_and_openmetrics),
        cmocka_unit_test(an_alert_comes_once_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
