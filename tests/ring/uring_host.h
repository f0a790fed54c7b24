// tests/ring/uring_host.h: internal to tests/ring. Whether this host lets io_uring run.
//
// A test that needs it calls SKIP_WITHOUT_URING(): skipped with cause and remedy where the host
// forbids it, failed there with CI=true. Thread rule: tests only. Invariant: none.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "ring/backend.h"

namespace ringtalk::ring {

inline std::string why_no_uring() {
  const auto choice = choose_backend(Backend::io_uring, "");
  return choice ? std::string() : choice.error().text;
}

inline bool runs_in_ci() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string_view(ci) == "true";
}

}  // namespace ringtalk::ring

#define SKIP_WITHOUT_URING()                                  \
  do {                                                        \
    const std::string why = ::ringtalk::ring::why_no_uring(); \
    if (!why.empty() && ::ringtalk::ring::runs_in_ci()) {     \
      FAIL() << why;                                          \
    } else if (!why.empty()) {                                \
      GTEST_SKIP() << why;                                    \
    }                                                         \
  } while (false)
