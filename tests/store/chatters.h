// tests/store/chatters.h: tests. Senders with messages in flight, as one shard would have them.
//
// Each chatter sends numbered messages to a few peers, repeats what was not acknowledged, in order,
// under the same ids, and tells a check::History what happened. Thread rule: one owner.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "check/history.h"
#include "store/store.h"
#include "tests/store/messages.h"

namespace ringtalk::store::test {

inline check::ConversationKey key_of(const proto::ConversationId& c) {
  return {c.a, c.b};
}

inline check::MessageKey key_of(proto::UserId sender, const proto::ClientMessageId& id) {
  return {sender, id.high, id.low};
}

inline uint64_t hash_of(const std::string& body) {
  return std::hash<std::string>{}(body);
}

class Chatters {
 public:
  // Users 1 .. count of load_user(), each with `messages` to send. A
  // later process on the same data has a higher `boot`.
  Chatters(uint32_t count, uint32_t messages, base::Random random, uint32_t boot = 0)
      : random_(random), users_(count), boot_(boot * 1'000), last_id_(boot * 1'000'000) {
    for (uint32_t i = 0; i < count; i++) users_[i].left = messages;
  }

  // Every submit goes to `store` until the next call: a new one means that the shard restarted.
  void connect(Store& store) {
    store_ = &store;
    boot_++;
    for (User& user : users_) {
      user.claimed = false;
      for (auto& [peer, outbox] : user.outboxes) {
        for (Message& message : outbox) message.in_flight = false;
      }
    }
    in_flight_ = 0;
  }

  // One random action.
  void act() {
    const size_t who = random_.below(users_.size());
    User& user = users_[who];
    if (user.left > 0 && random_.chance(0.6)) {
      user.left--;
      const uint64_t peer = 1 + random_.below(users_.size());
      compose(who + 1, peer);
    }
    for (auto& [peer, outbox] : user.outboxes) push(who + 1, outbox);
    if (!user.done.empty() && random_.chance(0.05)) forget(user);
  }
  void push_all() {
    for (size_t who = 0; who < users_.size(); who++) {
      users_[who].left = 0;
      for (auto& [peer, outbox] : users_[who].outboxes) push(who + 1, outbox);
    }
  }

  void take(Reply& reply) {
    moment_++;
    in_flight_--;
    User& user = users_[reply.ticket.slot];
    if (const Appended* done = std::get_if<Appended>(&reply.answer)) {
      const Append& append = done->message;
      history.acknowledged(key_of(append.sender, append.id), done->seq, moment_);
      user.claimed = true;
      settle(user, append);
      return;
    }
    const Failed& failed = std::get<Failed>(reply.answer);
    errors[failed.error]++;
    for (auto& [peer, outbox] : user.outboxes) {
      for (Message& message : outbox) {
        if (message.append.id.low == reply.ticket.request) message.in_flight = false;
      }
    }
  }

  bool has_more() const {
    return std::any_of(users_.begin(), users_.end(), [](const User& u) { return u.left > 0; });
  }
  // All is acknowledged and nothing under way.
  bool quiet() const {
    if (in_flight_ > 0) return false;
    for (const User& user : users_) {
      for (const auto& [peer, outbox] : user.outboxes) {
        if (!outbox.empty()) return false;
      }
    }
    return true;
  }
  const std::vector<proto::ConversationId>& conversations() const { return conversations_; }

  check::History history;
  std::map<StoreError, uint64_t> errors;

 private:
  struct Message {
    Append append;
    bool in_flight = false;
  };
  struct User {
    uint32_t left = 0;
    bool claimed = false;
    std::map<uint64_t, std::deque<Message>> outboxes;  // by peer
    std::vector<Append> done;
  };

  void compose(uint64_t from, uint64_t to) {
    last_id_++;
    Append append = load_append(from, to, last_id_, "message " + std::to_string(last_id_));
    User& user = users_[from - 1];
    auto& outbox = user.outboxes[to];
    if (outbox.empty()) conversations_.push_back(append.conversation);
    history.invoked({append.sender, append.device}, key_of(append.conversation),
                    key_of(append.sender, append.id), hash_of(append.body), ++moment_);
    outbox.push_back({append, false});
  }
  // As if the answer had never come: the message is sent again.
  void forget(User& user) {
    const size_t at = random_.below(user.done.size());
    auto& outbox = user.outboxes[user.done[at].conversation.peer_of(user.done[at].sender) -
                                 proto::kLoadUserFirst];
    if (!outbox.empty()) return;
    outbox.push_back({user.done[at], false});
    user.done.erase(user.done.begin() + static_cast<ptrdiff_t>(at));
  }
  // In order: nothing goes before an earlier message of its conversation.
  void push(uint64_t from, std::deque<Message>& outbox) {
    for (Message& message : outbox) {
      if (!message.in_flight && !(message.in_flight = submit(from, message.append))) return;
    }
  }
  bool submit(uint64_t from, Append append) {
    append.holder = {1, 1, boot_, boot_ * 1'000 + from, !users_[from - 1].claimed};
    const Ticket ticket{0, static_cast<uint32_t>(from - 1), 0, 0, append.id.low, 0};
    if (!store_->submit(std::move(append), ticket)) return false;
    in_flight_++;
    return true;
  }
  static void settle(User& user, const Append& append) {
    for (auto& [peer, outbox] : user.outboxes) {
      for (auto at = outbox.begin(); at != outbox.end(); ++at) {
        if (at->append.id != append.id) continue;
        user.done.push_back(at->append);
        outbox.erase(at);
        return;
      }
    }
  }

  base::Random random_;
  std::vector<User> users_;
  std::vector<proto::ConversationId> conversations_;
  Store* store_ = nullptr;
  uint32_t boot_;
  uint64_t last_id_;
  uint64_t moment_ = 0;
  uint64_t in_flight_ = 0;
};

}  // namespace ringtalk::store::test
