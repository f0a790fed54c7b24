// src/ring/backend.h: public. Chooses and makes the proactors of this build.
//
// Which back ends exist is decided by the source files of the build
// (-Dproactor=both|io_uring|epoll); what runs is decided here at start. The only factory: no caller
// names a concrete class.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "ring/options.h"

namespace ringtalk::ring {

class Proactor;

enum class Backend : uint8_t { automatic, io_uring, epoll };

struct BackendChoice {
  Backend backend;     // never automatic
  std::string reason;  // empty, or one line: why io_uring is not used and the remedy
};

struct BackendError {
  std::string text;     // one line: what, why, what to do
  bool misuse = false;  // no host would take it: nothing to fall back from
};

// Probes once, with a ring of its own. `automatic` falls back to epoll with a reason; a back end
// that was asked for by name and cannot run is an error, and so is, whatever is chosen, a name in
// the mask that is no feature.
base::Result<BackendChoice, BackendError> choose_backend(Backend wanted, const char* uring_mask);

base::Result<std::unique_ptr<Proactor>, BackendError> make_proactor(Backend backend,
                                                                    const ProactorOptions& options);

// How many connections one proactor can hold here (the direct-descriptor table or `ulimit -n`),
// after the soft limit was raised to the hard one. `proactors` share a process' descriptors on
// epoll.
uint32_t connections_max(Backend backend, uint32_t proactors);

// Raises RLIMIT_NOFILE's soft limit to the hard one; answers the limit in force.
uint64_t raise_descriptor_limit();

}  // namespace ringtalk::ring
