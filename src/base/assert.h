// src/base/assert.h: public. Assertions that stay on in release builds.
//
// ASSERT states what the programmer guarantees. It is never used for what a peer, a file or the
// kernel may do: those are expected failures and return a Result. A failed assertion prints its
// place and aborts, so that a core shows the state that broke.
#pragma once

namespace ringtalk::base {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

// Misconfiguration at start: prints one line, exits with status 2 without running destructors.
[[noreturn]] void fatal(const char* what_why_and_remedy) noexcept;

}  // namespace ringtalk::base

#define ASSERT(expression)                            \
  (__builtin_expect(static_cast<bool>(expression), 1) \
       ? static_cast<void>(0)                         \
       : ::ringtalk::base::assertion_failed(#expression, __FILE__, __LINE__))

#define UNREACHABLE() ::ringtalk::base::assertion_failed("unreachable", __FILE__, __LINE__)
