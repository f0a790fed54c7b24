// The io_uring back end of a build without it.
#include "ring/backend_part.h"

namespace ringtalk::ring {
namespace {

BackendError absent() {
  return {
      "this build has no io_uring back end: use --backend=epoll, or build with "
      "-Dproactor=both (needs liburing)"};
}

}  // namespace

base::Status<BackendError> check_uring_mask(const char*) {
  return base::Done{};
}

const BackendPart& uring_part() noexcept {
  static constexpr BackendPart part = {
      [](const char*) -> base::Status<BackendError> { return base::Failure{absent()}; },
      [](const ProactorOptions&) -> base::Result<std::unique_ptr<Proactor>, BackendError> {
        return base::Failure{absent()};
      },
      [](uint32_t) -> uint32_t { return 0; }};
  return part;
}

}  // namespace ringtalk::ring
