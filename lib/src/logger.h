// A log record as a line of JSON.
#ifndef LS_LOGGER_H
#define LS_LOGGER_H

#include "internal.h"

#define LOG_LINE 4096 // longer ones are cut, and say so ("cut":true)

// The size of the line, its newline included. line has LOG_LINE bytes.
size_t ls__log_format(char *line, const struct ls_site *site, enum ls_level level,
                      const char *message, va_list fields);
size_t ls__log_dropped(char *line, uint64_t n);

#endif
