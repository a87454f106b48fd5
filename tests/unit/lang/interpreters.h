// Which interpreters a test runs on: the list of an environment variable ("a:b:c"), else the
// default.
#ifndef LOOPSCOPE_TEST_INTERPRETERS_H
#define LOOPSCOPE_TEST_INTERPRETERS_H

#include <stdlib.h>
#include <string.h>

// Calls run for each and returns how many there were.
static inline int each_interpreter(const char *variable, const char *otherwise,
                                   void (*run)(const char *program))
{
    const char *value = getenv(variable);
    char *list = strdup(value ? value : otherwise), *rest = NULL;
    int n = 0;
    for (char *p = strtok_r(list, ":", &rest); p; p = strtok_r(NULL, ":", &rest), n++)
        run(p);
    free(list);
    return n;
}

#endif
