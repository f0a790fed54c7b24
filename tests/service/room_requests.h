// tests/service/room_requests.h: for tests. What sessions of a ChatWorld ask of rooms.
#pragma once

#include <span>
#include <string>
#include <string_view>
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

}  // namespace ringtalk::service
