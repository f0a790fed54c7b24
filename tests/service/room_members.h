// tests/service/room_members.h: for tests. Members of rooms in a ChatWorld: what they ask, what
// they may see.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat_world.h"

namespace ringtalk::service {

using Texts = std::vector<std::string>;

// Of a literal, or of a string that outlives the bytes.
inline proto::Bytes room_body(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline void join(ChatWorld& world, Who who, proto::RoomId room, uint64_t id = 1) {
  world.request(who, [&](auto& writer) { return writer.room_join(id, room); });
}

inline void leave(ChatWorld& world, Who who, proto::RoomId room, uint64_t id = 2) {
  world.request(who, [&](auto& writer) { return writer.room_leave(id, room); });
}

inline void publish(ChatWorld& world, Who who, proto::RoomId room, const std::string& text,
                    bool echo = true, uint64_t id = 0) {
  world.request(who,
                [&](auto& writer) { return writer.room_publish(id, room, room_body(text), echo); });
}

// Users 1 and 2 on these shards, members of the room, who have read what they were told.
inline std::pair<Who, Who> two_members(ChatWorld& world, proto::RoomId room, uint32_t first_shard,
                                       uint32_t second_shard) {
  const std::pair<Who, Who> both{world.login(first_shard, 1), world.login(second_shard, 2)};
  join(world, both.first, room);
  join(world, both.second, room);
  world.got(both.first);
  world.got(both.second);
  return both;
}

// Two shards whose mailboxes hold two mails and then nothing more.
inline ChatWorld::Options little_mail() {
  return {.shards = 2, .mailbox = 2, .limits = {.mail_overflow = 0}};
}

// A member whose queue pins so much that it is made to skip.
inline ChatWorld::Options little_memory() {
  return {.outgoing = {.session_bytes = 1 << 20, .pinned_bytes = 256 * 1024}};
}

// Follows rooms as a member does: numbers advance by one, or a gap says by how many.
class RoomNumbers {
 public:
  // From here on, unless it is followed already.
  void follow(proto::RoomId room, uint64_t origin, uint64_t n) {
    heads_.try_emplace(room, Head{origin, n});
  }

  // False when the text is none of a member's.
  bool take(const std::string& text) {
    unsigned long long room = 0;
    unsigned long long origin = 0;
    unsigned long long n = 0;
    unsigned long long missed = 0;
    const char* line = text.c_str();
    if (sscanf(line, "#1 joined %llu %llu:%llu", &room, &origin, &n) == 3) {
      follow(room, origin, n);
    } else if (sscanf(line, "gap %llu %llu:%llu missed %llu", &room, &origin, &n, &missed) == 4) {
      skipped_ += missed;
      advance(room, {origin, n}, missed, text);
    } else if (sscanf(line, "room %llu %llu:%llu", &room, &origin, &n) == 3) {
      advance(room, {origin, n}, 1, text);
    } else if (sscanf(line, "#%llu ok", &room) == 1) {
      heads_.erase(room - kLeave);
    } else {
      return false;
    }
    return true;
  }

  // The request of a leave is this much more than its room, so that `ok` tells which.
  static constexpr uint64_t kLeave = 100;

  uint64_t head(proto::RoomId room) const { return heads_.at(room).n; }
  uint64_t skipped() const { return skipped_; }

 private:
  struct Head {
    uint64_t origin;
    uint64_t n;
  };

  // What a room still says after the leave is nobody's.
  void advance(proto::RoomId room, Head to, uint64_t by, const std::string& text) {
    const auto at = heads_.find(room);
    if (at == heads_.end()) return;
    EXPECT_EQ(to.origin, at->second.origin) << text;
    EXPECT_EQ(to.n, at->second.n + by) << text;
    at->second.n = to.n;
  }

  std::map<proto::RoomId, Head> heads_;
  uint64_t skipped_ = 0;
};

}  // namespace ringtalk::service
