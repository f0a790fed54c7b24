#include <gtest/gtest.h>

#include <string>

#include "frame_oracle.h"
#include "proto/frame_writer.h"
#include "proto/verifier.h"

namespace ringtalk::proto {
namespace {

// A frame in 8-aligned memory of its own.
class Frame {
 public:
  explicit Frame(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit Frame(const flatbuffers::FlatBufferBuilder& builder)
      : Frame(Bytes(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()),
                    builder.GetSize())) {}
  Bytes bytes() const { return bytes_; }
  std::byte& operator[](size_t at) { return bytes_[at]; }
  void resize(size_t bytes) { bytes_.resize(bytes); }
  void set_prefix() {
    const auto length = static_cast<uint32_t>(bytes_.size() - kPrefixBytes);
    std::memcpy(bytes_.data(), &length, sizeof length);
  }
  wire::ErrorCode refused(Role role = Role::server) const {
    const auto frame = verify(bytes_, role);
    return frame.ok() ? wire::ErrorCode::None : frame.error();
  }

 private:
  std::vector<std::byte> bytes_;
};

TEST(Verifier, accepts_every_message) {
  FrameWriter writer;
  int messages = 0;
  oracle::for_every_message(writer, [&](const char* name, Bytes bytes) {
    const auto frame = verify(bytes, Role::server);
    ASSERT_TRUE(frame.ok()) << name;
    EXPECT_TRUE(body_known(**frame));
    EXPECT_NE(oracle::walk(**frame), 0u);
    messages++;
  });
  // Login is there twice.
  EXPECT_EQ(messages, static_cast<int>(wire::Body::MAX) + 1);
}

TEST(Verifier, refuses_a_frame_whose_length_is_not_its_prefix) {
  FrameWriter writer;
  Frame longer(writer.heartbeat(1, 1));
  longer.resize(longer.bytes().size() + 8);
  EXPECT_EQ(longer.refused(), wire::ErrorCode::BadFrame);
  Frame shorter(writer.heartbeat(1, 1));
  shorter.resize(shorter.bytes().size() - 8);
  EXPECT_EQ(shorter.refused(), wire::ErrorCode::BadFrame);
}

TEST(Verifier, refuses_room_messages_that_do_not_lie_one_behind_the_other) {
  const auto refused = [](uint64_t first_n, const std::vector<uint32_t>& ends, size_t bytes) {
    flatbuffers::FlatBufferBuilder b;
    const std::vector<uint8_t> bodies(bytes);
    const auto ends_at = b.CreateVector(ends);
    const auto row = wire::CreateRoomMessages(b, 1, 2, first_n, 4, ends_at, b.CreateVector(bodies));
    const wire::Head head(0);
    wire::FinishSizePrefixedFrameBuffer(
        b, wire::CreateFrame(b, &head, wire::Body::RoomMessages, row.Union()));
    const Frame frame(b);
    EXPECT_EQ(frame.refused(Role::client), frame.refused(Role::server));
    return frame.refused();
  };
  const auto good = wire::ErrorCode::None;
  const auto bad = wire::ErrorCode::BadFrame;
  EXPECT_EQ(refused(1, {5}, 5), good);
  EXPECT_EQ(refused(1, {0, 0, 5, 5}, 5), good);
  EXPECT_EQ(refused(1, std::vector<uint32_t>(256, 0), 0), good);
  EXPECT_EQ(refused(1, {}, 0), bad);
  EXPECT_EQ(refused(1, std::vector<uint32_t>(257, 0), 0), bad);
  EXPECT_EQ(refused(1, {3, 2}, 2), bad);
  EXPECT_EQ(refused(1, {3, 6, 5}, 5), bad);
  EXPECT_EQ(refused(1, {4}, 5), bad);
  EXPECT_EQ(refused(1, {6}, 5), bad);
  EXPECT_EQ(refused(UINT64_MAX - 2, {1, 2}, 2), good);
  EXPECT_EQ(refused(UINT64_MAX - 1, {1, 2}, 2), bad);
}

TEST(Verifier, refuses_another_file_identifier) {
  FrameWriter writer;
  Frame frame(writer.heartbeat(1, 1));
  frame[8] = std::byte{'X'};
  EXPECT_EQ(frame.refused(), wire::ErrorCode::BadFrame);
}

TEST(Verifier, refuses_every_truncation) {
  FrameWriter writer;
  oracle::for_every_message(writer, [&](const char* name, Bytes bytes) {
    // Up to the largest, some of what is cut off may be padding.
    for (size_t size = kFrameBytesMin; size + 8 < bytes.size(); size++) {
      Frame frame(bytes);
      frame.resize(size);
      EXPECT_EQ(frame.refused(), wire::ErrorCode::BadFrame) << name;
    }
  });
}

TEST(Verifier, refuses_nothing_but_noise_below_the_smallest_frame) {
  for (size_t size = 0; size < kFrameBytesMin; size++) {
    Frame frame{Bytes()};
    frame.resize(size);
    EXPECT_EQ(frame.refused(), wire::ErrorCode::BadFrame);
  }
}

TEST(Verifier, lets_an_unknown_body_through_as_unknown) {
  FrameWriter writer;
  Frame future(writer.heartbeat(77, 1));
  // The type is a byte of its own in the root table: find it by trying.
  int unknown = 0;
  for (size_t at = 12; at < future.bytes().size(); at++) {
    Frame changed(future.bytes());
    if (changed[at] != static_cast<std::byte>(wire::Body::Heartbeat)) continue;
    changed[at] = std::byte{250};
    const auto frame = verify(changed.bytes(), Role::server);
    if (!frame.ok() || body_known(**frame)) continue;
    EXPECT_EQ((*frame)->head()->id(), 77u);
    unknown++;
  }
  EXPECT_EQ(unknown, 1);
}

TEST(Verifier, refuses_a_frame_without_a_body) {
  flatbuffers::FlatBufferBuilder builder;
  const wire::Head head(1);
  const auto ok = wire::CreateOk(builder);
  wire::FinishSizePrefixedFrameBuffer(
      builder, wire::CreateFrame(builder, &head, wire::Body::NONE, ok.Union()));
  EXPECT_EQ(Frame(builder).refused(), wire::ErrorCode::BadFrame);
}

// Builds a Send that leaves out what `with` does not name.
Frame send_with(bool conv, bool id, bool body) {
  flatbuffers::FlatBufferBuilder builder;
  const auto bytes = builder.CreateVector(std::vector<uint8_t>{1, 2, 3});
  const wire::Conv conversation(1, 2);
  const wire::MessageId message(1, 2);
  const auto table = builder.StartTable();
  if (conv) builder.AddStruct(wire::Send::VT_CONV, &conversation);
  if (id) builder.AddStruct(wire::Send::VT_CLIENT_MSG_ID, &message);
  if (body) builder.AddOffset(wire::Send::VT_BODY, bytes);
  const flatbuffers::Offset<void> send(builder.EndTable(table));
  const wire::Head head(1);
  wire::FinishSizePrefixedFrameBuffer(builder,
                                      wire::CreateFrame(builder, &head, wire::Body::Send, send));
  return Frame(builder);
}

TEST(Verifier, refuses_a_message_without_its_required_fields) {
  EXPECT_EQ(send_with(true, true, true).refused(), wire::ErrorCode::None);
  EXPECT_EQ(send_with(false, true, true).refused(), wire::ErrorCode::BadFrame);
  EXPECT_EQ(send_with(true, false, true).refused(), wire::ErrorCode::BadFrame);
  EXPECT_EQ(send_with(true, true, false).refused(), wire::ErrorCode::BadFrame);
}

TEST(Verifier, refuses_a_body_that_no_frame_of_ours_could_carry_on) {
  FrameWriter writer;
  const std::vector<std::byte> largest(kBodyBytesMax);
  const std::vector<std::byte> larger(kBodyBytesMax + 1);
  for (const auto& body : {largest, larger}) {
    const auto expected =
        body.size() > kBodyBytesMax ? wire::ErrorCode::TooLarge : wire::ErrorCode::None;
    EXPECT_EQ(Frame(writer.echo(1, body)).refused(), expected);
    EXPECT_EQ(Frame(writer.room_publish(1, 2, body, false)).refused(), expected);
    EXPECT_EQ(Frame(writer.send(1, {1, 2}, {1, 2}, wire::MessageKind::Text, body)).refused(),
              expected);
  }
  // A page for a client is larger than one body.
  EXPECT_EQ(Frame(writer.echo(1, larger)).refused(Role::client), wire::ErrorCode::None);
}

TEST(Verifier, refuses_a_frame_beyond_the_limit) {
  Frame frame{Bytes()};
  frame.resize(kFrameBytesMax + 8);
  frame.set_prefix();
  EXPECT_EQ(frame.refused(), wire::ErrorCode::TooLarge);
}

// Frames of version 1 as they were first encoded, for ever. A later schema reads the same in them.
std::vector<std::byte> from_hex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

#include "frames_v1.inc"

TEST(Verifier, reads_the_frames_of_version_1) {
  size_t at = 0;
  FrameWriter writer;
  oracle::for_every_message(writer, [&](const char* name, Bytes bytes) {
    if (at == std::size(kFramesV1)) return;  // a message that is younger than version 1
    ASSERT_STREQ(name, kFramesV1[at].name);
    const std::vector<std::byte> old = from_hex(kFramesV1[at++].hex);
    const auto frame = verify(old, Role::client);
    ASSERT_TRUE(frame.ok()) << name;
    EXPECT_EQ(oracle::walk(**frame), oracle::walk(**verify(bytes, Role::client))) << name;
  });
  EXPECT_EQ(at, std::size(kFramesV1));
}

}  // namespace
}  // namespace ringtalk::proto
