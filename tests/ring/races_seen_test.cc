// ThreadSanitizer sees a race between two shards although a message passed between them through
// io_uring. Built with ThreadSanitizer only. All rings once announced one order to it, in which
// every completion came after every submission of the process: that hid such races.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "ring/backend.h"
#include "ring/proactor.h"
#include "uring_host.h"

namespace ringtalk::ring {
namespace {

constexpr int kExitOfTsan = 66;

std::unique_ptr<Proactor> make_ring() {
  auto made = make_proactor(Backend::io_uring, {});
  return made ? std::move(*made) : nullptr;
}

// One shard: does `on_bytes` with what it receives.
struct Shard final : Handler {
  std::unique_ptr<Proactor> proactor = make_ring();
  std::function<void()> on_bytes = [] {};
  ConnectionId open{};
  bool sent = false;
  bool ended = false;

  void complete(const Completion& completion) override {
    switch (completion.operation) {
      case Operation::accept:
      case Operation::connect:
        open = completion.connection;
        if (open != ConnectionId{}) proactor->receive(open);
        return;
      case Operation::receive:
        if (!completion.bytes.empty()) on_bytes();
        ended = ended || !completion.more;
        return;
      case Operation::send:
        sent = true;
        return;
      default:
        return;
    }
  }
  template <class Until>
  void run(Until until) {
    while (!until()) proactor->run_once(16, UINT64_MAX, *this);
  }
};

// The first shard does `before` and sends `word`; the second, on a thread of its own, receives it
// and does `after`.
void pass_a_word(std::string& word, const std::function<void()>& before,
                 const std::function<void()>& after) {
  Shard first;
  auto second = std::make_unique<Shard>();
  second->on_bytes = after;
  const Address at =
      second->proactor->listener_address(*second->proactor->listen(Address::loopback(0), {}));
  std::thread thread([owned = std::move(second)] { owned->run([&] { return owned->ended; }); });
  const ConnectionId to = *first.proactor->connect(at, nullptr);
  first.run([&] { return first.open == to; });
  before();
  const iovec vector{word.data(), word.size()};
  first.proactor->send(to, {&vector, 1});
  first.run([&] { return first.sent; });
  first.proactor->shutdown_write(to);
  first.run([&] { return first.ended; });
  thread.join();
  std::exit(0);
}

class RacesSeen : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_URING();
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
  // ThreadSanitizer remembers four accesses to eight bytes: six single ones push each other out.
  std::string word_ = std::string(64, 'w');
  int shared_ = 0;
  int seen_ = 0;
};

using RacesSeenDeathTest = RacesSeen;

TEST_F(RacesSeenDeathTest, NoneWhereTheShardsHandOverThemselves) {
  std::atomic<bool> ready{false};
  const auto before = [&] {
    shared_ = 1;
    ready.store(true, std::memory_order_release);
  };
  const auto after = [&] {
    if (ready.load(std::memory_order_acquire)) seen_ = shared_;
  };
  EXPECT_EXIT(pass_a_word(word_, before, after), testing::ExitedWithCode(0), "");
}

TEST_F(RacesSeenDeathTest, AMessageHandsOverNothing) {
  const auto before = [&] { shared_ = 1; };
  const auto after = [&] { seen_ = shared_; };
  EXPECT_EXIT(pass_a_word(word_, before, after), testing::ExitedWithCode(kExitOfTsan), "data race");
}

TEST_F(RacesSeenDeathTest, BytesOfASendAreReadByTheKernel) {
  const auto after = [&] { word_[0] = 'A'; };
  EXPECT_EXIT(pass_a_word(
                  word_, [] {}, after),
              testing::ExitedWithCode(kExitOfTsan), "data race");
}

}  // namespace
}  // namespace ringtalk::ring
