#include "base/workers.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>

#include "base/assert.h"

namespace ringtalk::base {
namespace {

class ThreadWorkers final : public Workers {
 public:
  ThreadWorkers(const char* name, uint32_t threads, uint32_t waiting_max)
      : waiting_max_(waiting_max) {
    ASSERT(threads > 0 && waiting_max > 0);
    for (uint32_t i = 0; i < threads; i++) {
      threads_.emplace_back([this] { work(); });
      // A thread's name is at most 15 bytes: pthread_setname_np(3).
      const std::string label = std::string(name).substr(0, 12) + "-" + std::to_string(i % 100);
      ::pthread_setname_np(threads_.back().native_handle(), label.c_str());
    }
  }

  ~ThreadWorkers() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  bool submit(Job* job) noexcept override {
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || waiting_.size() >= waiting_max_) return false;
      waiting_.push_back(job);
    }
    changed_.notify_one();
    return true;
  }

 private:
  void work() {
    for (;;) {
      Job* job = nullptr;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        job = waiting_.front();
        waiting_.pop_front();
      }
      job->run();
      job->finished();
    }
  }

  const uint32_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job*> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Workers> make_thread_workers(const char* name, uint32_t threads,
                                             uint32_t waiting_max) {
  return std::make_unique<ThreadWorkers>(name, threads, waiting_max);
}

}  // namespace ringtalk::base
