/* Kills, starves or watches a process at its writes. Loaded with LD_PRELOAD; armed through ctypes.

   heso_arm(KILL_BEFORE_SYNC, k)  the k-th fsync or fdatasync never happens: SIGKILL
   heso_arm(KILL_AFTER_SYNC, k)   it happens, and nobody is told
   heso_arm(EIO_AT_SYNC, k)       it fails once with EIO
   heso_arm(ENOSPC_AT_WRITE, k)   the k-th write to a file fails, and all after it, with ENOSPC
   heso_trace(fd)                 every write, truncation and sync of a file is logged to fd, for power-loss images
   heso_count()                   how many of what was armed for were seen
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOTHING, KILL_BEFORE_SYNC, KILL_AFTER_SYNC, EIO_AT_SYNC, ENOSPC_AT_WRITE };

static int armed = NOTHING;
static long at = 0, seen = 0;
static int log_fd = -1;

void heso_arm(int mode, long k) { armed = mode; at = k; seen = 0; }
long heso_count(void) { return seen; }
void heso_trace(int fd) { log_fd = fd; }

static void note(char what, int fd, int64_t offset, const void *data, uint64_t size) {
    char link[64], path[4096];
    if (log_fd < 0 || fd == log_fd) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0 || path[0] != '/') return;
    path[n] = 0;
    uint32_t length = (uint32_t)n;
    uint64_t kept = what == 'w' ? size : 0;
    syscall(SYS_write, log_fd, &what, 1);
    syscall(SYS_write, log_fd, &length, 4);
    syscall(SYS_write, log_fd, path, n);
    syscall(SYS_write, log_fd, &offset, 8);
    syscall(SYS_write, log_fd, &size, 8);
    if (kept) syscall(SYS_write, log_fd, data, kept);
}

static int sync_as_armed(int fd, int (*real)(int)) {
    int mine = 0;
    if (armed == KILL_BEFORE_SYNC || armed == KILL_AFTER_SYNC || armed == EIO_AT_SYNC) mine = ++seen == at;
    if (mine && armed == KILL_BEFORE_SYNC) kill(getpid(), SIGKILL);
    if (mine && armed == EIO_AT_SYNC) { errno = EIO; return -1; }
    int result = real(fd);
    if (mine && armed == KILL_AFTER_SYNC) kill(getpid(), SIGKILL);
    note('s', fd, 0, 0, 0);
    return result;
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return sync_as_armed(fd, real);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return sync_as_armed(fd, real);
}

static int is_full(int fd) {
    struct stat found;
    if (armed != ENOSPC_AT_WRITE || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return 0;
    return ++seen >= at;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    if (is_full(fd)) { errno = ENOSPC; return -1; }
    ssize_t result = real(fd, data, size, offset);
    if (result > 0) note('w', fd, offset, data, (uint64_t)result);
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (is_full(fd)) { errno = ENOSPC; return -1; }
    off_t before = lseek(fd, 0, SEEK_CUR);
    struct stat found;
    ssize_t result = real(fd, data, size);
    if (result > 0 && before >= 0 && fstat(fd, &found) == 0 && S_ISREG(found.st_mode))
        note('w', fd, lseek(fd, 0, SEEK_CUR) - result, data, (uint64_t)result);
    return result;
}

int ftruncate64(int fd, off64_t size) {
    static int (*real)(int, off64_t);
    if (!real) real = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    int result = real(fd, size);
    if (result == 0) note('t', fd, size, 0, 0);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
