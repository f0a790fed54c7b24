#include "frame_oracle.h"

#include <string>

#include "base/assert.h"

namespace ringtalk::proto::oracle {
namespace {

class Hash {
 public:
  uint64_t value() const { return value_; }
  void add(uint64_t word) { value_ = mix(value_ ^ (word + 0x9e3779b97f4a7c15)); }
  void add(bool flag) { add(uint64_t{flag}); }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void add(Enum value) { add(static_cast<uint64_t>(value)); }
  void add(const wire::Conv* conv) {
    add(conv->a());
    add(conv->b());
  }
  void add(const wire::MessageId* id) {
    add(id->high());
    add(id->low());
  }
  void add(const wire::MessageHead* head) {
    add(head->seq());
    add(head->sender());
    add(&head->client_msg_id());
    add(head->time_ms());
    add(head->reply_to());
    add(uint64_t{head->body_end()});
    add(head->kind());
  }
  void add(const wire::Cursor* cursor) {
    add(&cursor->conv());
    add(cursor->seq());
  }
  void add(const wire::RoomHead* head) {
    add(head->origin());
    add(head->n());
  }
  void add(const flatbuffers::String* text) {
    if (text == nullptr) return add(uint64_t{1});
    // Both ends, and not all of it: many entries of a list may be the same long string.
    const std::string_view value(text->c_str(), text->size());
    for (const char c : value.substr(0, 64)) add(static_cast<uint64_t>(c));
    add(static_cast<uint64_t>(value.data()[value.size()]));
    add(uint64_t{value.size()});
  }
  // Unlike the others, an absent vector of numbers reads as an empty one.
  template <class T>
  void add(const flatbuffers::Vector<T>* list) {
    if (list == nullptr) return add(uint64_t{0});
    for (auto element : *list) {
      if constexpr (std::is_integral_v<decltype(element)>) {
        add(static_cast<uint64_t>(element));
      } else {
        add(element);
      }
    }
    add(uint64_t{list->size()});
  }

 private:
  uint64_t value_ = 0;
};

template <class... Fields>
void add_all(Hash& hash, const Fields&... fields) {
  (hash.add(fields), ...);
}

void walk_session(Hash& h, const wire::Frame& frame) {
  if (const auto* m = frame.body_as_Hello()) {
    add_all(h, uint64_t{m->version()}, m->client(), m->device(), m->device_class());
  }
  if (const auto* m = frame.body_as_Register()) add_all(h, m->name(), m->password());
  if (const auto* m = frame.body_as_Login()) add_all(h, m->name(), m->user(), m->password());
  if (const auto* m = frame.body_as_Resume()) add_all(h, m->token());
  if (const auto* m = frame.body_as_Sync()) add_all(h, m->cursors());
  if (const auto* m = frame.body_as_Logout()) add_all(h, m->all_devices());
  if (const auto* m = frame.body_as_Heartbeat()) add_all(h, m->received());
  if (const auto* m = frame.body_as_Welcome()) {
    const wire::Limits& limits = *m->limits();
    add_all(h, uint64_t{m->version()}, uint64_t{m->node()}, uint64_t{m->heartbeat_ms()},
            uint64_t{m->jitter_ms()}, m->time_ms(), uint64_t{limits.frame_bytes()},
            uint64_t{limits.body_bytes()}, uint64_t{limits.requests_in_flight()},
            uint64_t{limits.unacknowledged_bytes()}, uint64_t{limits.page_messages()});
  }
  if (const auto* m = frame.body_as_Registered()) add_all(h, m->user());
  if (const auto* m = frame.body_as_LoggedIn()) add_all(h, m->user(), m->token(), m->session());
  if (const auto* m = frame.body_as_HeartbeatAck()) add_all(h, m->time_ms(), m->pushed());
  if (const auto* m = frame.body_as_Goaway()) {
    add_all(h, m->reason(), uint64_t{m->reconnect_after_ms()}, m->nodes());
  }
  if (const auto* m = frame.body_as_Kicked()) add_all(h, m->reason());
  if (const auto* m = frame.body_as_Error()) {
    add_all(h, m->code(), m->text(), uint64_t{m->retry_after_ms()});
  }
  if (const auto* m = frame.body_as_Ok()) add_all(h, m->more());
  if (const auto* m = frame.body_as_StatsReply()) add_all(h, m->json());
}

void walk_chat(Hash& h, const wire::Frame& frame) {
  if (const auto* m = frame.body_as_Users()) add_all(h, m->ids(), m->names());
  if (const auto* m = frame.body_as_UserList()) add_all(h, m->ids(), m->names());
  if (const auto* m = frame.body_as_Send()) {
    add_all(h, m->conv(), m->client_msg_id(), m->kind(), m->body(), m->reply_to());
  }
  if (const auto* m = frame.body_as_Sent()) {
    add_all(h, m->conv(), m->seq(), m->time_ms(), m->duplicate());
  }
  if (const auto* m = frame.body_as_Message()) {
    add_all(h, m->conv(), m->seq(), m->sender(), m->client_msg_id(), m->time_ms(), m->kind(),
            m->body(), m->reply_to());
  }
  if (const auto* m = frame.body_as_Pull()) {
    add_all(h, m->conv(), m->from_seq(), uint64_t{m->limit()}, m->backwards());
  }
  if (const auto* m = frame.body_as_Messages()) {
    add_all(h, m->conv(), m->heads(), m->bodies(), m->first_available(), m->last_seq(), m->more());
  }
  if (const auto* m = frame.body_as_SyncHint()) add_all(h, m->conv(), m->last_seq());
  if (const auto* m = frame.body_as_RoomJoin()) add_all(h, m->room());
  if (const auto* m = frame.body_as_RoomLeave()) add_all(h, m->room());
  if (const auto* m = frame.body_as_RoomPublish()) add_all(h, m->room(), m->body(), m->echo());
  if (const auto* m = frame.body_as_RoomJoined()) add_all(h, m->room(), m->heads());
  if (const auto* m = frame.body_as_RoomMessage()) {
    add_all(h, m->room(), m->origin(), m->n(), m->sender(), m->body());
  }
  if (const auto* m = frame.body_as_RoomGap()) {
    add_all(h, m->room(), m->origin(), m->n(), m->missed());
  }
  if (const auto* m = frame.body_as_RoomMessages()) {
    add_all(h, m->room(), m->origin(), m->first_n(), m->sender(), m->ends(), m->bodies());
  }
  if (const auto* m = frame.body_as_Echo()) add_all(h, m->body());
}

}  // namespace

uint64_t walk(const wire::Frame& frame) {
  ASSERT(body_known(frame));
  Hash hash;
  hash.add(frame.head()->id());
  hash.add(frame.body_type());
  walk_session(hash, frame);
  walk_chat(hash, frame);
  return hash.value();
}

std::vector<Event> read_stream(std::span<const std::byte> stream, Role role,
                               const PieceBytes& piece_bytes, size_t misalign) {
  std::vector<Event> events;
  FrameReader reader(4 * kFrameBytesMax);
  PartialFrame partial;
  const auto sink = [&](std::span<const std::byte> bytes) {
    const auto frame = verify(bytes, role);
    if (!frame.ok()) {
      events.push_back({Event::Kind::refused, static_cast<uint64_t>(frame.error())});
      return false;
    }
    const bool known = body_known(**frame);
    events.push_back({known ? Event::Kind::message : Event::Kind::unknown_body,
                      known ? walk(**frame) : (*frame)->head()->id()});
    return true;
  };
  ReadEnd end = ReadEnd::consumed;
  while (!stream.empty() && end == ReadEnd::consumed) {
    const size_t bytes = piece_bytes(stream.size());
    ASSERT(bytes > 0 && bytes <= stream.size());
    std::vector<std::byte> piece(misalign + bytes);
    std::memcpy(piece.data() + misalign, stream.data(), bytes);
    end = reader.read(
        partial, std::span(piece).subspan(misalign), [] { return kFrameBytesMax; }, sink);
    stream = stream.subspan(bytes);
  }
  reader.release(partial);
  if (end != ReadEnd::consumed) {
    events.push_back({Event::Kind::end, static_cast<uint64_t>(end)});
  }
  return events;
}

std::vector<Event> read_whole(std::span<const std::byte> stream, Role role) {
  return read_stream(stream, role, [](size_t left) { return left; });
}

void for_every_message(FrameWriter& w, const std::function<void(const char* name, Bytes)>& use) {
  const auto bytes = [](std::string_view text) { return std::as_bytes(std::span(text)); };
  const ConversationId conv{1001, 1002};
  const ClientMessageId msg{0x1122334455667788, 0x99aabbccddeeff00};
  const std::string token(kTokenBytes, 't');
  const wire::Cursor cursors[] = {{wire::Conv(1001, 1002), 7}, {wire::Conv(0, 5), 9}};
  const wire::RoomHead heads[] = {{77, 1}, {78, 2}};
  const UserId ids[] = {1001, 1002};
  const std::string_view names[] = {"ada", "grace"};
  const MessageFields message{
      conv, 42, 1001, msg, 1'700'000'000'000, wire::MessageKind::Text, 41, bytes("hello, world")};
  PageBuilder page;
  ASSERT(page.add(message) && page.add(message));

  use("hello", w.hello(1, "test/1", 4711, wire::DeviceClass::Phone));
  use("register", w.register_user(2, "ada", "correct horse"));
  use("login", w.login(3, "ada", 0, "correct horse"));
  use("login_by_user", w.login(3, "", 1001, "correct horse"));
  use("resume", w.resume(4, bytes(token)));
  use("sync", w.sync(5, cursors));
  use("logout", w.logout(6, true));
  use("heartbeat", w.heartbeat(7, 12));
  use("stats", w.stats(8));
  use("welcome", w.welcome(1, {.node = 3,
                               .heartbeat_ms = 15'000,
                               .jitter_ms = 500,
                               .time_ms = 1'700'000'000'000,
                               .requests_in_flight = 256,
                               .unacknowledged_bytes = 65'536}));
  use("registered", w.registered(2, 1001));
  use("logged_in", w.logged_in(3, 1001, bytes(token), 99));
  use("heartbeat_ack", w.heartbeat_ack(7, 1'700'000'000'000, 12));
  use("goaway", w.goaway(wire::GoawayReason::Maintenance, 2'000, names));
  use("kicked", w.kicked(wire::KickReason::Revoked));
  use("error", w.error(3, wire::ErrorCode::ServerBusy, "try again later", 1'500));
  use("ok", w.ok(6, true));
  use("stats_reply", w.stats_reply(8, R"({"pid": 1})"));
  use("users", w.users(9, ids, names));
  use("user_list", w.user_list(9, ids, names));
  use("send", w.send(10, conv, msg, wire::MessageKind::Opaque, bytes("hello, world"), 41));
  use("sent", w.sent(10, conv, 42, 1'700'000'000'000, true));
  use("message", w.message(message));
  use("pull", w.pull(11, conv, 41, 200, true));
  use("messages", w.messages(11, conv, page, 1, 42, true));
  use("sync_hint", w.sync_hint(5, conv, 42));
  use("room_join", w.room_join(12, 500));
  use("room_leave", w.room_leave(13, 500));
  use("room_publish", w.room_publish(14, 500, bytes("hello, room"), true));
  use("room_joined", w.room_joined(12, 500, heads));
  use("room_message", w.room_message(500, 77, 3, 1001, bytes("hello, room")));
  use("room_gap", w.room_gap(500, 77, 9, 6));
  use("echo", w.echo(15, bytes("echo, echo")));
  const Bytes batch[] = {bytes("hello, room"), bytes(""), bytes("and again")};
  use("room_messages", w.room_messages(500, 77, 10, 1001, batch));
}

}  // namespace ringtalk::proto::oracle
