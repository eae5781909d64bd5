/* The wire between `wayside serve` (the daemon) and `wayside-launcher`.
 *
 * One AF_UNIX SOCK_SEQPACKET connection; one message is one packet, never split, at most WS_MESSAGE_MAX bytes. Both ends are
 * the same host and the same build, so integers are in host order and structures are copied as they are; the version field
 * is checked at WS_HELLO and a mismatch closes the connection. Descriptors travel beside a message by SCM_RIGHTS, in the order
 * each message documents.
 *
 * A request carries a request_id chosen by the daemon; its WS_REPLY echoes it. One with request_id 0 gets no WS_REPLY, and events
 * have request_id 0. Replies may come in any order. Sizes are checked by the receiver: a message that is too short, too long or of
 * unknown type is answered with WS_STEP_PROTOCOL / EBADMSG when it has a readable header, and ignored otherwise; neither harms the
 * connection.
 *
 *   daemon                          launcher
 *     ── WS_HELLO ──────────────────►
 *     ◄───────────── WS_HELLO_REPLY ──
 *     ── WS_INSTANCE_CREATE ────────►   namespaces user,uts,pid,mnt,cgroup; cgroup; init
 *     ◄─────────────────── WS_REPLY ──
 *     ── WS_CONTAINER_START ────────►   stage PREPARE, ASSIGN, or both at once
 *     ◄──────────── WS_REPLY + fds  ──
 *     ── WS_CONTAINER_KILL ─────────►
 *     ◄─────────────────── WS_REPLY ──   the kill was sent
 *     ◄───────── WS_CONTAINER_EXIT ──    everything of the container is gone
 *
 * What outlives the connection:
 *
 *     ── WS_CONTAINER_PARK + fds ───►   the descriptors go back; the launcher only keeps them
 *     ◄─────────────────── WS_REPLY ──
 *     ── end of the connection ─────►   all that is not parked is killed
 *
 *     ── WS_HELLO ──────────────────►   the next daemon, the same user
 *     ◄───────────── WS_HELLO_REPLY ──   how many are parked, and the highest number among them
 *     ── WS_ADOPT ──────────────────►
 *     ◄─────────── WS_ADOPTED + fds ──   one of them, again this connection's; again and again, until none is left
 */
#ifndef WAYSIDE_PROTOCOL_H
#define WAYSIDE_PROTOCOL_H

#include <stdint.h>

#define WS_PROTOCOL_MAGIC 0x314C5357u /* "WSL1" */
#define WS_PROTOCOL_VERSION 3u
#define WS_MESSAGE_MAX 65536u
#define WS_FDS_MAX 8u
#define WS_RUNTIME_NAME_MAX 32u
#define WS_BUNDLE_PATH_MAX 128u
#define WS_ARGV_MAX 64u
#define WS_ENVP_MAX 512u
#define WS_SYSCALLS_MAX 512u
#define WS_SYSCALL_NAME_MAX 64u
#define WS_REPORT_MAX (256u * 1024u)
#define WS_LABEL_MAX 4096u
#define WS_PARK_SECONDS_MAX 86400u

enum ws_message_type {
    WS_HELLO = 1,           /* daemon: header only; a descriptor beside it is where the launcher's messages go from now on */
    WS_HELLO_REPLY = 2,     /* launcher: struct ws_hello_reply */
    WS_REPLY = 3,           /* launcher: struct ws_reply, descriptors as the request says */
    WS_INSTANCE_CREATE = 4, /* daemon: struct ws_instance_create; no descriptors come back */
    WS_INSTANCE_KILL = 5,   /* daemon: struct ws_instance_kill; kills its containers as well */
    WS_CONTAINER_START = 6, /* daemon: struct ws_container_start + strings */
    WS_CONTAINER_KILL = 7,  /* daemon: struct ws_container_kill */
    WS_CONTAINER_EXIT = 8,  /* launcher, event: struct ws_container_exit */
    WS_INSTANCE_EXIT = 9,   /* launcher, event: struct ws_instance_exit */
    WS_ZYGOTE_EXIT = 10,    /* launcher, event: struct ws_zygote_exit; the launcher boots a new one by itself */
    WS_CONTAINER_SYSCALLS = 11, /* launcher, event: struct ws_container_syscalls + strings; just before WS_CONTAINER_EXIT */
    WS_CONTAINER_INSPECT = 12,  /* daemon: struct ws_container_inspect; the report comes back as a descriptor */
    WS_CONTAINER_PARK = 13,     /* daemon: struct ws_container_park + label, descriptors as it says */
    WS_ADOPT = 14,              /* daemon: header only */
    WS_ADOPTED = 15,            /* launcher, to WS_ADOPT: struct ws_adopted + label, descriptors as it says */
};

struct ws_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum ws_message_type */
    uint64_t request_id;
    uint32_t length; /* whole message, this header included */
    uint32_t reserved;
};

/* Where a set-up step failed. The names are printed to people, so WS_STEPS is the one list of them. */
#define WS_STEPS(X)                                                                                                    \
    X(NONE, "none")                                                                                                    \
    X(PROTOCOL, "protocol")               /* malformed or unexpected message */                                       \
    X(UNKNOWN_RUNTIME, "unknown_runtime")                                                                              \
    X(UNKNOWN_INSTANCE, "unknown_instance")                                                                            \
    X(UNKNOWN_CONTAINER, "unknown_container")                                                                          \
    X(LIMIT, "limit")                     /* instances or containers per launcher reached */                          \
    X(CGROUP_CREATE, "cgroup_create")                                                                                  \
    X(CGROUP_LIMITS, "cgroup_limits")                                                                                  \
    X(CGROUP_ATTACH, "cgroup_attach")                                                                                  \
    X(CLONE, "clone")                                                                                                  \
    X(ID_MAP, "id_map")                                                                                                \
    X(SET_IDS, "set_ids")                                                                                              \
    X(CGROUP_NAMESPACE, "cgroup_namespace")                                                                            \
    X(HOSTNAME, "hostname")                                                                                            \
    X(LOOPBACK, "loopback")                                                                                            \
    X(LISTENER, "listener")               /* Runtime API listener inside the network namespace */                     \
    X(JOIN_NAMESPACES, "join_namespaces")                                                                              \
    X(MOUNT_RUNTIME, "mount_runtime")     /* the runtime's directory on /var/runtime */                                \
    X(MOUNT_PROC, "mount_proc")                                                                                        \
    X(MOUNT_TMP, "mount_tmp")                                                                                          \
    X(MOUNT_TASK, "mount_task")           /* the bundle on /var/task */                                               \
    X(DESCRIPTORS, "descriptors")         /* socket, pipe, dup, close_range */                                        \
    X(RLIMITS, "rlimits")                                                                                              \
    X(SESSION, "session")                                                                                              \
    X(CAPABILITIES, "capabilities")                                                                                    \
    X(NO_NEW_PRIVS, "no_new_privs")                                                                                    \
    X(LANDLOCK, "landlock")                                                                                            \
    X(SECCOMP, "seccomp")                                                                                              \
    X(EXEC, "exec")                                                                                                    \
    X(ZYGOTE, "zygote")                   /* the zygote is down or did not answer */                                  \
    X(TIMEOUT, "timeout")                 /* a step took longer than the launcher's bound */                          \
    X(PARK, "park")                       /* the container cannot outlive the connection */                           \
    X(RENEW, "renew")                     /* what an earlier container had mounted */

enum ws_step {
#define WS_STEP_ENUM(name, text) WS_STEP_##name,
    WS_STEPS(WS_STEP_ENUM)
#undef WS_STEP_ENUM
    WS_STEP_COUNT,
};

struct ws_status {
    uint32_t step; /* enum ws_step; WS_STEP_NONE = done */
    int32_t error; /* errno of that step, 0 when done */
};

struct ws_hello_reply {
    struct ws_header header;
    uint32_t launcher_pid;   /* of the serving process, in the daemon's PID namespace when they share one */
    uint32_t privileged;     /* 1: uid ranges and cgroups are enforced; 0: rootless */
    uint32_t cgroup_version; /* 0: none usable, 1: v1 or hybrid, 2: unified */
    uint32_t landlock_abi;   /* 0: not supported by this kernel */
    uint32_t instances_max;
    uint32_t containers_max;
    uint32_t parked; /* containers that wait to be adopted */
    uint32_t reserved;
    uint64_t parked_number_max; /* the highest id of them and of their instances; new ones must be above it. 0: none */
};

/* What travels beside a WS_REPLY, in this order; `descriptors` says which of them are there. */
enum ws_descriptor {
    WS_DESCRIPTOR_CHANNEL = 1, /* runtime kinds fork, exec_early: our end of a SOCK_STREAM socketpair, the runtime's is its fd 3
                                  (frames); kind exec_late: a listening TCP socket on 127.0.0.1:9001 inside the container */
    WS_DESCRIPTOR_LOG = 2,     /* read end (O_NONBLOCK) of the pipe that is the runtime's standard output and standard error */
    WS_DESCRIPTOR_MEMORY = 4,  /* peak memory, for reading: v1 memory.max_usage_in_bytes, v2 memory.peak */
    WS_DESCRIPTOR_CPU = 8,     /* cpu time, for reading: v1 cpuacct.usage (nanoseconds), v2 cpu.stat (usage_usec) */
    WS_DESCRIPTOR_FREEZER = 16, /* for writing: v1 freezer.state ("FROZEN", "THAWED"), v2 cgroup.freeze ("1", "0") */
    WS_DESCRIPTOR_EGRESS = 32,  /* a listening TCP socket on 127.0.0.1:egress_port inside the container */
    WS_DESCRIPTOR_REPORT = 64,  /* WS_CONTAINER_INSPECT: a sealed memfd with text, at most WS_REPORT_MAX bytes */
    WS_DESCRIPTOR_CONNECTION = 128, /* parked, kind exec_late: what was accepted from the listener, with a request that waits */
};

struct ws_reply {
    struct ws_header header;
    struct ws_status status;
    uint32_t process_id;  /* host pid of the runtime process; 0 when none was started */
    uint32_t descriptors; /* bits of enum ws_descriptor */
};

struct ws_limits {
    uint64_t memory_bytes; /* cgroup limit, /tmp counted; 0 = none */
    uint32_t cpu_millis;   /* most, in thousandths of a core; 0 = none */
    uint32_t cpu_weight;   /* share among those that want the processor at once, 1…10000; 0 = the kernel's default */
    uint32_t pids_max;     /* 0 = none */
    uint32_t reserved;
};

struct ws_instance_create {
    struct ws_header header;
    uint64_t instance_id; /* chosen by the daemon, not 0, unique among living instances */
    struct ws_limits limits;
};

struct ws_instance_kill {
    struct ws_header header;
    uint64_t instance_id;
};

enum ws_stage {
    WS_STAGE_PREPARE = 1, /* namespaces, mounts, cgroup, channel; boots the runtime of kinds fork and exec_early */
    WS_STAGE_ASSIGN = 2,  /* mounts the bundle, sets the limits; executes /var/task/bootstrap for kind exec_late */
};

enum ws_start_flag {
    WS_START_ALONE = 1, /* kind fork: execute the runtime instead of forking it from the zygote, so that it shares no
                           address-space layout with others */
    WS_START_LEARN = 2, /* record the system calls it makes; WS_CONTAINER_SYSCALLS brings them at its end. Slow. */
};

/* PREPARE brings CHANNEL and LOG; MEMORY, CPU and FREEZER where cgroups are usable; EGRESS when a port was asked for, and the
 * container then has a network namespace of its own, with only loopback, as kind exec_late always has. ASSIGN alone brings none.
 *
 * `syscallc` names narrow the filter of this container: what is not among them answers as an unknown call. They need both stages
 * in one message, because a process that runs already cannot be given a filter from outside. */
struct ws_container_start {
    struct ws_header header;
    uint64_t instance_id;
    uint64_t container_id; /* chosen by the daemon, not 0, unique among living containers */
    uint32_t stages;       /* enum ws_stage, or both */
    uint32_t flags;        /* bits of enum ws_start_flag */
    uint32_t nofile_max;   /* RLIMIT_NOFILE */
    uint32_t egress_port;  /* PREPARE: 0 = none */
    struct ws_limits limits;
    uint64_t tmp_bytes;       /* size limit of /tmp */
    uint64_t file_size_bytes; /* RLIMIT_FSIZE; 0 = 10 GiB */
    char runtime[WS_RUNTIME_NAME_MAX];   /* NUL-terminated name given to the launcher with --runtime */
    char bundle[WS_BUNDLE_PATH_MAX];     /* ASSIGN: directory relative to --content, NUL-terminated; no "..", no leading "/" */
    uint32_t argc;           /* kind exec_late, ASSIGN: argument strings, usually {"bootstrap"} */
    uint32_t envc;           /* kind exec_late, ASSIGN: environment strings NAME=value */
    uint32_t syscallc;       /* PREPARE with ASSIGN: names of the only system calls allowed; 0 = what the table allows */
    uint32_t strings_length; /* bytes that follow: argc + envc + syscallc NUL-terminated strings */
};

struct ws_container_kill {
    struct ws_header header;
    uint64_t container_id;
};

enum ws_exit_reason {
    WS_EXIT_EXITED = 0,     /* status = exit status */
    WS_EXIT_SIGNALED = 1,   /* status = signal number */
    WS_EXIT_OUT_OF_MEMORY = 2, /* the cgroup's OOM killer ended it; status = signal number */
    WS_EXIT_KILLED = 3,     /* by WS_CONTAINER_KILL or WS_INSTANCE_KILL; status = signal number */
};

struct ws_container_exit {
    struct ws_header header;
    uint64_t container_id;
    uint32_t reason; /* enum ws_exit_reason */
    int32_t status;
    uint64_t memory_peak_bytes; /* 0 where no cgroup is usable */
    uint64_t cpu_nanoseconds;   /* of the whole container; 0 where no cgroup is usable */
};

struct ws_container_syscalls {
    struct ws_header header;
    uint64_t container_id;
    uint32_t count;
    uint32_t strings_length; /* bytes that follow: count NUL-terminated names, in the order of their numbers */
};

/* The report says what holds for the runtime process now, read from the kernel. It is lines of text in sections:
 *
 *     [status] Name, Uid, Gid, Groups, CapInh … CapAmb, NoNewPrivs, Seccomp, Seccomp_filters of /proc/PID/status
 *     [namespaces] one "name inode own|shared" each, compared with the worker's
 *     [id_maps] uid_map and gid_map; here and in [status] ids count as in the worker's user namespace, whose 0 is --uid-base
 *     [mounts] /proc/PID/mountinfo
 *     [limits] /proc/PID/limits
 *     [cgroup] "file value" of each limit file that exists
 *     [landlock] "abi N" and one "path rights", "tcp bind|connect PORT" or "scope what" line each
 *     [seccomp] "allow|refuse name reason", conditions in the reason's place before it
 *     [unenforced] what this launcher cannot enforce, one sentence each */
struct ws_container_inspect {
    struct ws_header header;
    uint64_t container_id;
};

/* Makes a container outlive the connection: READY, with its function, not learned from. The descriptors are those that its start
 * brought, and the connection that waits where there is one; CHANNEL and LOG have to be among them. The launcher neither reads nor
 * writes them. Whoever parks freezes first: nothing is thawed but what ends. When `seconds` have passed since this message, the
 * container is killed. Refused with WS_STEP_PARK: EBUSY (not READY), EALREADY, EINVAL (the descriptors). */
struct ws_container_park {
    struct ws_header header;
    uint64_t container_id;
    uint32_t seconds;      /* 1…WS_PARK_SECONDS_MAX */
    uint32_t descriptors;  /* bits of enum ws_descriptor */
    uint32_t state;        /* of the channel; the daemon's own, given back as it is */
    uint32_t label_length; /* bytes that follow, at most WS_LABEL_MAX; the daemon's own, given back as they are */
};

/* A parked container is this connection's now, under its old number, and so are its instance and the numbers of both. */
struct ws_adopted {
    struct ws_header header;
    uint64_t instance_id; /* 0: nothing is parked any more, and the rest says nothing */
    uint64_t container_id;
    uint32_t process_id;
    uint32_t descriptors;
    uint32_t state;
    uint32_t label_length; /* bytes that follow */
    char runtime[WS_RUNTIME_NAME_MAX];
};

struct ws_instance_exit {
    struct ws_header header;
    uint64_t instance_id;
};

struct ws_zygote_exit {
    struct ws_header header;
    char runtime[WS_RUNTIME_NAME_MAX];
    int32_t wait_status;
    uint32_t reserved;
};

_Static_assert(sizeof(struct ws_header) == 24, "wire size");
_Static_assert(sizeof(struct ws_reply) == 40, "wire size");
_Static_assert(sizeof(struct ws_hello_reply) == 64, "wire size");
_Static_assert(sizeof(struct ws_instance_create) == 56, "wire size");
_Static_assert(sizeof(struct ws_container_start) == 272, "wire size");
_Static_assert(sizeof(struct ws_container_syscalls) == 40, "wire size");
_Static_assert(sizeof(struct ws_container_exit) == 56, "wire size");
_Static_assert(sizeof(struct ws_container_park) == 48, "wire size");
_Static_assert(sizeof(struct ws_adopted) == 88, "wire size");
_Static_assert(sizeof(struct ws_zygote_exit) == 64, "wire size");

#endif
