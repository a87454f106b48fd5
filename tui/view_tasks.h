// What the two files of the task view share.
#ifndef LOOPSCOPE_TUI_VIEW_TASKS_H
#define LOOPSCOPE_TUI_VIEW_TASKS_H

#include "view.h"

uint64_t task_site_id(int pid, const char *site);
void task_lines(const struct ui *ui, int index, int width, struct lines *out);

#endif
