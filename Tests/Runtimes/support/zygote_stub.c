/* Stands in for libwayside-zygote in the tests of the zygote: the same functions, with a launcher that is the test itself.
 *
 * A request is one byte with the child's fd 3 beside it (SCM_RIGHTS); the reply is the pid. The child gets a PID
 * namespace of its own by a raw clone, as from the real library: the C library's fork handlers do not run, and all
 * children have process id 1. That is what makes randomness after the fork worth testing.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int child_fd = -1;

int ws_zygote_ready(int fd)
{
    return write(fd, "R", 1) == 1 ? 0 : -1;
}

static int receive_request(int fd)
{
    char byte, control[CMSG_SPACE(sizeof(int))];
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    memcpy(&child_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof child_fd);
    return 0;
}

static int enter(void)
{
    if (dup2(child_fd, 3) != 3)
        return -1;
    return (int)syscall(SYS_close_range, 4u, ~0u, 0u);
}

int ws_zygote_serve(int fd, void (*forked)(void))
{
    while (receive_request(fd) == 0) {
        int32_t pid = (int32_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
        if (pid == 0) {
            forked();
            if (enter() != 0)
                _exit(70);
            return 0;
        }
        close(child_fd);
        if (write(fd, &pid, sizeof pid) != sizeof pid)
            return -1;
    }
    return -1;
}
