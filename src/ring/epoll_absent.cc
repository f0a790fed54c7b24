// The epoll back end of a build without it.
#include "ring/backend_part.h"

namespace ringtalk::ring {
namespace {

BackendError absent() {
  return {
      "this build has no epoll back end: use --backend=io_uring, or build with -Dproactor=both"};
}

}  // namespace

const BackendPart& epoll_part() noexcept {
  static constexpr BackendPart part = {
      [](const char*) -> base::Status<BackendError> { return base::Failure{absent()}; },
      [](const ProactorOptions&) -> base::Result<std::unique_ptr<Proactor>, BackendError> {
        return base::Failure{absent()};
      },
      [](uint32_t) -> uint32_t { return 0; }};
  return part;
}

}  // namespace ringtalk::ring
