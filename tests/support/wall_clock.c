/* A wall clock that a test sets: CLOCK_REALTIME plus the seconds in the file WALL_SHIFT. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile long *shift_s;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("WALL_SHIFT");
    int file = name ? open(name, O_RDONLY) : -1;
    if (file >= 0) shift_s = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
}

static long shift(void) { return shift_s && shift_s != MAP_FAILED ? *shift_s : 0; }

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(which, at);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
    int failed = real(at, zone);
    if (!failed) at->tv_sec += shift();
    return failed;
}

time_t time(time_t *out) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (out) *out = at.tv_sec;
    return at.tv_sec;
}
