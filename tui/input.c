// Keys while something is typed or a box is open; all others become commands.
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "view.h"

// Search and filter act while they are typed.
static void apply_input(struct model *m)
{
    enum table_id id = views[m->nav.view]->table(m);
    struct table_state *t = &m->tables[id];
    if (m->input.kind == INPUT_FILTER) {
        text_clean(t->filter, sizeof(t->filter), m->input.text);
        model_changed(m);
    } else if (m->input.kind == INPUT_SEARCH) {
        text_clean(m->search, sizeof(m->search), m->input.text);
        rows_update(m, id);
        if (m->search[0] && !rows_search(m, id, m->search, t->row, 1))
            model_say(m, "no row holds \"%s\"", m->search);
    }
}

static void accept_input(struct model *m)
{
    enum input_kind kind = m->input.kind;
    m->input.kind = INPUT_NONE;
    if ((kind != INPUT_RECORD && kind != INPUT_EXPORT) || !m->input.text[0])
        return;
    snprintf(m->path, sizeof(m->path), "%s", m->input.text);
    m->requests |= kind == INPUT_RECORD ? REQUEST_RECORD : REQUEST_EXPORT;
}

static void cancel_input(struct model *m)
{
    snprintf(m->input.text, sizeof(m->input.text), "%s", m->input.before);
    apply_input(m);
    m->message[0] = '\0';
    m->input.kind = INPUT_NONE;
}

static void erase_last(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        n--;
    text[n > 0 ? n - 1 : 0] = '\0';
}

static void append(char *text, size_t size, int key)
{
    char bytes[4];
    size_t n = strlen(text);
    if (key < ' ' || key == 0x7f || key >= K_SPECIAL)
        return;
    int len = text_encode((uint32_t)key, bytes);
    if (n + (size_t)len >= size)
        return;
    memcpy(text + n, bytes, (size_t)len);
    text[n + (size_t)len] = '\0';
}

static void input_key(struct model *m, int key)
{
    m->message[0] = '\0';
    switch (key) {
    case K_ENTER:
    case '\r': accept_input(m); return;
    case K_ESC: cancel_input(m); return;
    case K_CTRL('C'): cancel_input(m); return;
    case K_BACKSPACE: erase_last(m->input.text); break;
    case K_CTRL('U'): m->input.text[0] = '\0'; break;
    default: append(m->input.text, sizeof(m->input.text), key);
    }
    apply_input(m);
}

static void help_key(struct model *m, int key)
{
    switch (key) {
    case '?':
    case K_F1:
    case K_ESC:
    case K_ENTER:
    case '\r': m->overlay = OVERLAY_NONE; break;
    case K_F10:
    case K_CTRL('C'):
        m->overlay = OVERLAY_NONE;
        model_command(m, CMD_QUIT);
        break;
    case K_BACKSPACE: erase_last(m->help_filter); break;
    default: append(m->help_filter, sizeof(m->help_filter), key);
    }
}

static void quit_key(struct model *m, int key)
{
    m->overlay = OVERLAY_NONE;
    if (key == 'y' || key == 'Y' || key == 'q' || key == K_F10 || key == K_CTRL('C'))
        m->requests |= REQUEST_QUIT;
}

static void menu_key(struct model *m, int key)
{
    enum command c = key_command(key, m->nav.view);
    if (key == ' ' || c == CMD_ENTER) {
        menu_choose(m);
    } else if (c == CMD_UP || c == CMD_DOWN || c == CMD_FIRST || c == CMD_LAST ||
               c == CMD_PAGE_UP || c == CMD_PAGE_DOWN) {
        model_command(m, c);
    } else {
        m->overlay = OVERLAY_NONE;
        if (c == CMD_QUIT)
            model_command(m, c);
    }
}

void model_key(struct model *m, int key)
{
    if (m->input.kind != INPUT_NONE) {
        input_key(m, key);
        return;
    }
    switch (m->overlay) {
    case OVERLAY_HELP: help_key(m, key); return;
    case OVERLAY_QUIT: quit_key(m, key); return;
    case OVERLAY_SORT:
    case OVERLAY_SETUP: menu_key(m, key); return;
    case OVERLAY_NONE: break;
    }
    enum command c = key_command(key, m->nav.view);
    m->message[0] = '\0';
    if (c != CMD_NONE)
        model_command(m, c);
    else if (key == K_F5)
        model_say(m, "F5 has no use in this view");
}
