// src/check/history.h: public. Judges what happened in conversations against what is promised.
//
// Whoever drives clients (the simulator, a test) tells what was invoked, answered and shown, then
// what the log of each conversation holds; judge() names every broken promise of docs/delivery.md:
// acknowledged sends are in the log at their seq with their hash; one id has one seq; nothing
// rejected appears; the log is 1..last; acknowledged before invoked means a lower seq; one device's
// sends keep their order; what is shown advances by one and is the log. Memory grows with the
// history: a stream too long for that has check/stream_tally.h. Thread rule: one owner. Invariant:
// telling never judges and judging changes nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace ringtalk::check {

struct ConversationKey {
  uint64_t a = 0;
  uint64_t b = 0;
  auto operator<=>(const ConversationKey&) const = default;
};

// The scope of an id is its sender.
struct MessageKey {
  uint64_t sender = 0;
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const MessageKey&) const = default;
};

struct DeviceKey {
  uint64_t user = 0;
  uint64_t device = 0;
  auto operator<=>(const DeviceKey&) const = default;
};

enum class Broken : uint8_t {
  lost,         // acknowledged, and not in the log
  moved,        // acknowledged at another seq than the log's, or at two
  altered,      // another hash than what was sent
  duplicated,   // one id at two seqs of the log
  made_up,      // in the log or shown, and never sent
  rejected,     // refused for good, and in the log
  gap,          // the log lacks a seq, or holds one twice
  reordered,    // acknowledged before the other was invoked, and behind it; or one device's order
  shown_gap,    // an application was shown seq n + 2 after n
  shown_twice,  // or n again, or an earlier one
  shown_other,  // what was shown is not what the log holds
  not_shown,    // after healing, a device lacks what the log holds
};
const char* to_string(Broken) noexcept;

struct Violation {
  Broken promise;
  ConversationKey conversation;
  uint64_t seq;  // 0 where there is none
  std::string text;
};

class History {
 public:
  // Moments are any rising numbers; of two events in one moment neither is before the other.
  // The first try of a send; repeating it under the same id is no new event.
  void invoked(const DeviceKey& device, const ConversationKey& conversation, const MessageKey& id,
               uint64_t hash, uint64_t moment);
  void acknowledged(const MessageKey& id, uint64_t seq, uint64_t moment);
  // Refused for good. "Try again later" is not told: such a send may still appear.
  void rejected(const MessageKey& id);

  // From here on `device` shows the conversation; what it shows first is from_seq + 1.
  void shows_from(const DeviceKey& device, const ConversationKey& conversation, uint64_t from_seq);
  void shown(const DeviceKey& device, const ConversationKey& conversation, uint64_t seq,
             const MessageKey& id, uint64_t hash);
  // After healing: this device must have shown all of the conversation.
  void complete(const DeviceKey& device, const ConversationKey& conversation);

  // A row of the log, in any order.
  void logged(const ConversationKey& conversation, uint64_t seq, const MessageKey& id,
              uint64_t hash);

  std::vector<Violation> judge() const;

  uint64_t sends() const noexcept { return sends_.size(); }
  uint64_t acknowledgements() const noexcept { return acknowledgements_; }
  uint64_t shown_count() const noexcept { return shown_count_; }

 private:
  struct Send {
    DeviceKey device;
    ConversationKey conversation;
    uint64_t hash = 0;
    uint64_t invoked = 0;
    uint64_t order = 0;                  // of all sends
    std::vector<uint64_t> seqs;          // as acknowledged
    uint64_t acknowledged = UINT64_MAX;  // the first time
    bool rejected = false;
  };
  struct Row {
    uint64_t seq;
    MessageKey id;
    uint64_t hash;
  };
  struct Shown {
    uint64_t seq;
    MessageKey id;
    uint64_t hash;
  };
  struct View {
    uint64_t from_seq = 0;
    std::vector<Shown> shown;
    bool complete = false;
  };
  struct KeyHash {
    size_t operator()(const MessageKey& key) const noexcept;
  };
  struct Place {
    ConversationKey conversation;
    uint64_t seq;
    uint64_t hash;
  };
  using Log = std::vector<Row>;  // by seq once it is judged
  using Logs = std::map<ConversationKey, Log>;
  using Found = std::vector<Violation>;

  void judge_send(const MessageKey& id, const Send& send, const std::vector<Place>& places,
                  Found& found) const;
  void judge_log(const ConversationKey& conversation, const Log& log, Found& found) const;
  void judge_order(const ConversationKey& conversation, const Log& log, Found& found) const;
  static void judge_view(const DeviceKey& device, const ConversationKey& conversation,
                         const View& view, const Log& log, Found& found);

  std::unordered_map<MessageKey, Send, KeyHash> sends_;
  Logs logs_;
  std::map<std::pair<DeviceKey, ConversationKey>, View> views_;
  uint64_t acknowledgements_ = 0;
  uint64_t shown_count_ = 0;
};

}  // namespace ringtalk::check
