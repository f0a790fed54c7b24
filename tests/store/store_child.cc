// A process with a store, for tests that end it or take its disk away.
//
// store_child PATH BOOT MESSAGES: chatters send MESSAGES each; an "ack sender high low seq" line
// leaves the moment the store answers, on the store's own thread. Exit 0: all acknowledged, "done"
// was written; 3: the store has failed; 2: it could not be opened; 4: a promise was broken.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "store/open_store.h"
#include "tests/store/chatters.h"
#include "tests/store/reply_collector.h"

namespace ringtalk::store::test {
namespace {

// One write for each batch: what the test reads was answered.
class PrintingSink final : public ReplySink {
 public:
  explicit PrintingSink(ReplyCollector& next) : next_(next) {}

  void deliver(uint32_t shard, std::unique_ptr<ReplyBatch> batch) noexcept override {
    std::string lines;
    for (const Reply& reply : batch->replies) {
      const Appended* done = std::get_if<Appended>(&reply.answer);
      const auto* failed = std::get_if<Failed>(&reply.answer);
      if (done != nullptr) {
        lines += "ack " + std::to_string(done->message.sender) + " " +
                 std::to_string(done->message.id.high) + " " +
                 std::to_string(done->message.id.low) + " " + std::to_string(done->seq) + "\n";
      } else if (failed != nullptr) {
        lines += std::string(to_string(failed->error)) + "\n";
      }
    }
    print(lines);
    next_.deliver(shard, std::move(batch));
  }
  void store_failed(const std::string& reason) noexcept override {
    print("failed " + reason + "\n");
    next_.store_failed(reason);
  }

  static void print(const std::string& text) {
    if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(1);
  }

 private:
  ReplyCollector& next_;
};

int run(const std::string& path, uint32_t boot, uint32_t messages) {
  ReplyCollector replies;
  PrintingSink sink(replies);
  const base::SystemClock clock;
  StoreOptions options;
  options.log_pages_max = 64;
  auto opened = open_store({StoreUrl::Kind::sqlite, path}, sink, clock, options);
  if (!opened.ok()) {
    PrintingSink::print(opened.error().line + "\n");
    return 2;
  }
  Chatters chatters(4, messages, base::Random(boot), boot);
  chatters.connect(*opened->store);
  while (!chatters.quiet() || chatters.has_more()) {
    for (int i = 0; i < 8; i++) chatters.act();
    for (Reply& reply : replies.wait(1)) chatters.take(reply);
    if (!replies.failure().empty()) {
      opened->store->stop();
      return 3;
    }
  }
  opened->store->stop();
  PrintingSink::print("done\n");
  return 0;
}

}  // namespace
}  // namespace ringtalk::store::test

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return ringtalk::store::test::run(argv[1],
                                    static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)),
                                    static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10)));
}
