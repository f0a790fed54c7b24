// Peers that take without giving, on real sockets and on each back end: those who never read, and
// those who say nothing. Others go on, memory stays bounded, and what was skipped is told.
#include <sys/resource.h>

#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/real_server.h"

namespace ringtalk::tests {
namespace {

constexpr uint64_t kRoom = 7;
constexpr uint64_t kMiB = 1024 * 1024;

class BadLoad : public OnEachBackend {
 protected:
  bool join(RawClient& client) {
    client.say(client.write().room_join(3, kRoom));
    return client.hear_a<wire::RoomJoined>() != nullptr;
  }
};

TEST_P(BadLoad, AMemberThatNeverReadsMissesWhatItIsToldAndNobodyElseDoes) {
  start({"--set", "limits.outgoing_bytes=64KiB", "--set", "limits.pinned_bytes=4MiB"});
  Statistics statistics(*server_);
  RawClient publisher(server_->port());
  RawClient member(server_->port());
  RawClient idler(server_->port(), 4'096);
  ASSERT_TRUE(log_in(publisher, 1) && join(publisher));
  ASSERT_TRUE(log_in(member, 2) && join(member));
  ASSERT_TRUE(log_in(idler, 3) && join(idler));
  const std::string body(16'000, 'x');
  const uint64_t before = server_->process().resident_bytes();
  // Far more than the kernel's send buffer takes (net.ipv4.tcp_wmem: 4 MiB) and than may be pinned.
  constexpr uint64_t kMessages = 1'500;
  for (uint64_t n = 1; n <= kMessages; n++) {
    publisher.say(publisher.write().room_publish(0, kRoom, as_bytes(body), true));
    for (RawClient* each : {&publisher, &member}) {
      const auto* message = each->hear_a<wire::RoomMessage>();
      ASSERT_NE(message, nullptr);
      ASSERT_EQ(message->n(), n);
    }
  }
  EXPECT_LT(server_->process().resident_bytes(), before + 16 * kMiB);
  EXPECT_GE(statistics["/rooms/skipped"], kMessages / 2);
  // Now it reads: what was queued, then the answer that was queued behind it. The next message
  // tells what is missing, so that every number is there once, as a message or in a gap.
  idler.say(idler.write().echo(9, as_bytes("caught up")));
  uint64_t next = 1;
  uint64_t missed = 0;
  for (bool published = false; next <= kMessages + 1;) {
    const wire::Frame* frame = idler.hear();
    ASSERT_NE(frame, nullptr) << "after " << next;
    if (frame->body_as_Echo() != nullptr) {
      ASSERT_FALSE(published);
      published = true;
      publisher.say(publisher.write().room_publish(0, kRoom, as_bytes("the last one"), true));
    } else if (const auto* gap = frame->body_as_RoomGap(); gap != nullptr) {
      EXPECT_EQ(gap->n(), next + gap->missed() - 1);
      next = gap->n() + 1;
      missed += gap->missed();
    } else {
      const auto* message = frame->body_as_RoomMessage();
      ASSERT_NE(message, nullptr);
      ASSERT_EQ(message->n(), next);
      next++;
    }
  }
  EXPECT_GT(missed, 0u);
  EXPECT_EQ(statistics["/rooms/skipped"], missed);
  EXPECT_TRUE(statistics.comes_to("/outgoing/queued_bytes", 0));
}

TEST_P(BadLoad, WhoAsksAndNeverReadsIsReadNoMore) {
  start({});
  Statistics statistics(*server_);
  RawClient greedy(server_->port(), 4'096);
  RawClient other(server_->port());
  ASSERT_TRUE(log_in(greedy, 1));
  ASSERT_TRUE(log_in(other, 2));
  const uint64_t before = server_->process().resident_bytes();
  const std::string body(16'000, 'x');
  const std::string frame(as_text(greedy.write().echo(3, as_bytes(body))));
  std::string rest;
  uint64_t asked = 0;
  // As much as the kernel takes.
  const auto ask = [&] {
    for (size_t taken = 1; taken > 0; rest.erase(0, taken)) {
      if (rest.empty()) {
        rest = frame;
        asked++;
      }
      taken = greedy.push(rest);
    }
  };
  EXPECT_TRUE(wait_until([&] {
    ask();
    return statistics["/frames/reads_paused"] > 0;
  }));
  ask();
  for (int i = 0; i < 100; i++) {
    other.say(other.write().echo(5, as_bytes("hello")));
    ASSERT_NE(other.hear_a<wire::Echo>(), nullptr);
  }
  EXPECT_LT(server_->process().resident_bytes(), before + 8 * kMiB);
  // Beyond the limit only what had been received before the pause took effect, which the receive
  // buffers bound.
  EXPECT_LT(statistics["/outgoing/queued_bytes"], 4 * kMiB);
  // It changes its mind: each question is answered, the half one too.
  for (uint64_t heard = 0; heard < asked; heard++) {
    if (!rest.empty()) rest.erase(0, greedy.push(rest));
    ASSERT_NE(greedy.hear_a<wire::Echo>(), nullptr) << heard << " of " << asked;
  }
}

// `ulimit -n` of this process, raised to the hard one.
uint64_t descriptors_max() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

TEST_P(BadLoad, FiveThousandSilentSocketsKeepNobodyOut) {
  constexpr uint64_t kSilent = 5'000;
  constexpr uint64_t kMayWait = 1'000;
  constexpr uint64_t kOthers = 100;
  if (descriptors_max() < kSilent + kOthers + 100) GTEST_SKIP() << "ulimit -n is below 5,200";
  start({"--shards", "1", "--set", "limits.prelogin_sockets=" + std::to_string(kMayWait), "--set",
         "limits.login_timeout=1h"});
  Statistics statistics(*server_);
  const uint64_t before = server_->process().resident_bytes();
  std::vector<RawClient> silent;
  std::vector<RawClient> others;
  silent.reserve(kSilent);
  others.reserve(kOthers);
  for (uint64_t n = 0; n < kSilent; n++) {
    silent.emplace_back(server_->port());
    ASSERT_TRUE(silent.back().connected());
    if (n % (kSilent / kOthers) != 0) continue;
    others.emplace_back(server_->port());
    ASSERT_TRUE(log_in(others.back(), n + 1)) << "after " << n << " silent ones";
  }
  ASSERT_EQ(others.size(), kOthers);
  // The oldest were told to go, the newest may still log in.
  EXPECT_EQ(silent.front().hear_error(), wire::ErrorCode::PreLoginEvicted);
  EXPECT_TRUE(silent.front().hear_end());
  EXPECT_TRUE(log_in(silent.back(), kSilent + 1));
  EXPECT_TRUE(
      wait_until([&] { return statistics["/closes/prelogin_evicted"] >= kSilent - kMayWait; }));
  // Each of the others was a newcomer too, and may have cost one of the silent ones its place.
  EXPECT_LE(statistics["/closes/prelogin_evicted"], kSilent - kMayWait + kOthers);
  silent.clear();
  EXPECT_TRUE(statistics.comes_to("/sessions/open", kOthers + 1));
  EXPECT_EQ(statistics["/sessions/online"], kOthers + 1);
  for (RawClient& each : others) {
    each.say(each.write().echo(4, as_bytes("still here")));
    ASSERT_NE(each.hear_a<wire::Echo>(), nullptr);
  }
  EXPECT_LT(server_->process().resident_bytes(), before + 8 * kMiB);
}

ON_EACH_BACKEND(BadLoad);

}  // namespace
}  // namespace ringtalk::tests
