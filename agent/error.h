// One clear line and at most one hint: what a person reads when something cannot be done.
// Functions return a negative errno and fill this where the cause is known.
#ifndef LOOPSCOPE_ERROR_H
#define LOOPSCOPE_ERROR_H

// The exit statuses of cli.md.
enum status {
    STATUS_CLEAN = 0,
    STATUS_FINDINGS = 1,
    STATUS_USAGE = 2,
    STATUS_NO_ATTACH = 3,
    STATUS_TOO_EARLY = 4,
    STATUS_INTERNAL = 5,
};

struct error {
    enum status status;
    char text[512]; // one line, no newline
    char hint[256]; // one line or empty
};

// Fills e (NULL is fine) and returns -err.
int error_set(struct error *e, enum status status, int err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void error_hint(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
