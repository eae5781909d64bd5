#include "unenforced.h"

#include "ws_privileges.h"

struct facts {
    bool privileged;
    uint32_t controllers; /* set of enum ws_controller */
    uint32_t landlock_abi;
};

static bool shares_a_user(const struct facts *facts) { return !facts->privileged; }
static bool lacks_memory(const struct facts *facts) { return (facts->controllers & WS_CONTROLLER_MEMORY) == 0; }
static bool lacks_cpu(const struct facts *facts) { return (facts->controllers & WS_CONTROLLER_CPU) == 0; }
static bool lacks_pids(const struct facts *facts) { return (facts->controllers & WS_CONTROLLER_PIDS) == 0; }
static bool lacks_freezer(const struct facts *facts) { return (facts->controllers & WS_CONTROLLER_FREEZER) == 0; }
static bool lacks_landlock(const struct facts *facts) { return facts->landlock_abi == 0; }
static bool lacks_ports(const struct facts *facts) { return facts->landlock_abi > 0 && facts->landlock_abi < 4; }
static bool lacks_scopes(const struct facts *facts) { return facts->landlock_abi > 0 && facts->landlock_abi < 6; }

static const struct {
    bool (*applies)(const struct facts *facts);
    const char *sentence;
} sentences[] = {
    {shares_a_user, "not root: functions of all accounts run as one host user, and its groups cannot be dropped"},
    {lacks_memory, "no memory cgroup: the limit on a container's memory is not enforced, and its use is not measured"},
    {lacks_cpu, "no cpu cgroup: the limit on a container's processor time and its weight are not enforced"},
    {lacks_pids, "no pids cgroup: the limit on processes is not enforced for a container, only for its user, by RLIMIT_NPROC"},
    {lacks_freezer, "no freezer cgroup: idle containers are not frozen"},
    {lacks_landlock, "no Landlock in this kernel: files and TCP ports are kept by mounts and network namespaces alone"},
    {lacks_ports, "Landlock without TCP rules (before version 4): containers of one instance reach each other's TCP ports"},
    {lacks_scopes, "Landlock without scopes (before version 6): containers of one instance reach each other's abstract sockets"},
};

void unenforced_print(bool privileged, const struct ws_cgroups *cgroups, const char *prefix, FILE *to) {
    struct facts facts = {.privileged = privileged, .landlock_abi = ws_landlock_abi()};
    for (uint32_t i = 0; i < cgroups->count; i++) facts.controllers |= cgroups->hierarchies[i].controllers;
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
        if (sentences[i].applies(&facts)) fprintf(to, "%s%s\n", prefix, sentences[i].sentence);
}
