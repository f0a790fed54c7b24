#include "cluster/in_process.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ringtalk::cluster {
namespace {

struct Sink final : RelaySink {
  std::vector<std::pair<proto::RoomId, std::string>> rooms;
  std::vector<proto::Seq> advances;
  void room_message(proto::RoomId room, std::span<const std::byte> frame) noexcept override {
    rooms.emplace_back(room,
                       std::string(reinterpret_cast<const char*>(frame.data()), frame.size()));
  }
  void conversation_advanced(proto::UserId, proto::ConversationId,
                             proto::Seq last_seq) noexcept override {
    advances.push_back(last_seq);
  }
};

std::span<const std::byte> bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

TEST(Switchboard, RoomMessagesReachTheOtherSubscribersOnly) {
  Switchboard board;
  Sink sinks[3];
  const auto one = board.join(1, sinks[0]);
  const auto two = board.join(2, sinks[1]);
  const auto three = board.join(3, sinks[2]);
  one->subscribe_room(7);
  two->subscribe_room(7);
  one->publish_room(7, bytes("hello"));
  EXPECT_TRUE(sinks[0].rooms.empty());
  ASSERT_EQ(sinks[1].rooms.size(), 1u);
  EXPECT_EQ(sinks[1].rooms[0].second, "hello");
  EXPECT_TRUE(sinks[2].rooms.empty());
  two->unsubscribe_room(7);
  one->publish_room(7, bytes("again"));
  EXPECT_EQ(sinks[1].rooms.size(), 1u);
}

TEST(Switchboard, TheDirectoryNamesNodesWhileSessionsAreOpen) {
  Switchboard board;
  Sink sinks[2];
  const auto one = board.join(1, sinks[0]);
  const auto two = board.join(2, sinks[1]);
  two->session_opened(42, 1, 1);
  two->session_opened(42, 2, 1);
  std::vector<NodeId> nodes;
  one->other_nodes_of(42, nodes);
  EXPECT_EQ(nodes, std::vector<NodeId>{2});
  nodes.clear();
  two->other_nodes_of(42, nodes);
  EXPECT_TRUE(nodes.empty());
  two->session_closed(42, 1, 1);
  one->other_nodes_of(42, nodes);
  EXPECT_EQ(nodes, std::vector<NodeId>{2});
  two->session_closed(42, 2, 1);
  nodes.clear();
  one->other_nodes_of(42, nodes);
  EXPECT_TRUE(nodes.empty());
}

// Sessions opened while a node was alone are in no table: the node is named for every user.
TEST(Switchboard, ANodeThatWasAloneIsNamedForEveryUser) {
  Switchboard board;
  Sink sinks[2];
  const auto one = board.join(1, sinks[0]);
  one->session_opened(42, 1, 1);
  const auto two = board.join(2, sinks[1]);
  std::vector<NodeId> nodes;
  two->other_nodes_of(99, nodes);
  EXPECT_EQ(nodes, std::vector<NodeId>{1});
  one->session_closed(42, 1, 1);  // not known, and no harm
}

TEST(Switchboard, AdvancesGoToTheNamedNodeAndAnAbsentOneCostsNothing) {
  Switchboard board;
  Sink sinks[2];
  const auto one = board.join(1, sinks[0]);
  {
    const auto two = board.join(2, sinks[1]);
    one->advance(2, 42, {1, 42}, 9);
    one->advance(1, 42, {1, 42}, 9);
    EXPECT_EQ(sinks[1].advances, std::vector<proto::Seq>{9});
    EXPECT_TRUE(sinks[0].advances.empty());
  }
  one->advance(2, 42, {1, 42}, 10);
  EXPECT_EQ(sinks[1].advances.size(), 1u);
}

}  // namespace
}  // namespace ringtalk::cluster
