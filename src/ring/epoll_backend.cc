// How the epoll back end announces itself.
#include <algorithm>

#include "ring/backend_part.h"
#include "ring/epoll_proactor.h"
#include "ring/token.h"

namespace ringtalk::ring {
namespace {

// What a process needs besides connections: standard streams, store, log, listeners, epoll sets.
constexpr uint64_t kOtherDescriptors = 64;

uint32_t epoll_connections_max(uint32_t proactors) {
  const uint64_t limit = raise_descriptor_limit();
  const uint64_t left = limit > kOtherDescriptors ? limit - kOtherDescriptors : 1;
  return static_cast<uint32_t>(std::clamp<uint64_t>(left / proactors, 1, kSlotsMax));
}

}  // namespace

const BackendPart& epoll_part() noexcept {
  static constexpr BackendPart part = {
      [](const char*) -> base::Status<BackendError> { return base::Done{}; }, &EpollProactor::make,
      &epoll_connections_max};
  return part;
}

}  // namespace ringtalk::ring
