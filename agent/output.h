// Where a whole export goes: stdout or --output, in --format, --json or text.
#ifndef LOOPSCOPE_OUTPUT_H
#define LOOPSCOPE_OUTPUT_H

#include "export/export.h"
#include "opts.h"

// 0 or an exit status, the error printed.
int output_snapshot(const struct opts *opts, const struct snap *s, struct export_opts *o);

#endif
