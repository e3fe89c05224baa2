/* sanitized.h: whether a sanitizer watches, under which a test takes several times as long. Tests
   that walk a grid of sizes then take fewer combinations; every size keeps its turn. */
#ifndef HEED_TESTS_SANITIZED_H
#define HEED_TESTS_SANITIZED_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HEED_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HEED_SANITIZED 1
#endif
#ifndef HEED_SANITIZED
#define HEED_SANITIZED 0
#endif

#endif
