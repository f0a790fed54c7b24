#include "tests/store/store_under_test.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "store/open_store.h"
#include "tests/store/reply_collector.h"
#include "tests/support/simulated_store.h"

namespace ringtalk::store::test {
namespace {

class OpenedStoreUnderTest final : public StoreUnderTest {
 public:
  explicit OpenedStoreUnderTest(StoreUrl url) : url_(std::move(url)) { open(); }

  Store& store() override { return *opened_.store; }
  std::vector<Reply> wait(size_t count) override { return replies_.wait(count); }
  void reopen() override {
    opened_.store->stop();
    opened_.store.reset();
    open();
  }

 private:
  void open() {
    auto opened = open_store(url_, replies_, clock_, StoreOptions{});
    if (!opened.ok()) throw std::runtime_error(opened.error().line);
    opened_ = std::move(*opened);
  }

  const StoreUrl url_;
  base::SystemClock clock_;
  ReplyCollector replies_;
  OpenedStore opened_;
};

class SimulatedStoreUnderTest final : public StoreUnderTest {
 public:
  SimulatedStoreUnderTest() { reopen(); }

  Store& store() override { return *store_; }
  std::vector<Reply> wait(size_t count) override {
    while (store_->due_ns() != UINT64_MAX) {
      if (store_->step()) continue;
      clock_.advance_ns(store_->due_ns() - clock_.now_ns());
    }
    return replies_.wait(count);
  }
  void reopen() override {
    if (store_ != nullptr) store_->stop();
    tests::StoreFaults faults;
    faults.race = 0.1;
    faults.unknown_before = 0.1;
    faults.unknown_after = 0.1;
    constexpr uint64_t kSeed = 42;
    store_ = std::make_unique<tests::SimulatedStore>(disk_, replies_, clock_, kSeed, faults);
  }

 private:
  base::ManualClock clock_;
  ReplyCollector replies_;
  tests::SimulatedDisk disk_;
  std::unique_ptr<tests::SimulatedStore> store_;
};

}  // namespace

std::vector<Reply> StoreUnderTest::ask_all(std::vector<Request> requests) {
  const size_t count = requests.size();
  for (size_t i = 0; i < count; i++) {
    EXPECT_TRUE(store().submit(std::move(requests[i]), Ticket{0, 0, 0, 0, i + 1}));
  }
  std::vector<Reply> replies = wait(count);
  EXPECT_EQ(replies.size(), count);
  return replies;
}

Answer StoreUnderTest::ask(Request request) {
  std::vector<Request> one;
  one.push_back(std::move(request));
  std::vector<Reply> replies = ask_all(std::move(one));
  return replies.empty() ? Answer{Failed{}} : std::move(replies[0].answer);
}

void StoreUnderTest::unexpected(const Answer& answer) {
  const Failed* failed = std::get_if<Failed>(&answer);
  ADD_FAILURE() << "answer " << answer.index() << ": "
                << (failed != nullptr ? to_string(failed->error) : "not the expected kind");
}

std::unique_ptr<StoreUnderTest> make_sqlite_file(const std::string& folder) {
  return std::make_unique<OpenedStoreUnderTest>(
      StoreUrl{StoreUrl::Kind::sqlite, folder + "/store.db"});
}

std::unique_ptr<StoreUnderTest> make_sqlite_memory(const std::string&) {
  return std::make_unique<OpenedStoreUnderTest>(StoreUrl{});
}

std::unique_ptr<StoreUnderTest> make_simulated(const std::string&) {
  return std::make_unique<SimulatedStoreUnderTest>();
}

}  // namespace ringtalk::store::test
