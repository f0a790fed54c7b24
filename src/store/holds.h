// src/store/holds.h: private to src/store. Keeps sends from overtaking one that has to come again.
//
// When an append fails as unavailable, what its session has sent to that conversation since then
// may be in the queue already, and would be stored before it. So it fails too, and all of them have
// to come again in their order before anything else of that session goes to that conversation, or
// until a while has passed. Thread rule: one thread. Invariant: empty as long as nothing fails.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "store/request.h"

namespace ringtalk::store {

class Holds {
 public:
  // True: this append must fail as unavailable, too.
  bool holds_back(const Append& append, uint64_t now_ns);
  // Of several, the last first.
  void failed(const Append& append, uint64_t now_ns);

 private:
  struct Key {
    proto::UserId sender;
    proto::DeviceId device;
    uint64_t session;
    proto::ConversationId conversation;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const noexcept;
  };
  struct Hold {
    std::deque<proto::ClientMessageId> awaited;
    uint64_t until_ns = 0;
  };
  static Key key_of(const Append& append) noexcept;
  void sweep(uint64_t now_ns);

  std::unordered_map<Key, Hold, KeyHash> holds_;
  uint64_t next_sweep_ns_ = 0;
};

}  // namespace ringtalk::store
