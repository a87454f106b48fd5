// A model with a synthetic picture, drawn to text.
#ifndef LOOPSCOPE_TESTS_TUI_SCREEN_H
#define LOOPSCOPE_TESTS_TUI_SCREEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // needs those above

#include "../../../tui/canvas.h"
#include "../../../tui/view.h"
#include "../fixture.h"

void screen_locale(void);                                            // UTF-8, as the widths need
void screen_open(struct ui *ui, struct snap *s, int rows, int cols); // gives its reference away
void screen_keys(struct ui *ui, const char *keys);                   // one key a character
char *screen_text(struct ui *ui, bool ascii);                        // to be freed
char *screen_styles(struct ui *ui);
char *screen_mono(struct ui *ui); // a digit a cell: its look without colours
// Compares with tests/golden/screens/NAME, or writes it when UPDATE_GOLDEN is set.
void screen_golden(const char *name, const char *text);

#endif
