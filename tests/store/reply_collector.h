// tests/store/reply_collector.h: tests. A sink that keeps replies until the test asks for them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace ringtalk::store::test {

class ReplyCollector final : public ReplySink {
 public:
  void deliver(uint32_t shard, std::unique_ptr<ReplyBatch> batch) noexcept override {
    {
      std::lock_guard lock(mutex_);
      if (!failure_.empty()) delivered_after_failure_ = true;
      for (Reply& reply : batch->replies) {
        if (reply.ticket.shard != shard) wrong_shard_ = true;
        replies_.push_back(std::move(reply));
      }
      batches_++;
    }
    changed_.notify_all();
  }
  void store_failed(const std::string& reason) noexcept override {
    {
      std::lock_guard lock(mutex_);
      failure_ = reason;
    }
    changed_.notify_all();
  }

  // Fewer when the store has failed, or when nothing comes for a minute: then the test fails.
  std::vector<Reply> wait(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::minutes(1),
                      [&] { return replies_.size() >= count || !failure_.empty(); });
    return std::exchange(replies_, {});
  }
  std::vector<Reply> take() {
    std::lock_guard lock(mutex_);
    return std::exchange(replies_, {});
  }
  std::string failure() {
    std::lock_guard lock(mutex_);
    return failure_;
  }
  // The next store is another life.
  void forget_failure() {
    std::lock_guard lock(mutex_);
    failure_.clear();
  }
  std::string wait_failure() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::minutes(1), [&] { return !failure_.empty(); });
    return failure_;
  }
  size_t batches() {
    std::lock_guard lock(mutex_);
    return batches_;
  }
  bool delivered_after_failure() {
    std::lock_guard lock(mutex_);
    return delivered_after_failure_;
  }
  bool wrong_shard() {
    std::lock_guard lock(mutex_);
    return wrong_shard_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Reply> replies_;
  std::string failure_;
  size_t batches_ = 0;
  bool delivered_after_failure_ = false;
  bool wrong_shard_ = false;
};

}  // namespace ringtalk::store::test
