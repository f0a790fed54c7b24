#include "service/node.h"

#include <algorithm>

#include "base/assert.h"
#include "service/door.h"
#include "service/shard.h"

namespace ringtalk::service {

Node::Node(const NodeOptions& options, const base::Clock& clock, base::Workers& passwords,
           const proto::KeyRing& keys, NodeEvents events)
    : clock_(clock),
      passwords_(passwords),
      keys_(keys),
      events_(std::move(events)),
      connections_max_(options.connections_max),
      load_users_(options.load_users),
      seed_(options.seed),
      mailbox_entries_(options.mailbox_entries),
      limits_(std::make_shared<const Limits>(options.limits)),
      addresses_(proto::mix(options.seed ^ kAddressSalt)) {
  ASSERT(connections_max_ > 0);
}

Node::~Node() {
  // Segments go back to the shard that wrote them, so all are given back before the first goes.
  for (const auto& shard : shards_) shard->release();
}

void Node::attach(const NodeMemory& memory, store::Store& store, cluster::Directory& directory,
                  cluster::Relay& relay) {
  ASSERT(store_ == nullptr && shards_.empty());
  identity_ = memory.identity;
  store_ = &store;
  directory_ = &directory;
  relay_ = &relay;
  revocations_.load(memory.revocations);
}

void Node::add_shards(const std::vector<ring::Proactor*>& proactors, uint32_t slots) {
  ASSERT(store_ != nullptr && shards_.empty() && !proactors.empty());
  ASSERT(proactors.size() <= kShardsMax);
  base::Random seeds(seed_);
  for (uint32_t index = 0; index < proactors.size(); index++) {
    const ShardOptions options{slots, seeds.next(), mailbox_entries_};
    shards_.push_back(std::make_unique<Shard>(*this, index, *proactors[index], options));
  }
}

std::shared_ptr<const Limits> Node::limits() const {
  std::lock_guard lock(limits_mutex_);
  return limits_;
}

void Node::reload(const Limits& limits) {
  {
    std::lock_guard lock(limits_mutex_);
    limits_ = std::make_shared<const Limits>(limits);
  }
  order_all(orders::kReload);
}

void Node::order_all(uint32_t bits) {
  for (const auto& shard : shards_) shard->door().order(bits);
}

bool Node::stopped() const noexcept {
  return std::all_of(shards_.begin(), shards_.end(),
                     [](const auto& shard) { return shard->stopped(); });
}

bool Node::admit_connection() noexcept {
  if (connections_.fetch_add(1, std::memory_order_relaxed) < connections_max_) return true;
  connections_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void Node::connection_closed() noexcept {
  const uint64_t before = connections_.fetch_sub(1, std::memory_order_relaxed);
  ASSERT(before > 0);
}

void Node::ask_all(uint32_t shard, uint32_t slot, uint32_t generation, uint64_t request) {
  // Owned by whoever holds its last part; part_filled takes it back.
  StatsRound* round = new StatsRound;
  round->shard = shard;
  round->slot = slot;
  round->generation = generation;
  round->request = request;
  round->missing.store(shard_count(), std::memory_order_relaxed);
  round->parts.resize(shard_count());
  for (uint32_t i = 0; i < shard_count(); i++) {
    round->parts[i].round = round;
    shards_[i]->door().ask(&round->parts[i]);
  }
}

void Node::part_filled(StatsRound* round) noexcept {
  if (round->missing.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (round->shard == kStatsForMain) {
    events_.stats_for_main(std::unique_ptr<StatsRound>(round));
  } else {
    shards_[round->shard]->door().answer(round);
  }
}

std::unique_ptr<StatsRound> Node::snapshot() {
  auto round = std::make_unique<StatsRound>();
  round->parts.resize(shard_count());
  for (uint32_t i = 0; i < shard_count(); i++) shards_[i]->snapshot(round->parts[i]);
  return round;
}

void Node::deliver(uint32_t shard, std::unique_ptr<store::ReplyBatch> batch) noexcept {
  ASSERT(shard < shards_.size());
  shards_[shard]->door().deliver(std::move(batch));
}

void Node::store_failed(const std::string& reason) noexcept {
  events_.store_failed(reason);
}

// Hints: what finds a full mailbox is lost, as it may be on its way here.
void Node::room_message(proto::RoomId room, std::span<const std::byte> frame) noexcept {
  if (frame.empty() || frame.size() > proto::kFrameBytesMax || frame.size() % 8 != 0) return;
  std::lock_guard lock(relayed_mutex_);
  const proto::Range range = relayed_.append(frame);
  Mail mail{.kind = MailKind::room_relayed};
  put_range(mail, range);
  proto::share(range);
  if (!shards_[home_of_room(room)]->door().post(mail)) proto::drop(range);
}

void Node::conversation_advanced(proto::UserId user, proto::ConversationId conversation,
                                 proto::Seq last_seq) noexcept {
  if (!conversation.is_direct() || !conversation.has_user(user)) return;
  const PushSide side = user == conversation.a ? PushSide::lower : PushSide::upper;
  const Mail mail{.kind = MailKind::advanced,
                  .byte = static_cast<uint8_t>(side),
                  .slot = static_cast<uint32_t>(last_seq >> 32),
                  .generation = static_cast<uint32_t>(last_seq),
                  .a = conversation.a,
                  .b = conversation.b};
  (void)shards_[home_of_user(user)]->door().post(mail);
}

}  // namespace ringtalk::service
