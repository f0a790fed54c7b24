#include "base/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <vector>

namespace ringtalk::base {
namespace {

class CountingJob final : public Job {
 public:
  CountingJob(std::atomic<int>& runs, std::counting_semaphore<>& done) : runs_(runs), done_(done) {}
  void run() noexcept override { runs_++; }
  void finished() noexcept override { done_.release(); }

 private:
  std::atomic<int>& runs_;
  std::counting_semaphore<>& done_;
};

class BlockedJob final : public Job {
 public:
  void run() noexcept override {
    started.release();
    go.acquire();
  }
  void finished() noexcept override { done.release(); }

  std::binary_semaphore started{0}, go{0}, done{0};
};

TEST(Workers, RunsEveryJobOnceAndGivesItBack) {
  std::atomic<int> runs{0};
  std::counting_semaphore<> done{0};
  std::vector<CountingJob> jobs(100, CountingJob(runs, done));
  const auto workers = make_thread_workers("test", 2, 100);
  for (CountingJob& job : jobs) ASSERT_TRUE(workers->submit(&job));
  for (size_t i = 0; i < jobs.size(); i++) done.acquire();
  EXPECT_EQ(runs, 100);
}

TEST(Workers, RefusesBeyondItsQueueAndFinishesWhatWaitsAtTheEnd) {
  std::atomic<int> runs{0};
  std::counting_semaphore<> done{0};
  CountingJob waiting(runs, done), refused(runs, done);
  BlockedJob blocked;
  auto workers = make_thread_workers("test", 1, 1);
  ASSERT_TRUE(workers->submit(&blocked));
  blocked.started.acquire();
  ASSERT_TRUE(workers->submit(&waiting));
  EXPECT_FALSE(workers->submit(&refused));
  blocked.go.release();
  workers.reset();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace ringtalk::base
