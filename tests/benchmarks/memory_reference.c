/* Read and triad (STREAM, McCalpin) with threads, to compare with smolpc's numbers.
   memory_reference BYTES THREADS ROUNDS prints the best bytes a second of both. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double *a, *b, *c;
static size_t each;
static int rounds, threads, kind;
static pthread_barrier_t gate;
static volatile double sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void *work(void *arg) {
    size_t from = (size_t)(intptr_t)arg * each, to = from + each;
    for (size_t i = from; i < to; i++) { a[i] = 0; b[i] = 1; c[i] = 2; }
    for (kind = 0; kind < 2; ) {
        for (int r = 0; r < rounds; r++) {
            pthread_barrier_wait(&gate);
            if (kind == 0) {
                int64_t s[32] = {0};
                const int64_t *p = (const int64_t *)b;
                for (size_t i = from; i + 32 <= to; i += 32)
                    for (int k = 0; k < 32; k++) s[k] ^= p[i + k];
                int64_t all = 0;
                for (int k = 0; k < 32; k++) all ^= s[k];
                sink = (double)all;
            } else {
                for (size_t i = from; i < to; i++) a[i] = b[i] + 3.0 * c[i];
            }
            pthread_barrier_wait(&gate);
        }
        pthread_barrier_wait(&gate); /* the main thread changes `kind` between these two */
        pthread_barrier_wait(&gate);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    size_t bytes = strtoull(argv[1], NULL, 10);
    threads = atoi(argv[2]);
    rounds = atoi(argv[3]);
    each = bytes / sizeof(double) / threads / 32 * 32;
    size_t whole = each * threads * sizeof(double);
    a = aligned_alloc(64, whole);
    b = aligned_alloc(64, whole);
    c = aligned_alloc(64, whole);
    if (!a || !b || !c) return 3;
    pthread_barrier_init(&gate, NULL, threads + 1);
    pthread_t *ids = malloc(threads * sizeof(*ids));
    for (intptr_t t = 0; t < threads; t++) pthread_create(&ids[t], NULL, work, (void *)t);
    const char *names[2] = {"read", "triad"};
    for (int k = 0; k < 2; k++) {
        double best = 1e30;
        for (int r = 0; r < rounds; r++) {
            pthread_barrier_wait(&gate);
            double start = now();
            pthread_barrier_wait(&gate);
            double took = now() - start;
            if (took < best) best = took;
        }
        printf("%s %.0f\n", names[k], (k ? 3 : 1) * (double)whole / best);
        pthread_barrier_wait(&gate);
        kind = k + 1;
        pthread_barrier_wait(&gate);
    }
    for (int t = 0; t < threads; t++) pthread_join(ids[t], NULL);
    return 0;
}
