// What survives kill -9, failing flushes and a full disk: a child process writes, the test ends it
// and looks at what it left.
#include <gtest/gtest.h>

#include <signal.h>

#include <map>
#include <sstream>

#include "tests/store/chatters.h"
#include "tests/store/store_under_test.h"
#include "tests/support/process.h"

namespace ringtalk::store::test {
namespace {

using tests::Finished;
using tests::Process;

struct Ack {
  check::MessageKey id;
  uint64_t seq;
};

std::string child() {
  return std::string(std::getenv("RINGTALK_BUILD") != nullptr ? std::getenv("RINGTALK_BUILD")
                                                              : ".") +
         "/tests/store/store_child";
}

// Whole lines only: the last one may have been cut.
std::vector<Ack> acks_in(const std::string& output) {
  std::vector<Ack> acks;
  std::istringstream lines(output.substr(0, output.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind;
    Ack ack{};
    if (words >> kind >> ack.id.sender >> ack.id.high >> ack.id.low >> ack.seq && kind == "ack") {
      acks.push_back(ack);
    }
  }
  return acks;
}

// Everything acknowledged is in the log at its seq, and each log is 1..last.
void expect_kept(const std::string& folder, const std::vector<Ack>& acks) {
  const auto store = make_sqlite_file(folder);
  std::map<check::MessageKey, uint64_t> log;
  for (uint64_t a = 1; a <= 4; a++) {
    for (uint64_t b = a; b <= 4; b++) {
      const auto conversation = proto::ConversationId::between(load_user(a), load_user(b));
      uint64_t last = 0;
      for (bool more = true; more;) {
        const Page page = store->get<Page>(pull(load_user(a), conversation, last, 200));
        for (const StoredMessage& row : page.messages) {
          EXPECT_EQ(row.seq, ++last);
          EXPECT_TRUE(log.emplace(key_of(row.sender, row.id), row.seq).second) << "twice";
        }
        more = page.more;
      }
    }
  }
  for (const Ack& ack : acks) {
    const auto at = log.find(ack.id);
    ASSERT_NE(at, log.end()) << "acknowledged and lost: " << ack.id.sender << " " << ack.id.low;
    EXPECT_EQ(at->second, ack.seq);
  }
}

bool can_trace() {
  return tests::installed("strace") &&
         tests::run({.argv = {"strace", "-o", "/dev/null", "true"}}).status == 0;
}

class Durable : public testing::Test {
 protected:
  std::string path() const { return folder_.path() + "/store.db"; }
  tests::ProcessOptions plain(uint32_t boot, uint32_t messages) const {
    return {.argv = {child(), path(), std::to_string(boot), std::to_string(messages)}};
  }
  tests::ProcessOptions traced(const std::vector<std::string>& flags, uint32_t boot,
                               uint32_t messages) const {
    tests::ProcessOptions options = plain(boot, messages);
    // Leaks cannot be looked for in a traced process (LeakSanitizer uses ptrace itself).
    std::vector<std::string> argv = {"strace", "-f", "-qq", "-E", "ASAN_OPTIONS=detect_leaks=0"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    options.argv.insert(options.argv.begin(), argv.begin(), argv.end());
    return options;
  }

  tests::TemporaryFolder folder_;
};

TEST_F(Durable, KillLosesNothingThatWasAcknowledged) {
  constexpr uint32_t kMessages = 1'000'000;
  std::vector<Ack> acks;
  for (uint32_t boot = 1; boot <= 6; boot++) {
    Process process(plain(boot, kMessages));
    ASSERT_TRUE(
        tests::wait_until([&] { return acks_in(process.output()).size() >= 50 * boot; }, &process))
        << process.output() << process.errors();
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait(), 128 + SIGKILL);
    for (const Ack& ack : acks_in(process.output())) acks.push_back(ack);
  }
  expect_kept(folder_.path(), acks);
}

TEST_F(Durable, AnswersLeaveAfterTheFlushOfTheirCommit) {
  if (!can_trace()) GTEST_SKIP() << "strace cannot trace here; ./tools/dev setup test installs it";
  const std::string trace = folder_.path() + "/trace";
  const Finished child =
      tests::run(traced({"-y", "-o", trace, "-e", "trace=pwrite64,fdatasync,fsync,write"}, 1, 30));
  ASSERT_EQ(child.status, 0) << child.errors;
  std::istringstream lines(tests::read_file(trace));
  bool dirty = false;
  int flushes = 0, answers = 0;
  for (std::string line; std::getline(lines, line);) {
    const bool log = line.find("store.db-wal>") != std::string::npos;
    if (log && line.find("pwrite64(") != std::string::npos) dirty = true;
    if (log && line.find("sync(") != std::string::npos) {
      dirty = false;
      flushes++;
    }
    if (line.find("write(1") == std::string::npos || line.find("\"ack") == std::string::npos)
      continue;
    EXPECT_FALSE(dirty) << "answered before the flush: " << line;
    answers++;
  }
  EXPECT_GT(flushes, 10);
  EXPECT_GT(answers, 10);
}

// One flush fails and the next ones would succeed: who goes on then has lost what the kernel
// dropped.
TEST_F(Durable, AfterAFailedFlushNothingIsAcknowledged) {
  if (!can_trace()) GTEST_SKIP() << "strace cannot trace here; ./tools/dev setup test installs it";
  struct Flush {
    const char* file;
    int nth;
    const char* reason;
  };
  // The log is flushed by commits (and before a checkpoint), the database by checkpoints alone.
  constexpr Flush kFlushes[] = {{"-wal", 4, "commit: disk I/O error"},
                                {"-wal", 11, "disk I/O error"},
                                {"-wal", 30, "disk I/O error"},
                                {"", 1, "checkpoint: disk I/O error"},
                                {"", 2, "checkpoint: disk I/O error"}};
  ASSERT_EQ(tests::run(plain(1, 10)).status, 0);
  uint32_t boot = 1;
  for (const Flush& flush : kFlushes) {
    const std::string inject = "inject=fdatasync,fsync:error=EIO:when=" + std::to_string(flush.nth);
    const Finished child = tests::run(traced(
        {"-o", "/dev/null", "-P", path() + flush.file, "-e", "trace=fdatasync,fsync", "-e", inject},
        ++boot, 100'000));
    EXPECT_EQ(child.status, 3) << child.output << child.errors;
    const size_t failed = child.output.find("failed ");
    ASSERT_NE(failed, std::string::npos);
    EXPECT_EQ(child.output.find("ack", failed), std::string::npos) << "acknowledged afterwards";
    EXPECT_NE(child.output.find(flush.reason, failed), std::string::npos) << child.output;
    const auto acks = acks_in(child.output);
    EXPECT_FALSE(acks.empty());
    expect_kept(folder_.path(), acks);
  }
}

TEST_F(Durable, AFullDiskMeansTryAgainLaterAndGoesOnWhenThereIsSpace) {
  if (!can_trace()) GTEST_SKIP() << "strace cannot trace here; ./tools/dev setup test installs it";
  const Finished child = tests::run(traced({"-o", "/dev/null", "-e", "trace=pwrite64", "-e",
                                            "inject=pwrite64:error=ENOSPC:when=200..260"},
                                           1, 200));
  EXPECT_EQ(child.status, 0) << child.output << child.errors;
  EXPECT_NE(child.output.find("unavailable\n"), std::string::npos);
  EXPECT_NE(child.output.find("done\n"), std::string::npos);
  const auto acks = acks_in(child.output);
  EXPECT_GE(acks.size(), 800u);
  expect_kept(folder_.path(), acks);
}

}  // namespace
}  // namespace ringtalk::store::test
