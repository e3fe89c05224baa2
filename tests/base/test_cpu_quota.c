/* The quota of processor time, from made-up trees of /proc and /sys. */
#include "base/cgroup.h"
#include "base/cpu.h"

#include "support/work.h"
#include <sys/stat.h>

static int trees;
static char root[600];

/* Begins an empty tree. */
static void plant(void)
{
    snprintf(root, sizeof root, "%s/%d", work.folder, trees++);
    assert_int_equal(mkdir(root, 0777), 0);
}

/* Writes a file below the root, with the folders that it stands in. */
static void put(const char *name, const char *text)
{
    char path[1024];
    heed_error error = {0};
    snprintf(path, sizeof path, "%s%s", root, name);
    *strrchr(path, '/') = 0;
    assert_int_equal(heed_directory_make(path, &error), HEED_OK);
    snprintf(path, sizeof path, "%s%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_quota(double expected)
{
    double found = heed_cpu_quota(root);
    if (found < expected - 1e-9 || found > expected + 1e-9)
        fail_msg("tree %d: a quota of %g, expected %g", trees - 1, found, expected);
}

#define MOUNT_2 "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define MOUNT_1                                                                   \
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" \
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"

static void version_2_counts_along_the_path(void **state)
{
    (void)state;
    plant();
    assert_quota(0); /* nothing is there */
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" MOUNT_2);
    assert_quota(0);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    assert_quota(0);
    put("/sys/fs/cgroup/a/cpu.max", "350000 100000\n"); /* an ancestor limits too */
    assert_quota(3.5);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "50000 100000\n");
    assert_quota(0.5);
    put("/sys/fs/cgroup/a/b/cpu.max", "10000\n"); /* the period has a default */
    assert_quota(0.1);
    put("/sys/fs/cgroup/other/cpu.max", "1000 100000\n"); /* not on the path */
    assert_quota(0.1);
    put("/sys/fs/cgroup/cpu.max", "1000 100000\n"); /* a container's own root */
    assert_quota(0.01);
}

static void version_1_has_two_files(void **state)
{
    (void)state;
    plant();
    put("/proc/self/cgroup", "5:cpuset:/a\n4:cpu,cpuacct:/a/b\n1:name=systemd:/\n0::/\n");
    put("/proc/self/mountinfo", MOUNT_1 MOUNT_2);
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    assert_quota(0);
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "120000\n");
    assert_quota(0); /* without a period */
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
    assert_quota(2.4);
    put("/sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "1\n"); /* another controller */
    put("/sys/fs/cgroup/cpuset/a/cpu.cfs_period_us", "50000\n");
    assert_quota(2.4);
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n"); /* both versions at once: the smaller */
    assert_quota(2);
}

static void groups_may_be_mounted_elsewhere(void **state)
{
    (void)state;
    plant(); /* a container sees its group as the root of the mount, the path from outside */
    put("/proc/self/cgroup", "3:cpu:/docker/0123\n");
    put("/proc/self/mountinfo",
        "33 31 0:30 /docker/0123 /groups\\040of/cpu rw - cgroup cgroup rw,cpu\n");
    put("/groups of/cpu/cpu.cfs_quota_us", "150000");
    put("/groups of/cpu/cpu.cfs_period_us", "100000");
    assert_quota(1.5);
    put("/proc/self/cgroup", "3:cpu:/docker/0123/inner\n");
    put("/groups of/cpu/inner/cpu.cfs_quota_us", "70000");
    put("/groups of/cpu/inner/cpu.cfs_period_us", "100000");
    assert_quota(0.7);
    put("/proc/self/cgroup", "3:cpu:/docker/01234\n"); /* a neighbor whose name begins alike */
    assert_quota(1.5);
    put("/proc/self/cgroup", "3:cpu:/../../elsewhere\n"); /* outside of the name space */
    assert_quota(1.5);
    plant();
    put("/proc/self/cgroup", "0::/x\n");
    put("/proc/self/mountinfo", "31 23 0:28 / /run/cgroups rw - cgroup2 none rw\n");
    put("/run/cgroups/x/cpu.max", "800000 100000\n");
    assert_quota(8);
    plant(); /* without mountinfo the usual places are tried */
    put("/proc/self/cgroup", "4:cpu:/y\n0::/x\n");
    put("/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "300000");
    put("/sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "100000");
    assert_quota(3);
    put("/sys/fs/cgroup/x/cpu.max", "250000 100000");
    assert_quota(2.5);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "\n",           "abc 100000\n", "0 100000\n", "-5 100000\n",
        "100000 0\n", "nan 100000\n", "max\n"};
    plant();
    put("/proc/self/cgroup", "garbage\n\n:\n::\n0::/a\n");
    put("/proc/self/mountinfo", "\nshort line - cgroup2\n- - - - - - - -\n" MOUNT_2);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("/sys/fs/cgroup/a/cpu.max", texts[i]);
        assert_quota(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(version_2_counts_along_the_path),
                                       cmocka_unit_test(version_1_has_two_files),
                                       cmocka_unit_test(groups_may_be_mounted_elsewhere),
                                       cmocka_unit_test(nonsense_is_no_limit)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
