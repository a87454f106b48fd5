// The terminal: shows a canvas, gives keys. term.c is the only file that knows curses.
//
// One terminal a process. Between term_open and term_close the fatal signals are guarded: the terminal
// is put back as it was before the signal goes its way.
#ifndef LOOPSCOPE_TUI_TERM_H
#define LOOPSCOPE_TUI_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "../agent/error.h"
#include "../agent/opts.h"
#include "canvas.h"

struct terminal;

struct term_event {
    int key;  // K_NONE: a click
    int y, x; // of a click
};

// Fails when there is no terminal that can be drawn on (dumb, unknown, no keyboard).
int term_open(struct terminal **ret, enum color color, struct error *err);
void term_close(struct terminal *t);   // NULL is fine
int term_fd(const struct terminal *t); // of the keys
void term_size(const struct terminal *t, int *rows, int *cols);
void term_mono(struct terminal *t, bool mono); // no colours for now, whatever the flags say
void term_resized(struct terminal *t);         // after SIGWINCH
void term_draw(struct terminal *t, const struct canvas *c);
// false: nothing more to read now.
bool term_read(struct terminal *t, struct term_event *ret);
void term_redraw(struct terminal *t);  // the next draw paints everything
void term_suspend(struct terminal *t); // gives the terminal back; term_redraw takes it again
// To the terminal's clipboard (OSC 52); at most 64 KB. The text must be clean.
void term_copy(struct terminal *t, const char *text, size_t size);

// term_guard.c. Saves the state of fd's terminal; `leave` are the bytes that end full-screen mode.
void guard_install(int fd, const char *leave, size_t size);
void guard_remove(void);

#endif
