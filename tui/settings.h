// What is remembered between runs. The user's own file, $XDG_CONFIG_HOME/loopscope/config, is only read;
// what the dashboard remembers by itself (sort, columns, view) goes to $XDG_STATE_HOME/loopscope/state.
#ifndef LOOPSCOPE_TUI_SETTINGS_H
#define LOOPSCOPE_TUI_SETTINGS_H

#include "ui.h"

void settings_load(struct ui *ui);      // missing files and unknown lines are fine
int settings_save(const struct ui *ui); // -errno; the old file stays whole when this fails
// A path in the state folder, which is made. NULL: there is no home.
const char *settings_state_path(const char *name, char *buf, size_t size);
// One line "key=value"; false: not understood. For tests.
bool settings_apply(struct ui *ui, const char *line);

#endif
