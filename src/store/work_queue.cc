#include "store/work_queue.h"

#include <utility>

#include "base/assert.h"

namespace ringtalk::store {

bool WorkQueue::push(Request&& request, const Ticket& ticket) {
  const uint64_t bytes = bytes_of(request);
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (closed_ || works_.size() >= requests_max_ || bytes_ + bytes > bytes_max_) return false;
    works_.push_back({std::move(request), ticket});
    bytes_ += bytes;
    wake = waiting_ > 0;
  }
  if (wake) changed_.notify_one();
  return true;
}

bool WorkQueue::take(uint32_t requests_max, uint64_t bytes_max, std::vector<Work>& works) {
  ASSERT(requests_max > 0);
  works.clear();
  std::unique_lock lock(mutex_);
  waiting_++;
  changed_.wait(lock, [this] { return closed_ || !works_.empty(); });
  waiting_--;
  uint64_t taken = 0;
  while (!works_.empty() && works.size() < requests_max) {
    const uint64_t bytes = bytes_of(works_.front().request);
    if (!works.empty() && taken + bytes > bytes_max) break;
    taken += bytes;
    works.push_back(std::move(works_.front()));
    works_.pop_front();
  }
  ASSERT(bytes_ >= taken);
  bytes_ -= taken;
  return !works.empty();
}

void WorkQueue::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
}

void WorkQueue::drop() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  works_.clear();
  bytes_ = 0;
}

}  // namespace ringtalk::store
