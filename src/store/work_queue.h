// src/store/work_queue.h: private to src/store. Works on their way from the shards to the store's
// threads.
//
// Bounded by number and by bytes; nobody who pushes ever waits. Thread rule: push and close from
// any thread; take from the store's own. Invariants: FIFO; a refused request is left as it
// was; after close nothing is accepted, and take gives what is left.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "store/work.h"

namespace ringtalk::store {

class WorkQueue {
 public:
  WorkQueue(uint32_t requests_max, uint64_t bytes_max)
      : requests_max_(requests_max), bytes_max_(bytes_max) {}

  [[nodiscard]] bool push(Request&& request, const Ticket& ticket);
  // Waits for work, then gives at once what is there: at most `requests_max` of at most
  // `bytes_max`, but always one. False: closed and empty.
  [[nodiscard]] bool take(uint32_t requests_max, uint64_t bytes_max, std::vector<Work>& works);
  void close();
  // Closes and forgets what is left: only when nothing may be answered any more.
  void drop();

 private:
  const uint32_t requests_max_;
  const uint64_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> works_;
  uint64_t bytes_ = 0;
  uint32_t waiting_ = 0;
  bool closed_ = false;
};

}  // namespace ringtalk::store
