// src/base/workers.h: public. Runs blocking jobs away from the shards.
//
// A job is handed over, run on some worker thread, then given back through its own `finished()`,
// which runs on the worker and only passes the job on (to an inbox or a Handoff). No callback runs
// on a shard. Ownership: the submitter owns the job again when finished() has been called. Thread
// rule: submit from any thread. The simulator's twin runs jobs on the one simulated thread.
#pragma once

#include <cstdint>
#include <memory>

namespace ringtalk::base {

class Job {
 public:
  virtual ~Job() = default;
  virtual void run() noexcept = 0;
  virtual void finished() noexcept = 0;
};

class Workers {
 public:
  virtual ~Workers() = default;
  // False when `waiting_max` jobs wait already: the caller answers "busy".
  [[nodiscard]] virtual bool submit(Job* job) noexcept = 0;
};

// `threads` threads and a bounded queue; the destructor runs what is queued, then joins.
std::unique_ptr<Workers> make_thread_workers(const char* name, uint32_t threads,
                                             uint32_t waiting_max);

}  // namespace ringtalk::base
