// The command line, parsed: what every command and the session are told. Lifetime: main's.
#ifndef LOOPSCOPE_OPTS_H
#define LOOPSCOPE_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

#define OPT_UNSET  INT64_MIN
#define FAIL_NEVER 3

struct confinement;

enum target_kind {
    TARGET_NONE,
    TARGET_PID,
    TARGET_NAME, // glob over comm, exe base name, script base name
    TARGET_ALL,
    TARGET_CGROUP,
    TARGET_UNIT,
    TARGET_COMMAND, // argv
    TARGET_RECORDING,
    TARGET_SOCKET, // text: what another agent sees
};

enum backend { BACKEND_AUTO, BACKEND_BPF, BACKEND_PROC };
enum color { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct opts {
    enum target_kind target;
    int pid;
    const char *text;     // NAME's glob, CGROUP's path, UNIT's name, RECORDING's file
    char **argv;          // COMMAND, NULL terminated
    const char **paths;   // lint's
    int npaths;
    const char *second;   // a further positional argument (diff's B, rules' ID)
    int64_t for_ns;       // OPT_UNSET: the command's default
    int64_t threshold_ns; // 100 ms unless --threshold, 25 ms with --strict
    int64_t delay_ns;     // top -d
    double time_scale;
    enum backend backend;
    enum color color;
    bool json, exact, native, gc_walk, verbose, strict;
    bool once, plain, ascii; // top
    bool tree, by_site, orphans, fd_stacks, handles, thread_checks, json_schema, rejudge, redact, cured;
    const char *state, *format, *output, *listen, *socket, *exec, *baseline;
    uint32_t *allowed; // --allow-uid, --allow-user
    int nallowed;
    const char *from; // lint: a recording
    int64_t max_bytes; // --max-size; 0: no limit
    int64_t ring_ns;   // --ring; 0: keep all
    int fail_on;       // enum severity, or FAIL_NEVER
    struct confinement *confinement; // what is given up once attached; NULL nothing. main's
    int nsettings;
    const char **settings; // "rule.key=value" of -o and -c, in order
    int nignore;
    const char **ignore; // RULE[:GLOB]
};

// The documented defaults, before any option.
struct opts opts_default(void);

// A duration of cli.md: "1.5s", "100ms", bare number = seconds. -EINVAL for anything else.
int parse_duration(const char *text, int64_t *ret_ns);

#endif
