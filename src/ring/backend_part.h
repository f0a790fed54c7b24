// src/ring/backend_part.h: internal to src/ring. How a back end announces itself to backend.cc.
//
// The build links one definition of each function: the back end's own (uring_backend.cc,
// epoll_backend.cc) or the one that says that this build is without it (*_absent.cc).
// Thread rule: any thread. Invariant: `make` and `connections_max` are called only where `probe`
// passed.
#pragma once

#include <memory>

#include "base/result.h"
#include "ring/backend.h"
#include "ring/options.h"
#include "ring/proactor.h"

namespace ringtalk::ring {

struct BackendPart {
  // Fails with one line: what is missing, why, what to do.
  base::Status<BackendError> (*probe)(const char* uring_mask);
  base::Result<std::unique_ptr<Proactor>, BackendError> (*make)(const ProactorOptions&);
  // What one of `proactors` proactors can hold.
  uint32_t (*connections_max)(uint32_t proactors);
};

// Fails where `mask` has a name that is no feature; a build without io_uring knows no names.
base::Status<BackendError> check_uring_mask(const char* mask);

const BackendPart& uring_part() noexcept;
const BackendPart& epoll_part() noexcept;

}  // namespace ringtalk::ring
