// tests/service/describe_frame.h: for tests. What frames say, as text that a test can compare.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "proto/verifier.h"
#include "ringtalk_generated.h"

namespace ringtalk::service {

inline std::string text_of(const flatbuffers::Vector<uint8_t>* bytes) {
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

inline std::string text_of(const wire::Conv& conv) {
  return std::to_string(conv.a()) + "-" + std::to_string(conv.b());
}

inline std::string describe(const wire::Frame& frame) {
  const auto number = [](uint64_t value) { return std::to_string(value); };
  std::string id = frame.head()->id() == 0 ? "" : "#" + number(frame.head()->id()) + " ";
  if (const auto* m = frame.body_as_Ok()) return id + (m->more() ? "ok more" : "ok");
  if (const auto* m = frame.body_as_Error()) {
    return id + "error " + wire::EnumNameErrorCode(m->code());
  }
  if (const auto* m = frame.body_as_Kicked()) {
    return id + "kicked " + wire::EnumNameKickReason(m->reason());
  }
  if (const auto* m = frame.body_as_RoomJoined()) {
    std::string text = id + "joined " + number(m->room());
    for (const wire::RoomHead* head : *m->heads()) {
      text += " " + number(head->origin()) + ":" + number(head->n());
    }
    return text;
  }
  if (const auto* m = frame.body_as_RoomMessage()) {
    return id + "room " + number(m->room()) + " " + number(m->origin()) + ":" + number(m->n()) +
           " " + number(m->sender()) + " " + text_of(m->body());
  }
  if (const auto* m = frame.body_as_RoomGap()) {
    return id + "gap " + number(m->room()) + " " + number(m->origin()) + ":" + number(m->n()) +
           " missed " + number(m->missed());
  }
  if (const auto* m = frame.body_as_Message()) {
    return id + "message " + text_of(*m->conv()) + " " + number(m->seq()) + " " +
           number(m->sender()) + " " + text_of(m->body());
  }
  if (const auto* m = frame.body_as_Sent()) {
    return id + "sent " + text_of(*m->conv()) + " " + number(m->seq()) +
           (m->duplicate() ? " again" : "");
  }
  if (const auto* m = frame.body_as_SyncHint()) {
    return id + "hint " + text_of(*m->conv()) + " " + number(m->last_seq());
  }
  if (const auto* m = frame.body_as_Messages()) {
    std::string text = id + "page " + text_of(*m->conv());
    uint32_t begin = 0;
    for (const wire::MessageHead* head : *m->heads()) {
      text += " " + number(head->seq()) + "=" +
              text_of(m->bodies()).substr(begin, head->body_end() - begin);
      begin = head->body_end();
    }
    return text + " first " + number(m->first_available()) + " last " + number(m->last_seq()) +
           (m->more() ? " more" : "");
  }
  if (const auto* m = frame.body_as_UserList()) {
    std::string text = id + "users";
    for (uint32_t i = 0; i < m->ids()->size(); i++) {
      text += " " + number(m->ids()->Get(i)) + "=" + m->names()->Get(i)->str();
    }
    return text;
  }
  return id + wire::EnumNameBody(frame.body_type());
}

// One text for each message of a batch, as if each had come alone.
inline void describe(const wire::RoomMessages& batch, std::vector<std::string>& list) {
  uint64_t n = batch.first_n();
  uint32_t begin = 0;
  for (const uint32_t end : *batch.ends()) {
    list.push_back("room " + std::to_string(batch.room()) + " " + std::to_string(batch.origin()) +
                   ":" + std::to_string(n++) + " " + std::to_string(batch.sender()) + " " +
                   text_of(batch.bodies()).substr(begin, end - begin));
    begin = end;
  }
}

// Every frame of a stream of whole frames; each is verified as a client would.
inline std::vector<std::string> describe_all(std::string_view stream) {
  std::vector<std::string> list;
  while (!stream.empty()) {
    uint32_t bytes;
    std::memcpy(&bytes, stream.data(), sizeof bytes);
    bytes += 4;
    std::vector<uint64_t> aligned((bytes + 7) / 8);
    std::memcpy(aligned.data(), stream.data(), bytes);
    const auto frame =
        proto::verify(std::as_bytes(std::span(aligned)).first(bytes), proto::Role::client);
    const auto* batch = frame ? (*frame)->body_as_RoomMessages() : nullptr;
    if (batch != nullptr) {
      describe(*batch, list);
    } else {
      list.push_back(frame ? describe(**frame) : "malformed");
    }
    stream.remove_prefix(bytes);
  }
  return list;
}

}  // namespace ringtalk::service
