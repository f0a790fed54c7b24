#include "ring/backend.h"

#include <sys/resource.h>

#include "base/assert.h"
#include "ring/backend_part.h"

namespace ringtalk::ring {
namespace {

const BackendPart& part_of(Backend backend) {
  ASSERT(backend != Backend::automatic);
  return backend == Backend::io_uring ? uring_part() : epoll_part();
}

}  // namespace

base::Result<BackendChoice, BackendError> choose_backend(Backend wanted, const char* uring_mask) {
  ASSERT(uring_mask != nullptr);
  const base::Status<BackendError> named = check_uring_mask(uring_mask);
  if (!named) return base::Failure{named.error()};
  if (wanted != Backend::automatic) {
    const base::Status<BackendError> probed = part_of(wanted).probe(uring_mask);
    if (!probed) return base::Failure{probed.error()};
    return BackendChoice{wanted, ""};
  }
  const base::Status<BackendError> uring = uring_part().probe(uring_mask);
  if (uring) return BackendChoice{Backend::io_uring, ""};
  if (uring.error().misuse) return base::Failure{uring.error()};
  const base::Status<BackendError> epoll = epoll_part().probe(uring_mask);
  // A build with io_uring alone: its reason is the one to act on.
  if (!epoll) return base::Failure{uring.error()};
  return BackendChoice{Backend::epoll, uring.error().text};
}

base::Result<std::unique_ptr<Proactor>, BackendError> make_proactor(
    Backend backend, const ProactorOptions& options) {
  return part_of(backend).make(options);
}

uint32_t connections_max(Backend backend, uint32_t proactors) {
  ASSERT(proactors > 0);
  return part_of(backend).connections_max(proactors);
}

uint64_t raise_descriptor_limit() {
  rlimit limit{};
  const int got = getrlimit(RLIMIT_NOFILE, &limit);
  ASSERT(got == 0);
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    // The kernel may refuse (fs.nr_open below an unlimited hard limit); what is in force stays.
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return limit.rlim_cur;
}

}  // namespace ringtalk::ring
