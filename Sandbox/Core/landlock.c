/* Landlock: a second answer to "may this file be touched", given by the process itself before user code runs; landlock(7).
 * It holds although mounts change afterwards: the bundle that arrives on /var/task later lies below "/" and is readable. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_privileges.h"

#define READ_AND_EXECUTE (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES_ABI_1 ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1) /* every right of the first version */
#define FILES_TMP (READ_AND_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                     \
                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |             \
                   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM |              \
                   LANDLOCK_ACCESS_FS_REFER | WS_LANDLOCK_FS_TRUNCATE)

/* What each version added to what can be handled. */
static const struct {
    uint32_t abi;
    struct ws_landlock_ruleset added;
} versions[] = {
    {1, {.handled_access_fs = FILES_ABI_1}},
    {2, {.handled_access_fs = LANDLOCK_ACCESS_FS_REFER}},
    {3, {.handled_access_fs = WS_LANDLOCK_FS_TRUNCATE}},
    {4, {.handled_access_net = WS_LANDLOCK_NET_BIND_TCP | WS_LANDLOCK_NET_CONNECT_TCP}},
    {5, {.handled_access_fs = WS_LANDLOCK_FS_IOCTL_DEV}},
    {6, {.scoped = WS_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | WS_LANDLOCK_SCOPE_SIGNAL}},
};

static const struct {
    const char *path;
    uint64_t allowed;
} path_rules[] = {
    {"/", READ_AND_EXECUTE},
    {"/tmp", FILES_TMP},
    {"/dev", LANDLOCK_ACCESS_FS_WRITE_FILE | WS_LANDLOCK_FS_TRUNCATE | WS_LANDLOCK_FS_IOCTL_DEV},
};

uint32_t ws_landlock_abi(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (uint32_t)abi;
}

static int create_ruleset(uint32_t abi, struct ws_landlock_ruleset *ruleset) {
    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && versions[i].abi <= abi; i++) {
        ruleset->handled_access_fs |= versions[i].added.handled_access_fs;
        ruleset->handled_access_net |= versions[i].added.handled_access_net;
        ruleset->scoped |= versions[i].added.scoped;
    }
    /* An older kernel accepts a longer structure as long as what it does not know is zero. */
    return (int)syscall(SYS_landlock_create_ruleset, ruleset, sizeof *ruleset, 0);
}

static int add_path(int ruleset, uint64_t handled, const char *path, uint64_t allowed) {
    WS_AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed & handled, .parent_fd = fd};
    if (fd < 0) return -1;
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int ws_landlock_restrict(uint32_t abi, uint16_t api_port) {
    if (abi == 0) return 0;
    struct ws_landlock_ruleset handled = {0};
    WS_AUTO_CLOSE int ruleset = create_ruleset(abi, &handled);
    if (ruleset < 0) return -1;
    for (size_t i = 0; i < sizeof path_rules / sizeof path_rules[0]; i++)
        if (add_path(ruleset, handled.handled_access_fs, path_rules[i].path, path_rules[i].allowed) < 0) return -1;
    if (api_port != 0 && handled.handled_access_net != 0) {
        struct ws_landlock_net_port rule = {.allowed_access = WS_LANDLOCK_NET_CONNECT_TCP, .port = api_port};
        if (syscall(SYS_landlock_add_rule, ruleset, WS_LANDLOCK_RULE_NET_PORT, &rule, 0) < 0) return -1;
    }
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
