// Keys, commands, and the one table that joins them: dispatch, the key bar and the help screen all read
// it, so the help cannot go stale.
#ifndef LOOPSCOPE_TUI_KEYS_H
#define LOOPSCOPE_TUI_KEYS_H

#include <stdbool.h>
#include <stdint.h>

// A key is a Unicode character, a control character, or one of these.
enum special_key {
    K_NONE = 0,
    K_TAB = 9,
    K_ENTER = 10,
    K_ESC = 27,
    K_SPECIAL = 0x110000, // above Unicode
    K_UP,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_HOME,
    K_END,
    K_PAGE_UP,
    K_PAGE_DOWN,
    K_BACKSPACE,
    K_DELETE,
    K_BACK_TAB,
    K_F1,
    K_F2,
    K_F3,
    K_F4,
    K_F5,
    K_F6,
    K_F7,
    K_F8,
    K_F9,
    K_F10,
    K_WHEEL_UP,
    K_WHEEL_DOWN,
};
#define K_CTRL(c) ((c)&0x1f)

enum command {
    CMD_NONE,
    CMD_UP,
    CMD_DOWN,
    CMD_LEFT,
    CMD_RIGHT,
    CMD_FIRST,
    CMD_LAST,
    CMD_HALF_UP,
    CMD_HALF_DOWN,
    CMD_PAGE_UP,
    CMD_PAGE_DOWN,
    CMD_VIEW_1,
    CMD_VIEW_2,
    CMD_VIEW_3,
    CMD_VIEW_4,
    CMD_VIEW_5,
    CMD_NEXT_VIEW,
    CMD_PREVIOUS_VIEW,
    CMD_ENTER,
    CMD_BACK,
    CMD_QUIT,
    CMD_HELP,
    CMD_SEARCH,
    CMD_SEARCH_NEXT,
    CMD_SEARCH_PREVIOUS,
    CMD_FILTER,
    CMD_SORT,
    CMD_INVERT,
    CMD_FOLLOW,
    CMD_PAUSE,
    CMD_STEP_BACK,
    CMD_STEP_FORWARD,
    CMD_FASTER,
    CMD_SLOWER,
    CMD_REDRAW,
    CMD_RESAMPLE,
    CMD_ZOOM,
    CMD_RECORD,
    CMD_EXPORT,
    CMD_COPY,
    CMD_SETUP,
    CMD_SUSPEND,
    CMD_ATTACH,
    CMD_TREE,
    CMD_FOLD,
    CMD_ON_CPU,
    CMD_ORPHANS,
    CMD_SUSPECTS,
    CMD_OPENERS,
    CMD_MUTE,
    CMD_DOCS,
    CMD_COUNT,
};

enum key_group {
    GROUP_MOVE,
    GROUP_VIEW,
    GROUP_FIND,
    GROUP_TIME,
    GROUP_DO,
    GROUP_HERE,
    GROUP_COUNT
};

#define KEYS_MAX 4
struct binding {
    enum command command;
    int keys[KEYS_MAX];
    const char *names; // as the help shows them
    const char *help;
    enum key_group group;
    unsigned views;  // bit per enum view_id in which it is valid; 0: everywhere
    const char *bar; // its label in the key bar; NULL: not there
};

extern const struct binding key_table[]; // command CMD_NONE ends it
extern const char *const key_group_names[GROUP_COUNT];

// The command of a key in a view; CMD_NONE: none.
enum command key_command(int key, int view);
const struct binding *key_binding(enum command c, int view);

#endif
