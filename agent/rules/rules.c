#include <string.h>

#include "engine.h"

// Rules that name a stall come first, the most specific of them first of all.
const struct rule *const all_rules[] = {
    &rule_loop_sync_log,
    &rule_loop_sync_io,
    &rule_loop_lock,
    &rule_loop_starved,
    &rule_loop_cpu,
    &rule_loop_blocked,
    &rule_loop_hung,
    &rule_loop_saturated,
    &rule_loop_spin,
    &rule_pool_exhausted,
    &rule_task_unbounded,
    &rule_task_orphan,
    &rule_task_timeout_runs_on,
    &rule_task_cancel_ignored,
    &rule_task_cancel_leak,
    &rule_task_never_awaited,
    &rule_task_error_unread,
    &rule_task_fail_rate,
    &rule_task_deadlock,
    &rule_task_lost_wake,
    &rule_task_stuck,
    &rule_task_self_wake,
    &rule_thread_unsafe,
    &rule_fd_leak,
    &rule_fd_orphan,
    &rule_fd_close_wait,
    &rule_fd_limit,
    &rule_handle_leak,
    &rule_child_zombie,
    &rule_self_degraded,
    NULL,
};

const struct rule *rule_find(const char *id)
{
    for (int i = 0; all_rules[i]; i++)
        if (strcmp(all_rules[i]->id, id) == 0)
            return all_rules[i];
    return NULL;
}

void rules_judge(struct rules *r, struct snap *s)
{
    r->now = s;
    stalls_judge(r);
    for (int i = 0; all_rules[i]; i++)
        if (all_rules[i]->check)
            all_rules[i]->check(r, all_rules[i], s);
    held_forget(r, false);
    recent_forget(r, false);
    store_close_quiet(r);
    store_output(r);
    r->now = NULL;
}
