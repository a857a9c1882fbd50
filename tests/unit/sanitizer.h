/*
 * sanitizer.h - which sanitizer this test is built with.
 *
 * Owns: nothing. Context: unit tests of what a sanitizer's runtime stands in the way of.
 * Not here: skipping; say why where it is done.
 */
#ifndef HEAPDIFF_TEST_SANITIZER_H
#define HEAPDIFF_TEST_SANITIZER_H

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { SANITIZER_ADDRESS = 1 };
#else
enum { SANITIZER_ADDRESS = 0 };
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { SANITIZER_THREAD = 1 };
#else
enum { SANITIZER_THREAD = 0 };
#endif

#endif
