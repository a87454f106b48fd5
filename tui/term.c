// A canvas on ncurses, keys and clicks from it.
//
// Only cells that differ from what was drawn before are given to curses, and curses sends only what
// differs from the screen, in one doupdate: little goes over a slow line, and nothing flickers.
#include "term.h"
#include "keys.h" // before <term.h>, which takes key_* for macros

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>
#include <wchar.h>

#define CLIPBOARD_MAX (64 * 1024)
#define ESC_DELAY_MS  25

struct terminal {
    SCREEN *screen;
    FILE *in; // NULL: stdin
    bool color;
    bool mono;          // for now, by the user's wish
    struct cell *drawn; // what curses was last given; NULL: draw all
    int rows, cols;
    attr_t attributes[STYLE_COUNT];
    short pairs[STYLE_COUNT];
    short match_pair;
};

// Colours by meaning: the terminal's own 8, on its own background. 256 only for heat. How styles look without
// colours is in canvas.c.
static const struct look_in_color {
    short color, rich; // -1: the default; rich: of 256
    attr_t with;
} looks[STYLE_COUNT] = {
    [STYLE_TEXT] = {-1, -1, A_NORMAL},
    [STYLE_DIM] = {-1, -1, A_DIM},
    [STYLE_STRONG] = {-1, -1, A_BOLD},
    [STYLE_CRITICAL] = {COLOR_RED, -1, A_BOLD},
    [STYLE_WARNING] = {COLOR_YELLOW, -1, A_NORMAL},
    [STYLE_INFO] = {-1, -1, A_NORMAL},
    [STYLE_OK] = {COLOR_GREEN, -1, A_NORMAL},
    [STYLE_SCOPE] = {COLOR_CYAN, -1, A_NORMAL},
    [STYLE_HEADER] = {-1, -1, A_BOLD | A_UNDERLINE},
    [STYLE_TAB] = {-1, -1, A_BOLD | A_REVERSE},
    [STYLE_KEY] = {-1, -1, A_BOLD},
    [STYLE_KEY_LABEL] = {-1, -1, A_REVERSE},
    [STYLE_DISABLED] = {-1, -1, A_DIM},
    [STYLE_BANNER] = {COLOR_YELLOW, -1, A_BOLD | A_REVERSE},
    [STYLE_HEAT1] = {-1, 72, A_NORMAL},
    [STYLE_HEAT2] = {-1, 179, A_NORMAL},
    [STYLE_HEAT3] = {COLOR_YELLOW, 208, A_NORMAL},
    [STYLE_HEAT4] = {COLOR_RED, 196, A_BOLD},
};

static attr_t mono_attributes(unsigned style)
{
    unsigned look = style_mono(style);
    return (look & LOOK_BOLD ? A_BOLD : 0) | (look & LOOK_UNDERLINE ? A_UNDERLINE : 0) |
           (look & LOOK_REVERSE ? A_REVERSE : 0);
}

static bool wants_color(enum color color)
{
    const char *no = getenv("NO_COLOR");
    if (color != COLOR_AUTO)
        return color == COLOR_ALWAYS;
    return !(no && *no);
}

static void make_looks(struct terminal *t)
{
    bool color = t->color && !t->mono;
    memset(t->pairs, 0, sizeof(t->pairs));
    for (int i = 0; i < STYLE_COUNT; i++) {
        short fg = COLORS >= 256 && looks[i].rich >= 0 ? looks[i].rich : looks[i].color;
        t->attributes[i] = looks[i].with;
        if (color && fg >= 0 && init_pair((short)(i + 1), fg, -1) == OK)
            t->pairs[i] = (short)(i + 1);
    }
    t->match_pair = STYLE_COUNT + 1;
    if (!color || init_pair(t->match_pair, COLOR_BLACK, COLOR_YELLOW) != OK)
        t->match_pair = 0;
}

static void set_modes(struct terminal *t, enum color color)
{
    raw(); // ^C, ^Z and ^\ are keys: leaving and suspending put the terminal back first
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(ESC_DELAY_MS);
    curs_set(0);
    leaveok(stdscr, TRUE);
    mouseinterval(0);
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    t->color = wants_color(color) && has_colors();
    if (t->color && (start_color() != OK || use_default_colors() != OK))
        t->color = false;
    make_looks(t);
}

// What ends full-screen mode, for a handler that may not call curses.
static void guard_with_leave_sequence(void)
{
    static const char *const capabilities[] = {"sgr0", "rmkx", "cnorm", "rmcup"};
    static const char mouse_off[] = "\033[?1000l\033[?1006l";
    char leave[256];
    size_t n = 0;
    const char *mouse = tigetstr("kmous");
    if (mouse && mouse != (char *)-1) {
        memcpy(leave, mouse_off, sizeof(mouse_off) - 1);
        n = sizeof(mouse_off) - 1;
    }
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
        const char *s = tigetstr(capabilities[i]);
        size_t len = s && s != (char *)-1 ? strlen(s) : 0;
        if (len > 0 && n + len < sizeof(leave) && !strchr(s, '$')) { // no padding
            memcpy(leave + n, s, len);
            n += len;
        }
    }
    guard_install(STDOUT_FILENO, leave, n);
}

static int open_keys(struct terminal *t, struct error *err)
{
    if (isatty(STDIN_FILENO))
        return 0;
    t->in = fopen("/dev/tty", "re");
    if (!t->in)
        return error_set(err, STATUS_USAGE, ENOTTY, "there is no terminal to read keys from");
    return 0;
}

int term_open(struct terminal **ret, enum color color, struct error *err)
{
    const char *name = getenv("TERM");
    int rc;
    if (!name || !*name || strcmp(name, "dumb") == 0)
        return error_set(err, STATUS_USAGE, ENOTTY, "this terminal (TERM=%s) cannot be drawn on",
                         name ? name : "");
    struct terminal *t = calloc(1, sizeof(*t));
    if (!t)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    rc = open_keys(t, err);
    if (rc < 0)
        goto free_terminal;
    int errret;
    if (setupterm(name, STDOUT_FILENO, &errret) == OK)
        guard_with_leave_sequence(); // before curses changes anything
    t->screen = newterm(name, stdout, t->in ? t->in : stdin);
    if (!t->screen) {
        rc = error_set(err, STATUS_USAGE, ENOTTY, "the terminal type %s is not known", name);
        error_hint(err, "set TERM to one that is, or take --plain");
        goto close_keys;
    }
    set_modes(t, color);
    getmaxyx(stdscr, t->rows, t->cols);
    *ret = t;
    return 0;

close_keys:
    guard_remove();
    if (t->in)
        fclose(t->in);
free_terminal:
    free(t);
    return rc;
}

void term_close(struct terminal *t)
{
    if (!t)
        return;
    endwin();
    delscreen(t->screen);
    guard_remove();
    if (t->in)
        fclose(t->in);
    free(t->drawn);
    free(t);
}

int term_fd(const struct terminal *t)
{
    return t->in ? fileno(t->in) : STDIN_FILENO;
}

void term_size(const struct terminal *t, int *rows, int *cols)
{
    *rows = t->rows;
    *cols = t->cols;
}

void term_redraw(struct terminal *t)
{
    free(t->drawn);
    t->drawn = NULL;
    clearok(curscr, TRUE);
}

void term_mono(struct terminal *t, bool mono)
{
    if (t->mono == mono)
        return;
    t->mono = mono;
    make_looks(t);
    term_redraw(t);
}

void term_resized(struct terminal *t)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0 || w.ws_row == 0 || w.ws_col == 0)
        return;
    resizeterm(w.ws_row, w.ws_col);
    getmaxyx(stdscr, t->rows, t->cols);
    term_redraw(t);
}

void term_suspend(struct terminal *t)
{
    (void)t;
    endwin();
}

static void put_cell(struct terminal *t, int y, int x, const struct cell *cell)
{
    wchar_t text[3] = {(wchar_t)cell->ch, (wchar_t)cell->mark, 0};
    unsigned style = cell->style & 0x3f;
    attr_t attributes = t->attributes[style];
    short pair = t->pairs[style];
    if (cell->style & STYLE_SELECTED)
        attributes ^= A_REVERSE;
    if (cell->style & STYLE_MATCH) {
        attributes |= A_BOLD | (t->match_pair ? 0 : A_UNDERLINE | A_REVERSE);
        pair = t->match_pair;
    }
    if (!t->color || t->mono)
        attributes = mono_attributes(cell->style);
    cchar_t c;
    if (setcchar(&c, text, attributes, pair, NULL) == OK)
        mvadd_wch(y, x, &c); // fails, harmlessly, after writing the last cell of the screen
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->ch == b->ch && a->mark == b->mark && a->style == b->style && a->width == b->width;
}

void term_draw(struct terminal *t, const struct canvas *c)
{
    if (c->rows != t->rows || c->cols != t->cols)
        return; // of the size before: the next frame fits
    size_t size = sizeof(*t->drawn) * (size_t)c->rows * (size_t)c->cols;
    bool all = !t->drawn;
    if (all && !(t->drawn = malloc(size)))
        return;
    if (all)
        erase();
    for (int i = 0; i < c->rows * c->cols; i++)
        if (c->cells[i].width > 0 && (all || !same_cell(&c->cells[i], &t->drawn[i])))
            put_cell(t, i / c->cols, i % c->cols, &c->cells[i]);
    memcpy(t->drawn, c->cells, size);
    wnoutrefresh(stdscr);
    doupdate();
}

static int special_key(wint_t code)
{
    static const struct {
        int curses, ours;
    } keys[] = {
        {KEY_UP, K_UP},         {KEY_DOWN, K_DOWN},       {KEY_LEFT, K_LEFT},
        {KEY_RIGHT, K_RIGHT},   {KEY_HOME, K_HOME},       {KEY_END, K_END},
        {KEY_PPAGE, K_PAGE_UP}, {KEY_NPAGE, K_PAGE_DOWN}, {KEY_BACKSPACE, K_BACKSPACE},
        {KEY_DC, K_DELETE},     {KEY_BTAB, K_BACK_TAB},   {KEY_ENTER, K_ENTER},
    };
    if (code >= (wint_t)KEY_F(1) && code <= (wint_t)KEY_F(10))
        return K_F1 + (int)code - KEY_F(1);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if ((wint_t)keys[i].curses == code)
            return keys[i].ours;
    return K_NONE;
}

static bool read_mouse(struct term_event *ret)
{
    MEVENT e;
    if (getmouse(&e) != OK)
        return false;
    *ret = (struct term_event){.y = e.y, .x = e.x};
    if (e.bstate & BUTTON4_PRESSED)
        ret->key = K_WHEEL_UP;
    else if (e.bstate & BUTTON5_PRESSED)
        ret->key = K_WHEEL_DOWN;
    return true;
}

bool term_read(struct terminal *t, struct term_event *ret)
{
    (void)t;
    for (;;) {
        wint_t code;
        int kind = get_wch(&code);
        if (kind == ERR)
            return false;
        if (kind == KEY_CODE_YES && code == KEY_MOUSE) {
            if (read_mouse(ret))
                return true;
            continue;
        }
        int key = kind == KEY_CODE_YES ? special_key(code) : (int)code;
        if (key == 8 || key == 127)
            key = K_BACKSPACE;
        if (key == K_NONE)
            continue;
        *ret = (struct term_event){.key = key};
        return true;
    }
}

static void put_base64(const unsigned char *p, size_t n, FILE *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);
        fputc(digits[v >> 18], out);
        fputc(digits[v >> 12 & 63], out);
        fputc(i + 1 < n ? digits[v >> 6 & 63] : '=', out);
        fputc(i + 2 < n ? digits[v & 63] : '=', out);
    }
}

void term_copy(struct terminal *t, const char *text, size_t size)
{
    (void)t;
    fputs("\033]52;c;", stdout);
    put_base64((const unsigned char *)text, size < CLIPBOARD_MAX ? size : CLIPBOARD_MAX, stdout);
    fputs("\a", stdout);
    fflush(stdout);
}
