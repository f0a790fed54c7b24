#include "check/history.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::check {
namespace {

std::string name(const MessageKey& id) {
  return std::to_string(id.sender) + "/" + std::to_string(id.high) + "." + std::to_string(id.low);
}

std::string name(const DeviceKey& device) {
  return "device " + std::to_string(device.user) + "/" + std::to_string(device.device);
}

}  // namespace

const char* to_string(Broken promise) noexcept {
  switch (promise) {
    case Broken::lost:
      return "lost";
    case Broken::moved:
      return "moved";
    case Broken::altered:
      return "altered";
    case Broken::duplicated:
      return "duplicated";
    case Broken::made_up:
      return "made up";
    case Broken::rejected:
      return "rejected";
    case Broken::gap:
      return "gap";
    case Broken::reordered:
      return "reordered";
    case Broken::shown_gap:
      return "shown gap";
    case Broken::shown_twice:
      return "shown twice";
    case Broken::shown_other:
      return "shown other";
    case Broken::not_shown:
      return "not shown";
  }
  UNREACHABLE();
}

size_t History::KeyHash::operator()(const MessageKey& key) const noexcept {
  return (key.sender * 0x9e3779b97f4a7c15 ^ key.high) * 0xbf58476d1ce4e5b9 ^ key.low;
}

void History::invoked(const DeviceKey& device, const ConversationKey& conversation,
                      const MessageKey& id, uint64_t hash, uint64_t moment) {
  Send send;
  send.device = device;
  send.conversation = conversation;
  send.hash = hash;
  send.invoked = moment;
  send.order = sends_.size();
  const bool is_new = sends_.emplace(id, std::move(send)).second;
  ASSERT(is_new);
}

void History::acknowledged(const MessageKey& id, uint64_t seq, uint64_t moment) {
  const auto at = sends_.find(id);
  ASSERT(at != sends_.end());
  at->second.seqs.push_back(seq);
  at->second.acknowledged = std::min(at->second.acknowledged, moment);
  acknowledgements_++;
}

void History::rejected(const MessageKey& id) {
  const auto at = sends_.find(id);
  ASSERT(at != sends_.end());
  at->second.rejected = true;
}

void History::shows_from(const DeviceKey& device, const ConversationKey& conversation,
                         uint64_t from_seq) {
  View& view = views_[{device, conversation}];
  ASSERT(view.shown.empty());
  view.from_seq = from_seq;
}

void History::shown(const DeviceKey& device, const ConversationKey& conversation, uint64_t seq,
                    const MessageKey& id, uint64_t hash) {
  views_[{device, conversation}].shown.push_back({seq, id, hash});
  shown_count_++;
}

void History::complete(const DeviceKey& device, const ConversationKey& conversation) {
  views_[{device, conversation}].complete = true;
}

void History::logged(const ConversationKey& conversation, uint64_t seq, const MessageKey& id,
                     uint64_t hash) {
  logs_[conversation].push_back({seq, id, hash});
}

std::vector<Violation> History::judge() const {
  Found found;
  Logs logs = logs_;
  std::unordered_map<MessageKey, std::vector<Place>, KeyHash> places;
  for (auto& [conversation, log] : logs) {
    std::stable_sort(log.begin(), log.end(),
                     [](const Row& one, const Row& other) { return one.seq < other.seq; });
    for (const Row& row : log) places[row.id].push_back({conversation, row.seq, row.hash});
    judge_log(conversation, log, found);
    judge_order(conversation, log, found);
  }
  for (const auto& [id, send] : sends_) judge_send(id, send, places[id], found);
  for (const auto& [key, view] : views_) {
    judge_view(key.first, key.second, view, logs[key.second], found);
  }
  return found;
}

void History::judge_send(const MessageKey& id, const Send& send, const std::vector<Place>& places,
                         Found& found) const {
  const auto report = [&](Broken promise, uint64_t seq, const std::string& text) {
    found.push_back({promise, send.conversation, seq, name(id) + " " + text});
  };
  for (const Place& place : places) {
    if (place.conversation != send.conversation) {
      report(Broken::moved, place.seq, "is in another conversation");
    }
    if (place.hash != send.hash) report(Broken::altered, place.seq, "has another hash");
    if (send.rejected) report(Broken::rejected, place.seq, "was rejected and is in the log");
  }
  for (size_t i = 1; i < places.size(); i++) {
    report(Broken::duplicated, places[i].seq,
           "is there too, first at " + std::to_string(places[0].seq));
  }
  if (!send.seqs.empty() && places.empty()) {
    report(Broken::lost, send.seqs[0], "was acknowledged and is not in the log");
    return;
  }
  for (const uint64_t seq : send.seqs) {
    if (seq != places[0].seq) {
      report(Broken::moved, seq,
             "was acknowledged here and is at " + std::to_string(places[0].seq));
    }
  }
}

void History::judge_log(const ConversationKey& conversation, const Log& log, Found& found) const {
  uint64_t expected = 1;
  for (const Row& row : log) {
    if (row.seq != expected) {
      found.push_back({Broken::gap, conversation, row.seq,
                       "the log has this seq where " + std::to_string(expected) + " should be"});
    }
    expected = row.seq + 1;
    if (!sends_.contains(row.id)) {
      found.push_back({Broken::made_up, conversation, row.seq, name(row.id) + " was never sent"});
    }
  }
}

// From the end: the earliest acknowledgement of what lies behind, and the sends of each device.
void History::judge_order(const ConversationKey& conversation, const Log& log, Found& found) const {
  uint64_t earliest = UINT64_MAX;
  MessageKey earliest_id;
  std::map<DeviceKey, uint64_t> next_of;
  for (size_t i = log.size(); i-- > 0;) {
    const auto at = sends_.find(log[i].id);
    if (at == sends_.end()) continue;
    const Send& send = at->second;
    if (earliest < send.invoked) {
      found.push_back({Broken::reordered, conversation, log[i].seq,
                       name(log[i].id) + " was invoked after the acknowledgement of " +
                           name(earliest_id) + ", which is behind it"});
    }
    const auto next = next_of.find(send.device);
    if (next != next_of.end() && next->second < send.order) {
      found.push_back({Broken::reordered, conversation, log[i].seq,
                       name(log[i].id) + " is before an earlier send of its " + name(send.device)});
    }
    next_of[send.device] = send.order;
    if (send.acknowledged < earliest) {
      earliest = send.acknowledged;
      earliest_id = log[i].id;
    }
  }
}

void History::judge_view(const DeviceKey& device, const ConversationKey& conversation,
                         const View& view, const Log& log, Found& found) {
  const auto report = [&](Broken promise, uint64_t seq, const std::string& text) {
    found.push_back({promise, conversation, seq, name(device) + " " + text});
  };
  uint64_t last = view.from_seq;
  for (const Shown& one : view.shown) {
    if (one.seq <= last) {
      report(Broken::shown_twice, one.seq, "was shown this after " + std::to_string(last));
    } else if (one.seq != last + 1) {
      report(Broken::shown_gap, one.seq, "was shown this after " + std::to_string(last));
    }
    last = std::max(last, one.seq);
    const auto row = std::lower_bound(log.begin(), log.end(), one.seq,
                                      [](const Row& r, uint64_t seq) { return r.seq < seq; });
    if (row == log.end() || row->seq != one.seq || row->id != one.id || row->hash != one.hash) {
      report(Broken::shown_other, one.seq, "was shown " + name(one.id) + ", the log differs");
    }
  }
  const uint64_t end = log.empty() ? 0 : log.back().seq;
  if (view.complete && last < end) {
    report(Broken::not_shown, last + 1, "lacks up to " + std::to_string(end));
  }
}

}  // namespace ringtalk::check
