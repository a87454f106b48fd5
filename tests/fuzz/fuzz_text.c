// Bytes as text that is read: files of /proc, a settings file, words of the command line. The first byte says which.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../agent/cli.h"
#include "../../agent/probe/procfs.h"
#include "../../agent/rules/rule.h"
#include "../unit/cli/commands_for_tests.h"

#define MAX_WORDS 12

static void as_stat(char *text)
{
    struct proc_stat stat;
    if (proc_parse_stat(text, &stat) == 0 &&
        strnlen(stat.comm, sizeof(stat.comm)) == sizeof(stat.comm))
        abort();
}

static void as_syscall(char *text)
{
    struct proc_syscall call;
    struct proc_schedstat sched;
    proc_parse_syscall(text, &call);
    proc_parse_schedstat(text, &sched);
}

// What is taken as settings must be what the rules take.
static void judge(struct cli *c)
{
    struct rules *rules;
    struct error err = {0};
    if (rules_new(&rules, c->opts.settings, c->opts.nsettings, c->opts.time_scale, &err) == 0)
        rules_free(rules);
    else if (!err.text[0])
        abort(); // refused without a word
}

static void parse(int argc, char **argv)
{
    struct cli c;
    struct error err = {0};
    if (cli_parse(&c, argc, argv, &err) == 0)
        judge(&c);
    else if (!err.text[0])
        abort();
    cli_finish(&c);
}

static void as_settings_file(char *text)
{
    char path[32];
    int fd = memfd_create("settings", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    char *argv[] = {"loopscope", "check", "1", "-c", path, NULL};
    parse(5, argv);
    close(fd);
}

static void as_words(char *text)
{
    char *argv[MAX_WORDS + 2] = {"loopscope"}, *more = NULL;
    int argc = 1;
    for (char *w = strtok_r(text, "\n", &more); w && argc <= MAX_WORDS;
         w = strtok_r(NULL, "\n", &more))
        if (strcmp(w, "-c") && !strstr(w, "-config") &&
            !strstr(w, "-c/")) // names files of this machine
            argv[argc++] = w;
    parse(argc, argv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(char *) = {as_stat, as_syscall, as_settings_file, as_words};
    if (size < 1)
        return 0;
    char *text = malloc(size);
    if (!text)
        abort();
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))](text);
    free(text);
    return 0;
}
