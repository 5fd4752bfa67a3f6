/* Descriptors handed over: a socket pair, and a real TUN device (which needs rights).
 *
 *     descriptors DIRECTORY [tun]
 *
 * With a TUN device, alice's kernel pings bob's network, and what comes out of bob's socket is looked
 * at; what is written there comes out of alice's device. */
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "world.h"

/* Sends the packet through one descriptor until it comes out of the other. */
static void arrive(int from, int to, const uint8_t *packet, size_t len) {
    uint8_t arrived[10240];
    for (int i = 0; i < 300; i++) {
        if (write(from, packet, len) != (ssize_t)len)
            perror("write");
        struct pollfd polled = {to, POLLIN, 0};
        while (poll(&polled, 1, 100) == 1) {
            ssize_t got = read(to, arrived, sizeof arrived);
            if (got == (ssize_t)len && memcmp(arrived, packet, len) == 0)
                return;
        }
    }
    fprintf(stderr, "no packet arrives\n");
    exit(1);
}

static int pair(zt_node node, uint64_t network) {
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0)
        exit(1);
    CHECK(zt_network_attach_tun(node, network, fds[0], NULL));
    /* The node has a duplicate. */
    close(fds[0]);
    return fds[1];
}

/* Opens a TUN device and gives it an address, as a VPN service of a phone does. */
static int tun(const uint8_t ip[4]) {
    struct ifreq request;
    char command[200];
    int fd = open("/dev/net/tun", O_RDWR);
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strcpy(request.ifr_name, "ztabi%d");
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        perror("a TUN device");
        exit(1);
    }
    snprintf(command, sizeof command, "ip addr add %u.%u.%u.%u/24 dev %s && ip link set %s up", ip[0],
             ip[1], ip[2], ip[3], request.ifr_name, request.ifr_name);
    if (system(command) != 0)
        exit(1);
    return fd;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    struct world world;
    uint8_t alice_ip[4], bob_ip[4], out[128], in[128];
    world_start(&world, argv[1], 19874);
    zt_node alice = world_node(&world, "alice", 0, NULL, "127.0.0.1:0");
    zt_node bob = world_node(&world, "bob", 0, NULL, "127.0.0.1:0");
    world_admit(&world, alice, alice_ip);
    world_admit(&world, bob, bob_ip);
    size_t len = world_packet(out, alice_ip, bob_ip, 40);
    world_packet(in, bob_ip, alice_ip, 40);

    int at_alice = pair(alice, world.network), at_bob = pair(bob, world.network);
    arrive(at_alice, at_bob, out, len);
    arrive(at_bob, at_alice, in, len);

    /* Another takes its place: what is in the old one is not lost. */
    if (write(at_alice, out, len) != (ssize_t)len)
        return 1;
    int next = pair(alice, world.network);
    struct pollfd polled = {at_bob, POLLIN, 0};
    if (poll(&polled, 1, 5000) != 1 || read(at_bob, in, sizeof in) != (ssize_t)len)
        return 1;
    close(at_alice);
    world_packet(in, bob_ip, alice_ip, 40);
    arrive(at_bob, next, in, len);

    if (argc > 2 && strcmp(argv[2], "tun") == 0) {
        int device = tun(alice_ip);
        char command[200];
        CHECK(zt_network_attach_tun(alice, world.network, device, NULL));
        close(device);
        snprintf(command, sizeof command, "ping -c 20 -i 0.2 -w 4 %u.%u.%u.%u >/dev/null &", bob_ip[0],
                 bob_ip[1], bob_ip[2], bob_ip[3]);
        if (system(command) != 0)
            return 1;
        uint8_t ping[10240];
        ssize_t got;
        do {
            struct pollfd polled_bob = {at_bob, POLLIN, 0};
            if (poll(&polled_bob, 1, 10000) != 1)
                return 1;
            got = read(at_bob, ping, sizeof ping);
        } while (got < 28 || ping[9] != 1 || ping[20] != 8);
        printf("descriptors: an echo request of the kernel came through the TUN device\n");
    }

    close(next);
    close(at_bob);
    CHECK(zt_node_free(alice));
    CHECK(zt_node_free(bob));
    world_stop(&world);
    printf("descriptors: packets passed between descriptors, and none was lost in a swap\n");
    return 0;
}
