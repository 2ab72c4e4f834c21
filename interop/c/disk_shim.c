/*
 * A disk that is slow, or fails, as LD_PRELOAD: DISK_SHIM names a file that says what becomes of each sync.
 * "delay MS" makes it take so much longer, "fail" makes it return EIO; an empty or missing file leaves it alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int sync_file(const char *name, int fd) {
    const char *path = getenv("DISK_SHIM");
    char order[64] = "";
    int control = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (control >= 0) {
        ssize_t length = read(control, order, sizeof order - 1);
        order[length > 0 ? length : 0] = 0;
        close(control);
    }
    long milliseconds;
    if (sscanf(order, "delay %ld", &milliseconds) == 1) {
        struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (strncmp(order, "fail", 4) == 0) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fsync(int fd) {
    return sync_file("fsync", fd);
}

int fdatasync(int fd) {
    return sync_file("fdatasync", fd);
}
