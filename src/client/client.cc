#include "client/client.h"

#include <algorithm>

#include "base/assert.h"
#include "client/request_id.h"
#include "client/session_state.h"

namespace ringtalk::client {

namespace {

// What was transmitted has this long to leave; then the connection is closed without it.
constexpr uint32_t kClosingMs = 1'000;

}  // namespace

ClientSession::ClientSession() noexcept = default;

ClientSession::~ClientSession() {
  ASSERT(phase_ == Phase::stopped || phase_ == Phase::waiting);
  ASSERT(partial_.bytes == nullptr);
}

SessionState& ClientSession::state() {
  if (state_ == nullptr) state_ = std::make_unique<SessionState>();
  return *state_;
}

uint32_t ClientSession::due_ms() const noexcept {
  if (phase_ != Phase::ready || state_ == nullptr) return due_ms_;
  return std::min({due_ms_, state_->conversations.due_ms(), state_->rooms.due_ms()});
}

// ---- what happened

void ClientSession::start(const ClientRef& at) {
  start_in(at, 0);
}

void ClientSession::start_in(const ClientRef& at, uint32_t delay_ms) {
  ASSERT(phase_ == Phase::stopped);
  ending_ = false;
  attempts_ = 0;
  if (delay_ms == 0) {
    phase_ = Phase::connecting;
    due_ms_ = kNever;
    at.context.events.connect(at.index);
  } else {
    phase_ = Phase::waiting;
    due_ms_ = at.context.now_ms() + delay_ms;
  }
}

void ClientSession::connected(const ClientRef& at) {
  if (phase_ == Phase::closing) return;  // stopped while it was connecting
  ASSERT(phase_ == Phase::connecting);
  ClientContext& context = at.context;
  phase_ = Phase::greeting;
  due_ms_ = context.now_ms() + context.options.login_timeout_ms;
  received_ = 0;
  missed_ = 0;
  const Credentials who = context.events.credentials(at.index);
  proto::FrameWriter& writer = context.writer;
  context.events.transmit(
      at.index, writer.hello(request_id(RequestKind::hello, 1), context.options.name, who.device,
                             who.device_class));
  // The login does not wait for Welcome.
  const uint64_t login = request_id(RequestKind::login, 1);
  switch (who.kind) {
    case Credentials::Kind::none:
      break;
    case Credentials::Kind::token:
      context.events.transmit(at.index, writer.resume(login, who.token));
      break;
    case Credentials::Kind::password:
      context.events.transmit(at.index, writer.login(login, who.name, who.user, who.password));
      break;
  }
  anonymous_ = who.kind == Credentials::Kind::none;
}

void ClientSession::received(const ClientRef& at, Bytes bytes) {
  if (phase_ != Phase::greeting && phase_ != Phase::ready) return;
  const proto::ReadEnd end = at.context.reader.read(
      partial_, bytes, [] { return proto::kFrameBytesMax; },
      [&](Bytes frame) { return dispatch(at, frame); });
  switch (end) {
    case proto::ReadEnd::consumed:
    case proto::ReadEnd::over_budget:  // a client reads on: the budget is its own
    case proto::ReadEnd::stopped:
      return;
    case proto::ReadEnd::too_large:
    case proto::ReadEnd::bad_frame:
      at.context.stats.bad_frames++;
      break;
    case proto::ReadEnd::no_memory:
      break;
  }
  hang_up(at, backoff_ms(at));
}

void ClientSession::disconnected(const ClientRef& at) {
  ASSERT(phase_ != Phase::stopped && phase_ != Phase::waiting);
  at.context.reader.release(partial_);
  if (phase_ != Phase::closing) {
    went_offline(at);
    due_ms_ = at.context.now_ms() + backoff_ms(at);
  } else {
    due_ms_ = return_ms_;
  }
  phase_ = ending_ ? Phase::stopped : Phase::waiting;
  if (ending_) due_ms_ = kNever;
}

void ClientSession::tick(const ClientRef& at) {
  const uint32_t now = at.context.now_ms();
  if (now < due_ms()) return;
  switch (phase_) {
    case Phase::stopped:
    case Phase::connecting:
      return;
    case Phase::closing:
      due_ms_ = kNever;
      at.context.events.close(at.index);
      return;
    case Phase::waiting:
      phase_ = Phase::connecting;
      due_ms_ = kNever;
      at.context.events.connect(at.index);
      return;
    case Phase::greeting:
      hang_up(at, backoff_ms(at));
      return;
    case Phase::ready:
      if (due_ms_ <= now) beat(at);
      if (phase_ != Phase::ready || state_ == nullptr) return;
      state_->conversations.tick(at, now);
      state_->rooms.tick(at, now);
      return;
  }
}

void ClientSession::stop(const ClientRef& at) {
  switch (phase_) {
    case Phase::stopped:
      return;
    case Phase::waiting:
      phase_ = Phase::stopped;
      due_ms_ = kNever;
      return;
    case Phase::ready:
    case Phase::connecting:
    case Phase::greeting:
      ending_ = true;
      hang_up(at, 0);
      return;
    case Phase::closing:
      ending_ = true;
      return;
  }
}

// ---- inner life

void ClientSession::went_offline(const ClientRef& at) {
  if (phase_ == Phase::ready) at.context.stats.disconnects++;
  if (state_ == nullptr) return;
  state_->conversations.offline();
  state_->rooms.offline();
}

void ClientSession::hang_up(const ClientRef& at, uint32_t delay_ms) {
  if (phase_ == Phase::closing) return;
  went_offline(at);
  phase_ = Phase::closing;
  return_ms_ = at.context.now_ms() + delay_ms;
  due_ms_ = at.context.now_ms() + kClosingMs;
  at.context.events.close(at.index);
}

void ClientSession::end(const ClientRef& at, const Ending& ending) {
  ending_ = true;
  hang_up(at, 0);
  at.context.events.ended(at.index, ending);
}

// Doubles with each failure, from half of it to all of it; never less than the spread that the
// server asks for.
uint32_t ClientSession::backoff_ms(const ClientRef& at) noexcept {
  const ClientOptions& options = at.context.options;
  const uint64_t doubled = uint64_t{options.reconnect_min_ms} << std::min<uint8_t>(attempts_, 16);
  const auto limit = static_cast<uint32_t>(std::min<uint64_t>(doubled, options.reconnect_max_ms));
  if (attempts_ < UINT8_MAX) attempts_++;
  const uint32_t most = std::max(limit, at.context.jitter_ms());
  return at.context.between_ms(limit / 2, most);
}

void ClientSession::beat(const ClientRef& at) {
  ClientContext& context = at.context;
  if (anonymous_) {
    due_ms_ = kNever;
    return;
  }
  if (missed_ > 0) context.stats.heartbeats_missed++;
  if (missed_ > context.options.heartbeats_missed_max) {
    context.stats.heartbeats_too_few++;
    hang_up(at, backoff_ms(at));
    return;
  }
  missed_++;
  context.stats.heartbeats_sent++;
  due_ms_ = context.now_ms() + context.heartbeat_ms();
  context.events.transmit(
      at.index, context.writer.heartbeat(request_id(RequestKind::heartbeat, 1), received_));
}

// ---- conversations and rooms

void ClientSession::use_conversations(const ClientRef& at) {
  if (state().uses_conversations) return;
  state_->uses_conversations = true;
  if (logged_in()) state_->conversations.online(at, user_);
}

void ClientSession::set_cursor(const ClientRef& at, const proto::ConversationId& conversation,
                               proto::Seq seq) {
  use_conversations(at);
  state_->conversations.set_cursor(conversation, seq);
}

proto::Seq ClientSession::cursor(const proto::ConversationId& conversation) const noexcept {
  if (state_ == nullptr) return 0;
  const Conversation* found = state_->conversations.find(conversation);
  return found == nullptr ? 0 : found->last;
}

std::vector<std::pair<proto::ConversationId, proto::Seq>> ClientSession::cursors() const {
  std::vector<std::pair<proto::ConversationId, proto::Seq>> list;
  if (state_ != nullptr) {
    state_->conversations.for_each([&](const Conversation& c) { list.emplace_back(c.id, c.last); });
  }
  return list;
}

bool ClientSession::send(const ClientRef& at, const proto::ConversationId& conversation,
                         wire::MessageKind kind, Bytes body, uint64_t tag, proto::Seq reply_to,
                         proto::ClientMessageId* id) {
  ASSERT(body.size() <= proto::kBodyBytesMax);
  use_conversations(at);
  Conversations& conversations = state_->conversations;
  Outgoing* message = conversations.accept(at, conversation);
  if (message == nullptr) return false;
  message->id = {at.context.random.next(), at.context.random.next()};
  message->tag = tag;
  message->reply_to = reply_to;
  message->kind = kind;
  message->body.assign(body.begin(), body.end());
  if (id != nullptr) *id = message->id;
  conversations.pump(at);
  return true;
}

uint32_t ClientSession::unacknowledged() const noexcept {
  return state_ == nullptr ? 0 : state_->conversations.unacknowledged();
}

bool ClientSession::settled() const noexcept {
  if (state_ == nullptr || !state_->uses_conversations) return phase_ == Phase::ready;
  return phase_ == Phase::ready && state_->conversations.settled();
}

void ClientSession::join(const ClientRef& at, proto::RoomId room) {
  state().rooms.join(at, room, logged_in());
}

void ClientSession::leave(const ClientRef& at, proto::RoomId room) {
  if (state_ != nullptr) state_->rooms.leave(at, room, logged_in());
}

// ---- requests

uint64_t ClientSession::application_id() noexcept {
  ASSERT(phase_ == Phase::ready);
  if (++next_request_ == 0) next_request_ = 1;  // 0 stands for none
  return request_id(RequestKind::application, next_request_);
}

uint32_t ClientSession::transmit(const ClientRef& at, Bytes frame) {
  at.context.events.transmit(at.index, frame);
  return next_request_;
}

uint32_t ClientSession::echo(const ClientRef& at, Bytes body) {
  return transmit(at, at.context.writer.echo(application_id(), body));
}

uint32_t ClientSession::publish(const ClientRef& at, proto::RoomId room, Bytes body, bool echo) {
  return transmit(at, at.context.writer.room_publish(application_id(), room, body, echo));
}

uint32_t ClientSession::users(const ClientRef& at, std::span<const proto::UserId> ids,
                              std::span<const std::string_view> names) {
  return transmit(at, at.context.writer.users(application_id(), ids, names));
}

uint32_t ClientSession::stats(const ClientRef& at) {
  return transmit(at, at.context.writer.stats(application_id()));
}

uint32_t ClientSession::logout(const ClientRef& at, bool all_devices) {
  return transmit(at, at.context.writer.logout(application_id(), all_devices));
}

uint32_t ClientSession::register_user(const ClientRef& at, std::string_view name,
                                      std::string_view password) {
  return transmit(at, at.context.writer.register_user(application_id(), name, password));
}

}  // namespace ringtalk::client
