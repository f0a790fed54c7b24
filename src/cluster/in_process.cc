#include "cluster/in_process.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "base/assert.h"

namespace ringtalk::cluster {

// Ordered containers, so that the simulator sees one order on every machine.
struct Switchboard::State {
  struct Joined {
    RelaySink* sink;
    const std::atomic<bool>* opened_alone;  // sessions that are in no table
  };
  std::atomic<uint32_t> nodes{0};
  std::mutex mutex;
  std::map<NodeId, Joined> joined;
  std::map<proto::RoomId, std::set<NodeId>> subscribers;
  std::map<proto::UserId, std::map<NodeId, uint32_t>> sessions;
};

namespace {

class JoinedPort final : public Switchboard::Port {
 public:
  JoinedPort(Switchboard::State& state, NodeId node, RelaySink& sink) : state_(state), node_(node) {
    std::lock_guard lock(state_.mutex);
    const bool fresh =
        state_.joined.emplace(node_, Switchboard::State::Joined{&sink, &opened_alone_}).second;
    ASSERT(fresh);
    state_.nodes.store(static_cast<uint32_t>(state_.joined.size()), std::memory_order_release);
  }

  ~JoinedPort() override {
    std::lock_guard lock(state_.mutex);
    state_.joined.erase(node_);
    for (auto it = state_.subscribers.begin(); it != state_.subscribers.end();) {
      it->second.erase(node_);
      it = it->second.empty() ? state_.subscribers.erase(it) : std::next(it);
    }
    for (auto it = state_.sessions.begin(); it != state_.sessions.end();) {
      it->second.erase(node_);
      it = it->second.empty() ? state_.sessions.erase(it) : std::next(it);
    }
    state_.nodes.store(static_cast<uint32_t>(state_.joined.size()), std::memory_order_release);
  }

  void session_opened(proto::UserId user, proto::DeviceId, uint32_t) override {
    if (alone()) {
      opened_alone_.store(true, std::memory_order_release);
      return;
    }
    std::lock_guard lock(state_.mutex);
    state_.sessions[user][node_]++;
  }

  void session_closed(proto::UserId user, proto::DeviceId, uint32_t) override {
    if (alone()) return;
    std::lock_guard lock(state_.mutex);
    const auto found = state_.sessions.find(user);
    if (found == state_.sessions.end()) return;  // opened while this node was alone
    const auto here = found->second.find(node_);
    if (here == found->second.end()) return;
    if (--here->second == 0) found->second.erase(here);
    if (found->second.empty()) state_.sessions.erase(found);
  }

  void other_nodes_of(proto::UserId user, std::vector<NodeId>& nodes) const override {
    if (alone()) return;
    std::lock_guard lock(state_.mutex);
    const auto found = state_.sessions.find(user);
    for (const auto& [node, joined] : state_.joined) {
      const bool known = found != state_.sessions.end() && found->second.contains(node);
      if (node != node_ && (known || joined.opened_alone->load(std::memory_order_acquire)))
        nodes.push_back(node);
    }
  }

  void subscribe_room(proto::RoomId room) override {
    std::lock_guard lock(state_.mutex);
    state_.subscribers[room].insert(node_);
  }

  void unsubscribe_room(proto::RoomId room) override {
    std::lock_guard lock(state_.mutex);
    const auto found = state_.subscribers.find(room);
    if (found == state_.subscribers.end()) return;
    found->second.erase(node_);
    if (found->second.empty()) state_.subscribers.erase(found);
  }

  void publish_room(proto::RoomId room, std::span<const std::byte> frame) override {
    if (alone()) return;
    std::lock_guard lock(state_.mutex);
    const auto found = state_.subscribers.find(room);
    if (found == state_.subscribers.end()) return;
    for (const NodeId node : found->second) {
      if (node != node_) state_.joined.at(node).sink->room_message(room, frame);
    }
  }

  void advance(NodeId node, proto::UserId user, proto::ConversationId conversation,
               proto::Seq last_seq) override {
    std::lock_guard lock(state_.mutex);
    const auto found = state_.joined.find(node);
    if (node == node_ || found == state_.joined.end()) return;
    found->second.sink->conversation_advanced(user, conversation, last_seq);
  }

 private:
  bool alone() const noexcept { return state_.nodes.load(std::memory_order_acquire) < 2; }

  Switchboard::State& state_;
  const NodeId node_;
  std::atomic<bool> opened_alone_{false};
};

}  // namespace

Switchboard::Switchboard() : state_(std::make_unique<State>()) {}

Switchboard::~Switchboard() {
  ASSERT(state_->joined.empty());
}

std::unique_ptr<Switchboard::Port> Switchboard::join(NodeId node, RelaySink& sink) {
  return std::make_unique<JoinedPort>(*state_, node, sink);
}

}  // namespace ringtalk::cluster
