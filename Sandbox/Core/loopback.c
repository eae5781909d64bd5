#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ws_cleanup.h"
#include "ws_namespaces.h"

int ws_loopback_up(void) {
    WS_AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    /* Setting the flags gives "lo" its addresses 127.0.0.1 and ::1 as well; netdevice(7). */
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    return ioctl(fd, SIOCSIFFLAGS, &request);
}

int ws_listen_on_loopback(uint16_t port) {
    WS_AUTO_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* Connections of an earlier container on this port may be in TIME_WAIT; a listener that lives still refuses. */
    const int yes = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0) return -1;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0) return -1;
    return ws_release(&fd);
}
