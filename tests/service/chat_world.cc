#include "chat_world.h"

#include <algorithm>

namespace ringtalk::service {

WorldShard::WorldShard(ChatWorld& world, uint32_t index, uint32_t slots,
                       const OutgoingLimits& limits)
    : world_(world), index_(index), sessions_(slots) {
  chat_ = std::make_unique<Chat>(*this, world.depot_, kOrigin);
  outgoing_ = std::make_unique<Outgoing>(slots, limits, world.depot_, *chat_);
}

uint32_t WorldShard::shard_count() const {
  return world_.options.shards;
}
uint32_t WorldShard::home_of_user(proto::UserId user) const {
  return static_cast<uint32_t>(user % world_.options.shards);
}
uint32_t WorldShard::home_of_room(proto::RoomId room) const {
  return static_cast<uint32_t>(room % world_.options.shards);
}
uint64_t WorldShard::now_ns() const {
  return world_.clock_ns;
}
const Limits& WorldShard::limits() const {
  return world_.options.limits;
}
cluster::Relay& WorldShard::relay() {
  return world_.relay;
}
cluster::Directory& WorldShard::directory() {
  return world_.relay;
}

bool WorldShard::mail(uint32_t to, const Mail& mail) {
  EXPECT_NE(to, index_);
  auto& queue = world_.mail_[{index_, to}];
  if (queue.size() >= world_.options.mailbox) return false;
  queue.push_back(mail);
  return true;
}

void WorldShard::reply_ok(uint32_t slot, uint64_t id) {
  if (id != 0) outgoing_->answer(slot, frames_.ok(id));
}

void WorldShard::reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code,
                             uint32_t retry_after_ms) {
  if (id != 0) outgoing_->answer(slot, frames_.error(id, code, "", retry_after_ms));
}

void WorldShard::kick(uint32_t slot, wire::KickReason reason) {
  outgoing_->answer(slot, frames_.kicked(reason));
  end(slot, CloseReason::kicked);
}

void WorldShard::end(uint32_t slot, CloseReason reason) {
  Session& session = sessions_[slot];
  if (session.phase != Phase::online) return;
  session.phase = Phase::ending;
  session.close_reason = reason;
  chat_->closing(slot);
}

void WorldShard::pause(uint32_t slot) {
  EXPECT_EQ(sessions_[slot].phase, Phase::online);
  paused.push_back(slot);
}

void WorldShard::resume(uint32_t slot) {
  EXPECT_EQ(sessions_[slot].phase, Phase::online);
  if (sessions_[slot].list == WaitList::none) resumed.push_back(slot);
}

bool WorldShard::submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
                        store::Request&& request) {
  if (world_.store_full) return false;
  Session& session = sessions_[slot];
  session.requests_in_flight++;
  session.unacknowledged_bytes += bytes;
  world_.submitted.push_back({{.shard = reply_to,
                               .slot = slot,
                               .generation = session.generation,
                               .bytes = bytes,
                               .request = id,
                               .origin = index_},
                              std::move(request)});
  return true;
}

void WorldShard::answered(uint32_t slot, uint32_t generation, uint32_t bytes) {
  Session* session = sessions_.find(slot, generation);
  ASSERT_NE(session, nullptr);
  ASSERT_GT(session->requests_in_flight, 0u);
  ASSERT_GE(session->unacknowledged_bytes, bytes);
  session->requests_in_flight--;
  session->unacknowledged_bytes -= bytes;
}

ChatWorld::ChatWorld(const Options& options_given)
    : options(options_given), random(options_given.seed) {
  for (uint32_t i = 0; i < options.shards; i++) {
    shards_.push_back(std::make_unique<WorldShard>(*this, i, options.slots, options.outgoing));
  }
}

ChatWorld::~ChatWorld() {
  stopped_.clear();
  run();
  for (auto& [pair, queue] : mail_) {
    for (const Mail& mail : queue) discard_mail(mail);
  }
  for (auto& shard : shards_) {
    shard->chat().release();
    shard->outgoing().release();
    EXPECT_EQ(shard->outgoing().pinned_bytes(), 0u) << "shard " << shard->index();
  }
}

Who ChatWorld::login(uint32_t shard_index, proto::UserId user, proto::DeviceId device,
                     uint32_t epoch) {
  WorldShard& shard = *shards_[shard_index];
  uint32_t slot = 0;
  while (shard.sessions()[slot].phase != Phase::free) slot++;
  const ring::ConnectionId connection{slot, ++generation_};
  Session& session = shard.sessions().open(connection);
  session.phase = Phase::online;
  session.user = user;
  session.number = generation_;
  session.epoch = epoch;
  shard.sessions().rest(slot).device = device == 0 ? 1'000'000 + generation_ : device;
  shard.outgoing().open(connection);
  shard.received[slot].clear();
  shard.chat().open(slot);
  run();
  return {shard_index, slot};
}

void ChatWorld::close(Who who) {
  WorldShard& shard = at(who);
  shard.end(who.slot, CloseReason::peer_closed);
  shard.outgoing().discard(who.slot);
  if (shard.proactor.in_flight(who.slot)) {
    shard.proactor.finish(who.slot);
    shard.outgoing().sent(who.slot, false);
  }
  shard.outgoing().closed(who.slot);
  shard.sessions()[who.slot].phase = Phase::closing;
  shard.sessions().release(who.slot);
}

void ChatWorld::request(Who who, const std::function<proto::Bytes(proto::FrameWriter&)>& encode) {
  proto::FrameWriter writer;
  const proto::Bytes bytes = encode(writer);
  const auto verified = proto::verify(bytes, proto::Role::server);
  ASSERT_TRUE(verified.ok());
  const wire::Frame& frame = **verified;
  const uint64_t id = frame.head()->id();
  const auto size = static_cast<uint32_t>(bytes.size());
  Chat& chat_there = chat(who);
  if (const auto* m = frame.body_as_RoomJoin()) return chat_there.room_join(who.slot, id, *m);
  if (const auto* m = frame.body_as_RoomLeave()) return chat_there.room_leave(who.slot, id, *m);
  if (const auto* m = frame.body_as_RoomPublish()) {
    return chat_there.room_publish(who.slot, id, *m);
  }
  if (const auto* m = frame.body_as_Send()) return chat_there.send(who.slot, id, size, *m);
  if (const auto* m = frame.body_as_Sync()) return chat_there.sync(who.slot, id, size, *m);
  if (const auto* m = frame.body_as_Pull()) return chat_there.pull(who.slot, id, size, *m);
  if (const auto* m = frame.body_as_Users()) return chat_there.users(who.slot, id, size, *m);
  FAIL() << "no request of chat";
}

bool ChatWorld::step() {
  std::vector<std::pair<uint32_t, uint32_t>> full;
  for (const auto& [pair, queue] : mail_) {
    if (!queue.empty()) full.push_back(pair);
  }
  if (full.empty()) return false;
  const auto pair = full[random.below(full.size())];
  const Mail mail = mail_[pair].front();
  mail_[pair].pop_front();
  shards_[pair.second]->chat().take(mail);
  return true;
}

void ChatWorld::run() {
  for (bool busy = true; busy;) {
    busy = false;
    while (step()) busy = true;
    for (auto& shard : shards_) {
      shard->chat().flush();
      shard->outgoing().flush(shard->proactor);
      shard->outgoing().relieve();
    }
    complete_sends();
    for (auto& shard : shards_) {
      busy = busy || shard->chat().waiting();
      for (const auto& [pair, queue] : mail_) busy = busy || !queue.empty();
      busy = busy || shard->outgoing().dirty();
    }
  }
}

void ChatWorld::complete_sends() {
  for (auto& shard : shards_) {
    for (const uint32_t slot : shard->proactor.flying()) {
      if (stopped_[{shard->index(), slot}]) continue;
      shard->received[slot] += shard->proactor.finish(slot).bytes;
      shard->outgoing().sent(slot, true);
    }
  }
}

void ChatWorld::stop_reading(Who who, bool stopped) {
  stopped_[{who.shard, who.slot}] = stopped;
}

std::vector<std::string> ChatWorld::got(Who who) {
  run();
  std::string& bytes = at(who).received[who.slot];
  const auto list = describe_all(bytes);
  bytes.clear();
  return list;
}

void ChatWorld::fail_store(store::StoreError error) {
  while (!submitted.empty()) {
    Submitted next = std::move(submitted.front());
    submitted.pop_front();
    store::Failed failed{};
    failed.error = error;
    failed.retry_after_ms = error == store::StoreError::unavailable ? 500 : 0;
    failed.request_kind = static_cast<uint8_t>(next.request.index());
    if (const auto* append = std::get_if<store::Append>(&next.request)) {
      failed.conversation = append->conversation;
      failed.message = append->id;
    }
    shards_[next.ticket.shard]->chat().take(next.ticket, failed);
  }
}

void ChatWorld::answer_store() {
  while (!submitted.empty()) {
    Submitted next = std::move(submitted.front());
    submitted.pop_front();
    Chat& chat_there = shards_[next.ticket.shard]->chat();
    if (auto* append = std::get_if<store::Append>(&next.request)) {
      auto& log = log_[append->conversation];
      const auto known = std::find_if(log.begin(), log.end(), [&](const auto& message) {
        return message.sender == append->sender && message.id == append->id;
      });
      const bool duplicate = known != log.end();
      const proto::Seq seq = duplicate ? known->seq : log.size() + 1;
      if (!duplicate) {
        log.push_back(
            {seq, append->sender, append->id, 1'000 + seq, 0, append->kind, append->body});
      }
      chat_there.take(next.ticket,
                      store::Appended{seq, 1'000 + seq, duplicate, std::move(*append)});
    } else if (auto* heads = std::get_if<store::Heads>(&next.request)) {
      store::HeadList list{};
      for (const auto& [conversation, log] : log_) {
        if (!conversation.has_user(heads->user)) continue;
        proto::Seq known = 0;
        for (const auto& cursor : heads->known) {
          if (cursor.conversation == conversation) known = cursor.seq;
        }
        if (log.size() > known) list.list.push_back({conversation, log.size()});
      }
      chat_there.take(next.ticket, std::move(list));
    } else if (auto* pull = std::get_if<store::Pull>(&next.request)) {
      store::Page page{.conversation = pull->conversation, .first_available = 1};
      for (const auto& message : log_[pull->conversation]) {
        if (message.seq <= pull->from_seq) continue;
        if (page.messages.size() == pull->limit) page.more = true;
        if (!page.more) page.messages.push_back(message);
      }
      page.last_seq = log_[pull->conversation].size();
      chat_there.take(next.ticket, std::move(page));
    } else if (auto* users = std::get_if<store::FindUsers>(&next.request)) {
      store::Users list;
      for (const proto::UserId user : users->ids) {
        if (user < 1'000) list.list.push_back({user, "u" + std::to_string(user)});
      }
      chat_there.take(next.ticket, std::move(list));
    } else {
      FAIL() << "no request of chat";
    }
  }
}

}  // namespace ringtalk::service
