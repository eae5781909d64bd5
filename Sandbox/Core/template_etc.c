/* /etc of the sandbox: what the C library, TLS libraries and interpreters read, and nothing that tells of the host. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "ws_cleanup.h"
#include "ws_kernel.h"
#include "ws_mounts.h"

#define ETC_PATH_MAX 4096
#define COPY_DEPTH_MAX 4
#define COPY_BYTES_MAX (16l * 1024 * 1024)

static const struct {
    const char *name, *text;
} written[] = {
    {"passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
               "sbx_user1051:x:1051:1051::/tmp:/usr/sbin/nologin\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\nsbx_user1051:x:1051:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"},
    {"hostname", "wayside\n"},
    {"resolv.conf", ""}, /* no network, so no name server: look-ups fail at once instead of timing out */
    {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
};

static const char *const copied[] = {
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl/openssl.cnf", "ssl/certs", "ca-certificates.conf", "localtime",
    "timezone", "alternatives", "python3", "python3.11", "python3.12", "python3.13", "mime.types", "protocols", "services",
    "os-release", "locale.alias", "gai.conf", "host.conf", "pki",
};

int ws_copy_file(const char *source, const char *target) {
    WS_AUTO_CLOSE int from = open(source, O_RDONLY | O_CLOEXEC);
    struct stat found;
    if (from < 0 || fstat(from, &found) < 0) return -1;
    if (!S_ISREG(found.st_mode) || (found.st_mode & S_IROTH) == 0 || found.st_size > COPY_BYTES_MAX) return 0;
    WS_AUTO_CLOSE int to = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0755);
    if (to < 0 || fchmod(to, found.st_mode & 0755) < 0) return -1;
    for (off_t left = found.st_size; left > 0;) {
        ssize_t moved = sendfile(to, from, NULL, (size_t)left);
        if (moved <= 0) return -1;
        left -= moved;
    }
    return 0;
}

static int copy_entry(const char *source, const char *target, int depth);

static int copy_directory(const char *source, const char *target, int depth) {
    DIR *entries = opendir(source);
    if (entries == NULL) return errno == EACCES ? 0 : -1;
    int result = mkdir(target, 0755);
    char from[ETC_PATH_MAX], to[ETC_PATH_MAX];
    for (struct dirent *entry; result == 0 && (entry = readdir(entries)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(from, sizeof from, "%s/%s", source, entry->d_name);
        snprintf(to, sizeof to, "%s/%s", target, entry->d_name);
        result = copy_entry(from, to, depth - 1);
    }
    closedir(entries);
    return result;
}

static int copy_entry(const char *source, const char *target, int depth) {
    struct stat found;
    if (lstat(source, &found) < 0) return errno == ENOENT || errno == EACCES ? 0 : -1;
    if (S_ISDIR(found.st_mode))
        return depth == 0 || (found.st_mode & S_IROTH) == 0 ? 0 : copy_directory(source, target, depth);
    if (S_ISREG(found.st_mode)) return ws_copy_file(source, target) < 0 && errno != EACCES ? -1 : 0;
    if (!S_ISLNK(found.st_mode)) return 0;
    char link[ETC_PATH_MAX];
    ssize_t length = readlink(source, link, sizeof link - 1);
    if (length < 0) return -1;
    link[length] = '\0';
    return symlink(link, target);
}

int ws_template_build_etc(const char *root) {
    char source[ETC_PATH_MAX], target[ETC_PATH_MAX];
    snprintf(target, sizeof target, "%s/etc/ssl", root);
    if (mkdir(target, 0755) < 0) return -1;
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        snprintf(source, sizeof source, "/etc/%s", copied[i]);
        snprintf(target, sizeof target, "%s/etc/%s", root, copied[i]);
        if (copy_entry(source, target, COPY_DEPTH_MAX) < 0) return -1;
    }
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        snprintf(target, sizeof target, "%s/etc/%s", root, written[i].name);
        WS_AUTO_CLOSE int fd = open(target, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        size_t length = strlen(written[i].text);
        if (fd < 0 || fchmod(fd, 0644) < 0 || write(fd, written[i].text, length) != (ssize_t)length) return -1;
    }
    return 0;
}
