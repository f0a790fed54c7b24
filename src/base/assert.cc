#include "base/assert.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace ringtalk::base {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "assertion failed: %s at %s:%d\n", expression, file, line);
  std::fflush(stderr);
  std::abort();
}

void fatal(const char* what_why_and_remedy) noexcept {
  std::fprintf(stderr, "%s\n", what_why_and_remedy);
  std::fflush(stderr);
  ::_exit(2);
}

}  // namespace ringtalk::base
