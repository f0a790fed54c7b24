// src/store/commit.h: private to src/store. The commit protocol of docs/delivery.md, on any driver.
//
// A batch of works becomes one transaction: fence, duplicates, order, rows, durable commit; only
// then are there answers to deliver. Messages come first, then the account writes. Ownership: the
// connection outlives the Commit. Thread rule: one thread. Invariants: no answer says "done" before
// the commit is durable; a conversation's seqs have no hole; a bad row fails alone; after an
// unknown outcome the batch runs again and finds its own rows.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "store/body_hash.h"
#include "store/holds.h"
#include "store/sql.h"
#include "store/work.h"

namespace ringtalk::store {

enum class Ended : uint8_t { answered, broken };

// How one try to run a batch went.
enum class Try : uint8_t {
  good,
  again,            // a race: rolled back, run it again
  without_bad_row,  // rolled back, run the others again
  away,             // nothing was committed; every work fails as unavailable
  unknown,          // the commit may have happened
  broken,           // acknowledging ends here
};

class Commit {
 public:
  Commit(Connection& connection, const base::Clock& clock)
      : connection_(connection), clock_(clock) {}

  // answers[i] is for batch[i]. broken: deliver nothing, tell the sink that the store has failed.
  [[nodiscard]] Ended run(std::span<Work> batch, std::vector<Answer>& answers);

 private:
  struct Item {
    bool decided = false;  // its answer does not depend on the transaction
    BodyHash hash;
    proto::Seq seq = 0;
    uint64_t server_ms = 0;
    bool duplicate = false;
    bool appended = false;  // answered with Appended once the commit is durable
    uint64_t dealt = 0;     // user id of CreateUser in this try
    uint64_t unknown = 0;   // seq or user id of a try whose outcome is unknown
  };
  struct Session {
    bool loaded = false;
    bool exists = false;
    uint32_t epoch_min = 0;  // of the user; read only where there is no row
    Holder holder;
  };
  struct Conversation {
    proto::Seq last_seq = 0;
    uint64_t last_ms = 0;
    bool exists = false;
    bool moved = false;
    bool peer_known = false;
  };
  static constexpr size_t kNoItem = SIZE_MAX;

  void prepare();
  void remember_unknown();
  Try run_once();
  Try run_rows();
  Try fence(size_t i);
  bool load_session(const Append& append, Session& session);
  bool hold(const Append& append, Session& session);
  Try lock_conversations();
  Try append(size_t i);
  Try duplicate(size_t i, bool& found);
  Try insert(size_t i, Conversation& conversation, bool& known);
  Try move_conversations();
  Try other(size_t i);
  Try after_error(size_t i);
  void answer_committed();
  void answer_away();

  Connection& connection_;
  const base::Clock& clock_;
  std::span<Work> batch_;  // of the present run
  std::span<Answer> answers_;
  uint64_t now_ms_ = 0;
  std::vector<Item> items_;
  std::unordered_map<proto::UserDevice, Session, proto::UserDeviceHash> sessions_;
  std::unordered_map<proto::ConversationId, Conversation, proto::ConversationHash> conversations_;
  std::vector<proto::ConversationId> order_;  // sorted: the order of locks
  Holds holds_;
};

}  // namespace ringtalk::store
