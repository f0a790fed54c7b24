// Several shards at once: replies reach their shard, and every promise holds across them.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/open_store.h"
#include "tests/store/chatters.h"
#include "tests/support/process.h"
#include "tests/support/seed.h"

namespace ringtalk::store::test {
namespace {

constexpr uint32_t kShards = 4;
constexpr uint64_t kMessages = 400;  // of each shard

// One inbox for each shard.
class ShardSink final : public ReplySink {
 public:
  void deliver(uint32_t shard, std::unique_ptr<ReplyBatch> batch) noexcept override {
    Inbox& inbox = inboxes_.at(shard);
    {
      std::lock_guard lock(inbox.mutex);
      for (Reply& reply : batch->replies) inbox.replies.push_back(std::move(reply));
    }
    inbox.changed.notify_one();
  }
  void store_failed(const std::string& reason) noexcept override { ADD_FAILURE() << reason; }

  std::vector<Reply> wait(uint32_t shard) {
    Inbox& inbox = inboxes_.at(shard);
    std::unique_lock lock(inbox.mutex);
    inbox.changed.wait(lock, [&] { return !inbox.replies.empty(); });
    return std::exchange(inbox.replies, {});
  }

 private:
  struct Inbox {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<Reply> replies;
  };
  std::array<Inbox, kShards> inboxes_;
};

// What the shards tell, under one lock, with one count of moments.
struct Told {
  std::mutex mutex;
  uint64_t moment = 0;
  check::History history;
};

// Every shard writes to the same few conversations, and reads them back all the while.
class Shard {
 public:
  Shard(uint32_t number, Store& store, ShardSink& sink, Told& told, uint64_t seed)
      : number_(number), store_(store), sink_(sink), told_(told), random_(seed) {}

  void run() {
    uint64_t sent = 0, open = 0;
    while (sent < kMessages || open > 0) {
      while (sent < kMessages && open < 32) {
        const bool accepted = random_.chance(0.2) ? read() : send(++sent);
        ASSERT_TRUE(accepted);
        open++;
      }
      for (Reply& reply : sink_.wait(number_)) {
        open--;
        take(reply);
      }
    }
  }

 private:
  proto::ConversationId conversation(uint64_t n) const {
    return load_append(1 + number_, 1 + (number_ + n) % kShards, 1).conversation;
  }
  bool send(uint64_t n) {
    Append append = load_append(1 + number_, 1 + random_.below(kShards), n);
    append.body = "message " + std::to_string(n);
    {
      std::lock_guard lock(told_.mutex);
      told_.history.invoked({append.sender, append.device}, key_of(append.conversation),
                            key_of(append.sender, append.id), hash_of(append.body), ++told_.moment);
    }
    return store_.submit(std::move(append), Ticket{.shard = number_});
  }
  bool read() {
    return store_.submit(pull(load_user(1 + number_), conversation(random_.below(kShards)), 0, 200),
                         Ticket{.shard = number_});
  }
  void take(Reply& reply) {
    EXPECT_EQ(reply.ticket.shard, number_);
    if (const Page* page = std::get_if<Page>(&reply.answer)) {
      for (size_t i = 0; i < page->messages.size(); i++) EXPECT_EQ(page->messages[i].seq, i + 1);
      return;
    }
    ASSERT_TRUE(std::holds_alternative<Appended>(reply.answer));
    const Appended& done = std::get<Appended>(reply.answer);
    uint64_t& last = last_seq_[done.message.conversation];
    EXPECT_GT(done.seq, last) << "replies of a conversation come in seq order";
    last = done.seq;
    std::lock_guard lock(told_.mutex);
    told_.history.acknowledged(key_of(done.message.sender, done.message.id), done.seq,
                               ++told_.moment);
  }

  const uint32_t number_;
  Store& store_;
  ShardSink& sink_;
  Told& told_;
  base::Random random_;
  std::map<proto::ConversationId, uint64_t> last_seq_;
};

TEST(StoreOfSeveralShards, KeepsEveryPromise) {
  const uint64_t seed = tests::test_seed(3);
  const tests::TemporaryFolder folder;
  const base::SystemClock clock;
  ShardSink sink;
  StoreOptions options;
  options.readers = 2;
  options.log_pages_max = 64;
  auto opened =
      open_store({StoreUrl::Kind::sqlite, folder.path() + "/store.db"}, sink, clock, options);
  ASSERT_TRUE(opened.ok());
  Told told;
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kShards; i++) {
    threads.emplace_back([&, i] { Shard(i, *opened->store, sink, told, seed + i).run(); });
  }
  for (std::thread& thread : threads) thread.join();

  for (uint64_t a = 1; a <= kShards; a++) {
    for (uint64_t b = a; b <= kShards; b++) {
      const auto conversation = proto::ConversationId::between(load_user(a), load_user(b));
      uint64_t last = 0;
      for (bool more = true; more;) {
        ASSERT_TRUE(opened->store->submit(pull(load_user(a), conversation, last, 200), Ticket{}));
        const auto replies = sink.wait(0);
        const Page& page = std::get<Page>(replies.at(0).answer);
        for (const StoredMessage& row : page.messages) {
          told.history.logged(key_of(conversation), row.seq, key_of(row.sender, row.id),
                              hash_of(row.body));
          last = row.seq;
        }
        more = page.more;
      }
    }
  }
  EXPECT_EQ(told.history.acknowledgements(), kShards * kMessages);
  for (const check::Violation& one : told.history.judge()) {
    ADD_FAILURE() << to_string(one.promise) << " seq " << one.seq << ": " << one.text;
  }
}

}  // namespace
}  // namespace ringtalk::store::test
