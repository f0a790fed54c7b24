// How the io_uring back end announces itself.
#include <algorithm>

#include "ring/backend_part.h"
#include "ring/token.h"
#include "ring/uring_proactor.h"

namespace ringtalk::ring {
namespace {

// The kernel holds a table of direct descriptors to `ulimit -n` (io_uring/rsrc.c), one for each
// ring.
uint32_t uring_connections_max(uint32_t) {
  const uint64_t limit = raise_descriptor_limit();
  const uint64_t reserve = UringProactor::table_reserve(ProactorOptions{}.listeners);
  const uint64_t left = limit > reserve ? limit - reserve : 1;
  return static_cast<uint32_t>(std::clamp<uint64_t>(left, 1, UringProactor::kTableMax));
}

base::Status<BackendError> uring_probe(const char* mask) {
  const base::Result<UringFeatures, BackendError> features = UringFeatures::probe(mask);
  if (!features) return base::Failure{features.error()};
  return base::Done{};
}

}  // namespace

const BackendPart& uring_part() noexcept {
  static constexpr BackendPart part = {&uring_probe, &UringProactor::make, &uring_connections_max};
  return part;
}

}  // namespace ringtalk::ring
