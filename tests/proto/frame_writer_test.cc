#include "proto/frame_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "base/counts.h"
#include "frame_oracle.h"
#include "proto/verifier.h"

namespace ringtalk::proto {
namespace {

const wire::Frame& decoded(Bytes bytes) {
  const auto frame = verify(bytes, Role::client);
  EXPECT_TRUE(frame.ok());
  return **frame;
}

std::string text_of(const flatbuffers::Vector<uint8_t>* body) {
  return {reinterpret_cast<const char*>(body->data()), body->size()};
}

TEST(FrameWriter, writes_multiples_of_8_with_the_prefix) {
  FrameWriter writer;
  for (size_t body = 0; body < 40; body++) {
    const Bytes frame = writer.echo(body + 1, std::vector<std::byte>(body));
    EXPECT_EQ(frame.size() % 8, 0u);
    uint32_t prefix;
    std::memcpy(&prefix, frame.data(), sizeof prefix);
    EXPECT_EQ(prefix + kPrefixBytes, frame.size());
    EXPECT_EQ(decoded(frame).body_as_Echo()->body()->size(), body);
  }
}

TEST(FrameWriter, takes_no_memory_after_construction) {
  FrameWriter writer;
  PageBuilder page;
  const std::vector<std::byte> body(kBodyBytesMax);
  std::vector<UserId> ids(kPageMessagesMax, kIdMax);
  const std::string name(kNameBytesMax, 'x');
  std::vector<std::string_view> names(kPageMessagesMax, name);
  const std::vector<Bytes> batch(kRoomBatchMessagesMax, std::span(body).first(200));
  oracle::for_every_message(writer, [](const char*, Bytes) {});

  const uint64_t before = base::thread_counts().allocations;
  for (int i = 0; i < 1'000; i++) {
    writer.echo(1, body);
    writer.send(2, {1, 2}, {3, 4}, wire::MessageKind::Text, body);
    writer.room_message(1, 2, 3, 4, body);
    writer.room_messages(1, 2, 3, 4, batch);
    writer.message({.conversation = {1, 2}, .seq = 1, .sender = 1, .body = body});
    writer.user_list(1, ids, names);
    page.clear();
    while (page.add({.seq = 1, .body = std::span(body).first(300)})) {
    }
    writer.messages(3, {1, 2}, page, 1, 2, true);
  }
  EXPECT_EQ(base::thread_counts().allocations, before);
  EXPECT_EQ(writer.allocations(), 1u);
  // The counter counts.
  ::operator delete(::operator new(1));
  EXPECT_GT(base::thread_counts().allocations, before);
}

TEST(FrameWriter, keeps_every_field) {
  FrameWriter w;
  const std::string body = "hello";
  const Bytes bytes = std::as_bytes(std::span(body));
  {
    const wire::Frame& frame = decoded(w.hello(5, "client/2", 9, wire::DeviceClass::Web));
    EXPECT_EQ(frame.head()->id(), 5u);
    const auto* m = frame.body_as_Hello();
    EXPECT_EQ(m->version(), kVersion);
    EXPECT_EQ(m->client()->str(), "client/2");
    EXPECT_EQ(m->device(), 9u);
    EXPECT_EQ(m->device_class(), wire::DeviceClass::Web);
  }
  {
    const auto* m = decoded(w.login(1, "", 77, "secret")).body_as_Login();
    EXPECT_EQ(m->name(), nullptr);
    EXPECT_EQ(m->user(), 77u);
    EXPECT_EQ(m->password()->str(), "secret");
  }
  {
    const auto* m =
        decoded(w.send(3, {11, 12}, {13, 14}, wire::MessageKind::Opaque, bytes, 15)).body_as_Send();
    EXPECT_EQ(m->conv()->a(), 11u);
    EXPECT_EQ(m->conv()->b(), 12u);
    EXPECT_EQ(m->client_msg_id()->high(), 13u);
    EXPECT_EQ(m->client_msg_id()->low(), 14u);
    EXPECT_EQ(m->kind(), wire::MessageKind::Opaque);
    EXPECT_EQ(text_of(m->body()), "hello");
    EXPECT_EQ(m->reply_to(), 15u);
  }
  {
    const wire::Frame& frame = decoded(w.room_message(1, 2, 3, 4, bytes));
    EXPECT_EQ(frame.head()->id(), 0u);
    const auto* m = frame.body_as_RoomMessage();
    EXPECT_EQ(m->room(), 1u);
    EXPECT_EQ(m->origin(), 2u);
    EXPECT_EQ(m->n(), 3u);
    EXPECT_EQ(m->sender(), 4u);
    EXPECT_EQ(text_of(m->body()), "hello");
  }
  {
    const auto* m = decoded(w.error(8, wire::ErrorCode::ServerBusy, "busy", 250)).body_as_Error();
    EXPECT_EQ(m->code(), wire::ErrorCode::ServerBusy);
    EXPECT_EQ(m->text()->str(), "busy");
    EXPECT_EQ(m->retry_after_ms(), 250u);
  }
}

TEST(FrameWriter, a_row_of_room_messages_costs_its_bodies_and_four_bytes_each) {
  FrameWriter writer;
  const std::string text(64, 'x');
  const Bytes body = std::as_bytes(std::span(text));
  const auto bytes_of_row = [&](size_t count) {
    return writer.room_messages(1, 2, 3, 4, std::vector<Bytes>(count, body)).size();
  };
  EXPECT_EQ(bytes_of_row(130) - bytes_of_row(2), 128u * 68u);
  EXPECT_LE(bytes_of_row(2), 2 * 68u + 128u);
  const auto* m = decoded(writer.room_messages(1, 2, 3, 4, std::vector<Bytes>{body, {}, body}))
                      .body_as_RoomMessages();
  EXPECT_EQ(m->first_n(), 3u);
  EXPECT_EQ(m->sender(), 4u);
  ASSERT_EQ(m->ends()->size(), 3u);
  EXPECT_EQ(m->ends()->Get(0), 64u);
  EXPECT_EQ(m->ends()->Get(1), 64u);
  EXPECT_EQ(m->ends()->Get(2), 128u);
  EXPECT_EQ(text_of(m->bodies()), text + text);
}

TEST(FrameWriter, the_longest_row_of_room_messages_is_one_frame) {
  FrameWriter writer;
  for (const size_t count : {size_t{1}, size_t{4}, size_t{5}, size_t{255}, size_t{256}}) {
    const size_t bodies = kRoomBatchBytesMax - count * sizeof(uint32_t);
    const std::vector<std::byte> whole(bodies);
    std::vector<Bytes> row(count - 1, std::span(whole).first(bodies / count));
    row.push_back(std::span(whole).first(bodies - (count - 1) * (bodies / count)));
    const Bytes frame = writer.room_messages(1, 2, 3, 4, row);
    EXPECT_LE(frame.size(), kFrameBytesMax);
    EXPECT_EQ(decoded(frame).body_as_RoomMessages()->bodies()->size(), bodies);
  }
}

TEST(PageBuilder, lays_out_bodies_by_their_ends) {
  FrameWriter writer;
  PageBuilder page;
  for (uint64_t seq = 1; seq <= 3; seq++) {
    const std::string body(seq, static_cast<char>('a' + seq));
    ASSERT_TRUE(page.add({.seq = seq,
                          .sender = seq + 10,
                          .client_msg_id = {seq, 1},
                          .body = std::as_bytes(std::span(body))}));
  }
  const auto* m = decoded(writer.messages(1, {1, 2}, page, 1, 9, true)).body_as_Messages();
  ASSERT_EQ(m->heads()->size(), 3u);
  EXPECT_EQ(m->heads()->Get(1)->seq(), 2u);
  EXPECT_EQ(m->heads()->Get(1)->sender(), 12u);
  EXPECT_EQ(m->heads()->Get(2)->client_msg_id().high(), 3u);
  EXPECT_EQ(m->heads()->Get(0)->body_end(), 1u);
  EXPECT_EQ(m->heads()->Get(2)->body_end(), 6u);
  EXPECT_EQ(text_of(m->bodies()), "bccddd");
  EXPECT_EQ(m->first_available(), 1u);
  EXPECT_EQ(m->last_seq(), 9u);
  EXPECT_TRUE(m->more());
}

TEST(PageBuilder, fills_one_frame_at_most) {
  FrameWriter writer;
  for (const size_t body_bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{271}, size_t{272},
                                  size_t{1'000}, size_t{kBodyBytesMax}}) {
    PageBuilder page;
    const std::vector<std::byte> body(body_bytes);
    while (page.add({.seq = 1, .body = body})) {
    }
    EXPECT_LE(page.heads().size(), kPageMessagesMax);
    EXPECT_GE(page.heads().size(), 3u);
    EXPECT_LE(writer.messages(1, {1, 2}, page, 1, 2, false).size(), kFrameBytesMax);
  }
}

}  // namespace
}  // namespace ringtalk::proto
