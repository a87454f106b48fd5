// Keys while something is typed or a box is open; all others become commands.
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "view.h"

// Search and filter act while they are typed.
static void apply_input(struct ui *ui)
{
    enum table_id id = open_table(ui);
    struct table_state *t = &ui->tables[id];
    if (ui->input.kind == INPUT_FILTER) {
        text_clean(t->filter, sizeof(t->filter), ui->input.text);
        ui_changed(ui);
    } else if (ui->input.kind == INPUT_SEARCH) {
        text_clean(ui->search, sizeof(ui->search), ui->input.text);
        rows_update(ui, id);
        if (ui->search[0] && !ui_search(ui, 1, true))
            ui_say(ui, "nothing holds \"%s\"", ui->search);
    }
}

static void accept_input(struct ui *ui)
{
    enum input_kind kind = ui->input.kind;
    ui->input.kind = INPUT_NONE;
    if ((kind != INPUT_RECORD && kind != INPUT_EXPORT) || !ui->input.text[0])
        return;
    snprintf(ui->path, sizeof(ui->path), "%s", ui->input.text);
    ui->requests |= kind == INPUT_RECORD ? REQUEST_RECORD : REQUEST_EXPORT;
}

static void cancel_input(struct ui *ui)
{
    snprintf(ui->input.text, sizeof(ui->input.text), "%s", ui->input.before);
    apply_input(ui);
    ui->message[0] = '\0';
    ui->input.kind = INPUT_NONE;
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

static void input_key(struct ui *ui, int key)
{
    ui->message[0] = '\0';
    switch (key) {
    case K_ENTER:
    case '\r': accept_input(ui); return;
    case K_ESC: cancel_input(ui); return;
    case K_CTRL('C'): cancel_input(ui); return;
    case K_BACKSPACE: erase_last(ui->input.text); break;
    case K_CTRL('U'): ui->input.text[0] = '\0'; break;
    default: append(ui->input.text, sizeof(ui->input.text), key);
    }
    apply_input(ui);
}

static void help_key(struct ui *ui, int key)
{
    switch (key) {
    case '?':
    case K_F1:
    case K_ESC:
    case K_ENTER:
    case '\r': ui->overlay = OVERLAY_NONE; break;
    case K_F10:
    case K_CTRL('C'):
        ui->overlay = OVERLAY_NONE;
        ui_command(ui, CMD_QUIT);
        break;
    case K_BACKSPACE: erase_last(ui->help_filter); break;
    default: append(ui->help_filter, sizeof(ui->help_filter), key);
    }
}

// Is it to be done? Asked twice to leave, it is; the same key that asked answers yes, too.
static void question_key(struct ui *ui, int key)
{
    bool quit = ui->overlay == OVERLAY_QUIT;
    bool again = quit ? key == 'q' || key == K_F10 || key == K_CTRL('C') : key == 'a';
    ui->overlay = OVERLAY_NONE;
    if (key == 'y' || key == 'Y' || again)
        ui->requests |= quit ? REQUEST_QUIT : REQUEST_DETACH;
}

static void menu_key(struct ui *ui, int key)
{
    enum command c = key_command(key, ui->nav.view);
    if (key == ' ' || c == CMD_ENTER) {
        menu_choose(ui);
    } else if (c == CMD_UP || c == CMD_DOWN || c == CMD_FIRST || c == CMD_LAST ||
               c == CMD_PAGE_UP || c == CMD_PAGE_DOWN) {
        ui_command(ui, c);
    } else {
        ui->overlay = OVERLAY_NONE;
        if (c == CMD_QUIT)
            ui_command(ui, c);
    }
}

void ui_key(struct ui *ui, int key)
{
    if (ui->input.kind != INPUT_NONE) {
        input_key(ui, key);
        return;
    }
    switch (ui->overlay) {
    case OVERLAY_HELP: help_key(ui, key); return;
    case OVERLAY_QUIT:
    case OVERLAY_DETACH: question_key(ui, key); return;
    case OVERLAY_SORT:
    case OVERLAY_SETUP: menu_key(ui, key); return;
    case OVERLAY_NONE: break;
    }
    enum command c = key_command(key, ui->nav.view);
    ui->message[0] = '\0';
    if (c != CMD_NONE)
        ui_command(ui, c);
    else if (key == K_F5)
        ui_say(ui, "F5 has no use in this view");
}
