// The table of commands: one line each.
#include "cmd.h"

#include <string.h>

const struct command commands[] = {
    {"top", "[TARGET]", "live dashboard: what blocks now, what leaks, which tasks",
     "loopscope                         every process with an event loop\n"
     "loopscope top 4711                one process\n"
     "loopscope top night.lsr           a recording\n"
     "loopscope top 4711 --once         one frame as text\n",
     TAKES_TARGET_OPT, cmd_top},
    {"ps", "[TARGET]", "processes with event loops on this machine",
     "loopscope ps\n"
     "loopscope ps --json | jq '.processes[] | .name'\n",
     TAKES_TARGET_ALL, cmd_ps},
    {"watch", "TARGET", "findings as they open and close, one line each",
     "loopscope watch 4711\n"
     "loopscope watch --name 'node*' --json\n"
     "loopscope watch --all --exec ./notify.sh\n",
     TAKES_TARGET, cmd_watch},
    {"check", "TARGET", "watch for a while, print the findings; the exit status tells",
     "loopscope check 4711 --for 10s\n"
     "loopscope check --fail-on critical --ignore 'loop-sync-log:*access.log*' -- npm test\n"
     "loopscope check 4711 --baseline yesterday.lsr\n",
     TAKES_TARGET, cmd_check},
    {"loops", "TARGET", "table of loops: state, busy, lag",
     "loopscope loops 4711\n"
     "loopscope loops --all --for 5s --json\n",
     TAKES_TARGET, cmd_loops},
    {"tasks", "TARGET", "table of tasks: state, age, where they wait",
     "loopscope tasks 4711 --tree\n"
     "loopscope tasks 4711 --by-site\n"
     "loopscope tasks 4711 --orphans --state waiting\n",
     TAKES_TARGET, cmd_tasks},
    {"fds", "TARGET", "table of descriptors by kind and opening stack",
     "loopscope fds 4711\n"
     "loopscope fds 4711 --fd-stacks --for 1m\n",
     TAKES_TARGET, cmd_fds},
    {"stacks", "TARGET", "the stacks that blocked the loops, heaviest first",
     "loopscope stacks 4711 --for 30s\n"
     "loopscope stacks night.lsr\n",
     TAKES_TARGET, cmd_stacks},
    {"record", "TARGET -o FILE.lsr", "write a recording, until ^C or --for",
     "loopscope record 4711 -o night.lsr\n"
     "loopscope record --all -o flight.lsr --ring 10m\n"
     "loopscope record 4711 -o small.lsr --max-size 50M --redact\n",
     TAKES_TARGET, cmd_record},
    {"report", "TARGET", "one report in a format of your choice",
     "loopscope report night.lsr\n"
     "loopscope report night.lsr --format html -o night.html\n"
     "loopscope report 4711 --for 30s --format folded | flamegraph.pl > blocked.svg\n"
     "loopscope report --json-schema\n",
     TAKES_TARGET_OPT, cmd_report},
    {"diff", "A.lsr B.lsr", "what got better and worse between two recordings; 1: B is worse",
     "loopscope diff before.lsr after.lsr\n", TAKES_TWO_FILES, cmd_diff},
    {"serve", "TARGET", "/metrics, /report.json, /healthz, /events over HTTP",
     "loopscope serve --all\n"
     "loopscope serve 4711 --listen 127.0.0.1:9464\n",
     TAKES_TARGET, cmd_serve},
    {"doctor", "[TARGET]", "what this kernel and these privileges allow, proved by self-test",
     "loopscope doctor\n"
     "loopscope doctor 4711\n",
     TAKES_TARGET_OPT, cmd_doctor},
    {"rules", "[ID]", "the rules, their thresholds and -o keys, remedies",
     "loopscope rules\n"
     "loopscope rules loop-sync-io\n"
     "loopscope rules --json\n",
     TAKES_RULE, cmd_rules},
    {"lint", "PATH...", "the same pitfalls in source, before it runs: Python, C on our runtime",
     "loopscope lint src/\n"
     "loopscope lint app.py --format sarif -o lint.sarif\n"
     "loopscope lint src/ --baseline known.json --ignore 'fd-orphan:*/tests/*'\n"
     "loopscope lint src/ --from night.lsr   what really blocked comes first\n"
     "loopscope lint src/ -o loop-sync-io.call=shop.db.query\n",
     TAKES_PATHS, cmd_lint},
    {0},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}
