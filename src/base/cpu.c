/* cpu.c: asks the processor and the system what they support (cpu.h). */
#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[HEED_ISA_COUNT] = {"generic", "avx2", "avx512"};

heed_isa heed_isa_detect(void)
{
#if defined(__x86_64__)
    /* F16C is bit 29 of ECX in CPUID leaf 1. Not every compiler knows its name. */
    unsigned a, b, c = 0, d;
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __get_cpuid(1, &a, &b, &c, &d) && c >> 29 & 1))
        return HEED_ISA_GENERIC;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512vl");
    return wide ? HEED_ISA_AVX512 : HEED_ISA_AVX2;
#else
    return HEED_ISA_GENERIC;
#endif
}

bool heed_isa_has_bf16(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

bool heed_isa_has_vnni(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *heed_isa_name(heed_isa isa)
{
    return isa < HEED_ISA_COUNT ? names[isa] : "an unknown instruction set";
}

heed_status heed_isa_choose(heed_isa *isa, heed_error *error)
{
    heed_isa best = heed_isa_detect();
    const char *wanted = getenv("HEED_ISA");
    *isa = best;
    if (!wanted || !*wanted) return HEED_OK;
    for (int level = 0; level < HEED_ISA_COUNT; level++) {
        if (strcmp(wanted, names[level])) continue;
        if (level > (int)best)
            return heed_fail(error, HEED_E_ARG, "HEED_ISA=%s: this machine supports at most %s",
                             wanted, names[best]);
        *isa = (heed_isa)level;
        return HEED_OK;
    }
    return heed_fail(error, HEED_E_ARG, "HEED_ISA=%s: expected generic, avx2 or avx512", wanted);
}

/* Reads the first line of a file in /sys/devices/system/cpu/cpu0/cache/indexN. Returns false if it
   cannot be read. */
static bool read_cache_line(int index, const char *name, char *line, int capacity)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, name);
    FILE *file = fopen(path, "re");
    bool read = file && fgets(line, capacity, file);
    if (file) fclose(file);
    return read;
}

size_t heed_cache_level_bytes(int level)
{
    char line[64];
    for (int index = 0; index < 16 && read_cache_line(index, "level", line, sizeof line); index++) {
        if (atoi(line) != level || !read_cache_line(index, "type", line, sizeof line) ||
            !strncmp(line, "Instruction", 11))
            continue;
        if (!read_cache_line(index, "size", line, sizeof line)) continue;
        char *unit;
        size_t size = strtoul(line, &unit, 10);
        if (*unit == 'K') size <<= 10;
        else if (*unit == 'M') size <<= 20;
        return size;
    }
    return 0;
}

void heed_cpu_name(char *name, int capacity)
{
    snprintf(name, (size_t)capacity, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        colon += strspn(colon, ": \t");
        colon[strcspn(colon, "\n")] = 0;
        snprintf(name, (size_t)capacity, "%s", colon);
        break;
    }
    fclose(file);
}
