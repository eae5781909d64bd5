/* Landlock: a second answer to "may this file be touched", given by the process itself before user code runs; landlock(7).
 * It holds although mounts change afterwards: the bundle that arrives on /var/task later lies below "/" and is readable. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

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

static const struct {
    size_t port; /* in struct ws_tcp_reach */
    uint64_t allowed;
} port_rules[] = {
    {offsetof(struct ws_tcp_reach, api_port), WS_LANDLOCK_NET_CONNECT_TCP},
    {offsetof(struct ws_tcp_reach, egress_port), WS_LANDLOCK_NET_CONNECT_TCP},
    {offsetof(struct ws_tcp_reach, web_port), WS_LANDLOCK_NET_BIND_TCP | WS_LANDLOCK_NET_CONNECT_TCP},
};
#define PORT_RULES_COUNT (sizeof port_rules / sizeof port_rules[0])

static uint32_t port_of(const struct ws_tcp_reach *reach, size_t rule) {
    uint32_t port;
    memcpy(&port, (const char *)reach + port_rules[rule].port, sizeof port);
    return port;
}

uint32_t ws_landlock_abi(void) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < 0 ? 0 : (uint32_t)abi;
}

static struct ws_landlock_ruleset handled_by(uint32_t abi) {
    struct ws_landlock_ruleset ruleset = {0};
    for (size_t i = 0; i < sizeof versions / sizeof versions[0] && versions[i].abi <= abi; i++) {
        ruleset.handled_access_fs |= versions[i].added.handled_access_fs;
        ruleset.handled_access_net |= versions[i].added.handled_access_net;
        ruleset.scoped |= versions[i].added.scoped;
    }
    return ruleset;
}

static int add_path(int ruleset, uint64_t handled, const char *path, uint64_t allowed) {
    WS_AUTO_CLOSE int fd = open(path, O_PATH | O_CLOEXEC);
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed & handled, .parent_fd = fd};
    if (fd < 0) return -1;
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int add_port(int ruleset, uint64_t allowed, uint32_t port) {
    struct ws_landlock_net_port rule = {.allowed_access = allowed, .port = port};
    return (int)syscall(SYS_landlock_add_rule, ruleset, WS_LANDLOCK_RULE_NET_PORT, &rule, 0);
}

int ws_landlock_restrict(uint32_t abi, const struct ws_tcp_reach *reach) {
    if (abi == 0) return 0;
    const struct ws_landlock_ruleset handled = handled_by(abi);
    /* An older kernel accepts a longer structure as long as what it does not know is zero. */
    WS_AUTO_CLOSE int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
    if (ruleset < 0) return -1;
    for (size_t i = 0; i < sizeof path_rules / sizeof path_rules[0]; i++)
        if (add_path(ruleset, handled.handled_access_fs, path_rules[i].path, path_rules[i].allowed) < 0) return -1;
    for (size_t i = 0; handled.handled_access_net != 0 && i < PORT_RULES_COUNT; i++)
        if (port_of(reach, i) != 0 && add_port(ruleset, port_rules[i].allowed, port_of(reach, i)) < 0) return -1;
    return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

static const struct {
    uint64_t right;
    const char *name;
} path_rights[] = {
    {LANDLOCK_ACCESS_FS_EXECUTE, "execute"},         {LANDLOCK_ACCESS_FS_READ_FILE, "read_file"},
    {LANDLOCK_ACCESS_FS_READ_DIR, "read_dir"},       {LANDLOCK_ACCESS_FS_WRITE_FILE, "write_file"},
    {LANDLOCK_ACCESS_FS_REMOVE_DIR, "remove_dir"},   {LANDLOCK_ACCESS_FS_REMOVE_FILE, "remove_file"},
    {LANDLOCK_ACCESS_FS_MAKE_CHAR, "make_char"},     {LANDLOCK_ACCESS_FS_MAKE_DIR, "make_dir"},
    {LANDLOCK_ACCESS_FS_MAKE_REG, "make_reg"},       {LANDLOCK_ACCESS_FS_MAKE_SOCK, "make_sock"},
    {LANDLOCK_ACCESS_FS_MAKE_FIFO, "make_fifo"},     {LANDLOCK_ACCESS_FS_MAKE_BLOCK, "make_block"},
    {LANDLOCK_ACCESS_FS_MAKE_SYM, "make_sym"},       {LANDLOCK_ACCESS_FS_REFER, "refer"},
    {WS_LANDLOCK_FS_TRUNCATE, "truncate"},           {WS_LANDLOCK_FS_IOCTL_DEV, "ioctl_dev"},
}, port_rights[] = {
    {WS_LANDLOCK_NET_BIND_TCP, "bind"}, {WS_LANDLOCK_NET_CONNECT_TCP, "connect"},
}, scopes[] = {
    {WS_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, "abstract_unix_socket"}, {WS_LANDLOCK_SCOPE_SIGNAL, "signal"},
};

void ws_landlock_describe(uint32_t abi, const struct ws_tcp_reach *reach, FILE *report) {
    const struct ws_landlock_ruleset handled = handled_by(abi);
    fprintf(report, "abi %u\n", abi);
    for (size_t i = 0; abi > 0 && i < sizeof path_rules / sizeof path_rules[0]; i++) {
        fprintf(report, "%s", path_rules[i].path);
        for (size_t j = 0; j < sizeof path_rights / sizeof path_rights[0]; j++)
            if ((path_rules[i].allowed & handled.handled_access_fs & path_rights[j].right) != 0)
                fprintf(report, " %s", path_rights[j].name);
        fprintf(report, "\n");
    }
    for (size_t i = 0; i < PORT_RULES_COUNT; i++)
        for (size_t j = 0; j < sizeof port_rights / sizeof port_rights[0]; j++)
            if (port_of(reach, i) != 0 && (port_rules[i].allowed & handled.handled_access_net & port_rights[j].right) != 0)
                fprintf(report, "tcp %s %u\n", port_rights[j].name, port_of(reach, i));
    for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
        if ((handled.scoped & scopes[i].right) != 0) fprintf(report, "scope %s\n", scopes[i].name);
}
