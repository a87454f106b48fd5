// The dashboard. Everything it shows comes from a source's snapshots.
#ifndef LOOPSCOPE_TUI_H
#define LOOPSCOPE_TUI_H

#include "../agent/opts.h"

// `loopscope top`: runs until the user leaves. Returns an exit status of cli.md.
int tui_run(const struct opts *opts);
// `top --once`, `--plain` and pipes: frames as text on stdout.
int tui_once(const struct opts *opts);

#endif
