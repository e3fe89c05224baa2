/* sanitized.h: HEED_SANITIZED is 1 if the tests are compiled with a sanitizer, which makes them
   several times slower. Tests of a grid of sizes then try fewer combinations, but still every
   size. */
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
