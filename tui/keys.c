#include "keys.h"

#include "ui.h"

#define IN(view) (1u << (view))

const char *const key_group_names[GROUP_COUNT] = {"MOVE", "VIEW", "FIND", "TIME", "DO", "HERE"};

const struct binding key_table[] = {
    {CMD_DOWN, {'j', K_DOWN, K_WHEEL_DOWN}, "j Down", "next row", GROUP_MOVE, 0, NULL},
    {CMD_UP, {'k', K_UP, K_WHEEL_UP}, "k Up", "row before", GROUP_MOVE, 0, NULL},
    {CMD_LEFT, {'h', K_LEFT}, "h Left", "columns, out", GROUP_MOVE, 0, NULL},
    {CMD_RIGHT, {'l', K_RIGHT}, "l Right", "columns", GROUP_MOVE, 0, NULL},
    {CMD_FIRST, {'g', K_HOME}, "g Home", "first row", GROUP_MOVE, 0, NULL},
    {CMD_LAST, {'G', K_END}, "G End", "last row", GROUP_MOVE, 0, NULL},
    {CMD_HALF_DOWN, {K_CTRL('D')}, "^D", "half page down", GROUP_MOVE, 0, NULL},
    {CMD_HALF_UP, {K_CTRL('U')}, "^U", "half page up", GROUP_MOVE, 0, NULL},
    {CMD_PAGE_DOWN, {K_PAGE_DOWN, K_CTRL('F')}, "PgDn", "page down", GROUP_MOVE, 0, NULL},
    {CMD_PAGE_UP, {K_PAGE_UP, K_CTRL('B')}, "PgUp", "page up", GROUP_MOVE, 0, NULL},

    {CMD_HELP, {'?', K_F1}, "? F1", "these keys", GROUP_VIEW, 0, "Help"},
    {CMD_SETUP, {'S', K_F2}, "S F2", "columns, look", GROUP_DO, 0, "Setup"},
    {CMD_SEARCH, {'/', K_F3}, "/ F3", "search", GROUP_FIND, 0, "Search"},
    {CMD_FILTER, {'\\', K_F4}, "\\ F4", "filter; !x not", GROUP_FIND, 0, "Filter"},
    {CMD_TREE, {'t', K_F5}, "t F5", "site,tree,flat", GROUP_HERE, IN(VIEW_TASKS), "Tree"},
    {CMD_FOLD,
     {'f', K_F5},
     "f F5",
     "tree or folded",
     GROUP_HERE,
     IN(VIEW_LOOP) | IN(VIEW_FINDINGS),
     "Fold"},
    {CMD_SORT, {'s', K_F6}, "s F6", "sort by", GROUP_FIND, 0, "Sort"},
    {CMD_PAUSE, {'p', ' ', K_F7}, "p F7", "pause, go on", GROUP_TIME, 0, "Pause"},
    {CMD_RECORD, {'r', K_F8}, "r F8", "record, stop", GROUP_DO, 0, "Record"},
    {CMD_EXPORT, {'e', K_F9}, "e F9", "export report", GROUP_DO, 0, "Export"},
    {CMD_QUIT, {'q', K_F10, K_CTRL('C')}, "q F10 ^C", "quit", GROUP_VIEW, 0, "Quit"},

    {CMD_VIEW_1, {'1'}, "1", "overview", GROUP_VIEW, 0, NULL},
    {CMD_VIEW_2, {'2'}, "2", "selected loop", GROUP_VIEW, 0, NULL},
    {CMD_VIEW_3, {'3'}, "3", "tasks", GROUP_VIEW, 0, NULL},
    {CMD_VIEW_4, {'4'}, "4", "descriptors", GROUP_VIEW, 0, NULL},
    {CMD_VIEW_5, {'5'}, "5", "findings", GROUP_VIEW, 0, NULL},
    {CMD_NEXT_VIEW, {K_TAB}, "Tab", "next view", GROUP_VIEW, 0, NULL},
    {CMD_PREVIOUS_VIEW, {K_BACK_TAB}, "S-Tab", "view before", GROUP_VIEW, 0, NULL},
    {CMD_ENTER, {K_ENTER, '\r'}, "Enter", "into the row", GROUP_VIEW, 0, NULL},
    {CMD_BACK, {K_ESC, K_BACKSPACE}, "Esc Bksp", "one step back", GROUP_VIEW, 0, NULL},

    {CMD_SEARCH_NEXT, {'n'}, "n", "next match", GROUP_FIND, 0, NULL},
    {CMD_SEARCH_PREVIOUS, {'N'}, "N", "match before", GROUP_FIND, 0, NULL},
    {CMD_INVERT, {'I'}, "I", "invert order", GROUP_FIND, 0, NULL},
    {CMD_FOLLOW, {'F'}, "F", "pin row on top", GROUP_FIND, 0, NULL},

    {CMD_STEP_BACK, {'['}, "[", "back in time", GROUP_TIME, 0, NULL},
    {CMD_STEP_FORWARD, {']'}, "]", "on in time", GROUP_TIME, 0, NULL},
    {CMD_FASTER, {'+', '='}, "+", "refresh faster", GROUP_TIME, 0, NULL},
    {CMD_SLOWER, {'-'}, "-", "refresh slower", GROUP_TIME, 0, NULL},
    {CMD_RESAMPLE, {'R'}, "R", "refresh now", GROUP_TIME, 0, NULL},
    {CMD_REDRAW, {K_CTRL('L')}, "^L", "redraw screen", GROUP_TIME, 0, NULL},

    {CMD_ATTACH, {'a'}, "a", "detach, attach", GROUP_DO, 0, NULL},
    {CMD_COPY, {'c'}, "c", "copy as text", GROUP_DO, 0, NULL},
    {CMD_SUSPEND, {K_CTRL('Z')}, "^Z", "suspend", GROUP_DO, 0, NULL},

    {CMD_ZOOM, {'z'}, "z", "zoom the chart", GROUP_HERE, IN(VIEW_OVERVIEW) | IN(VIEW_LOOP), NULL},
    {CMD_FOLD, {'f'}, "f", "fold children", GROUP_HERE, IN(VIEW_TASKS), NULL},
    {CMD_ON_CPU, {'o'}, "o", "on or off CPU", GROUP_HERE, IN(VIEW_LOOP), NULL},
    {CMD_ORPHANS, {'o'}, "o", "orphans only", GROUP_HERE, IN(VIEW_TASKS), NULL},
    {CMD_OPENERS, {'o'}, "o", "opening stacks", GROUP_HERE, IN(VIEW_FDS), NULL},
    {CMD_SUSPECTS, {'u'}, "u", "suspects only", GROUP_HERE, IN(VIEW_FDS), NULL},
    {CMD_MUTE, {'m'}, "m", "mute, unmute", GROUP_HERE, IN(VIEW_FINDINGS), NULL},
    {CMD_DOCS, {'d'}, "d", "about the rule", GROUP_HERE, IN(VIEW_FINDINGS), NULL},
    {.command = CMD_NONE},
};

static bool valid_in(const struct binding *b, int view)
{
    return b->views == 0 || (b->views & IN(view));
}

enum command key_command(int key, int view)
{
    for (const struct binding *b = key_table; b->command != CMD_NONE; b++)
        for (int i = 0; i < KEYS_MAX && b->keys[i] != K_NONE; i++)
            if (b->keys[i] == key && valid_in(b, view))
                return b->command;
    return CMD_NONE;
}

const struct binding *key_binding(enum command c, int view)
{
    for (const struct binding *b = key_table; b->command != CMD_NONE; b++)
        if (b->command == c && valid_in(b, view))
            return b;
    return NULL;
}
