// ringtalkd, and the limit loops that send the same bytes.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "bench/driver/dialects.h"
#include "proto/frame_writer.h"
#include "proto/token.h"
#include "proto/verifier.h"

namespace ringtalk::bench {
namespace {

constexpr proto::RoomId kRoom = 7;
constexpr uint64_t kTokenExpiresMs = 4'102'444'800'000;  // the year 2100

std::string text_of(proto::Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// True when a whole frame of that type has arrived; an Error ends the benchmark.
LoadClient::Greeted until(wire::Body wanted) {
  return [wanted](std::string_view received) {
    while (received.size() >= proto::kPrefixBytes) {
      uint32_t length = 0;
      std::memcpy(&length, received.data(), sizeof length);
      if (received.size() < proto::kPrefixBytes + length) return false;
      alignas(8) std::byte frame[proto::kFrameBytesMax];
      const size_t bytes = std::min<size_t>(proto::kPrefixBytes + length, sizeof frame);
      std::memcpy(frame, received.data(), bytes);
      const auto verified = proto::verify({frame, bytes}, proto::Role::client);
      if (!verified) {
        std::fprintf(stderr, "ringtalkd answered the greeting with a bad frame\n");
        std::exit(1);
      }
      const wire::Frame& message = **verified;
      if (message.body_type() == wire::Body::Error) {
        std::fprintf(stderr, "ringtalkd refused the greeting: %s\n",
                     wire::EnumNameErrorCode(message.body_as_Error()->code()));
        std::exit(1);
      }
      if (message.body_type() == wanted) return true;
      received.remove_prefix(proto::kPrefixBytes + length);
    }
    return false;
  };
}

std::string log_in(proto::FrameWriter& writer, const proto::KeyRing& keys, uint32_t client) {
  const proto::Token token{.flags = proto::kTokenLoad,
                           .user = proto::kLoadUserFirst + 1 + client,
                           .device = 1 + client,
                           .expires_ms = kTokenExpiresMs};
  std::string greeting = text_of(writer.hello(1, "bench", token.device, wire::DeviceClass::Bot));
  const proto::TokenBytes bytes = keys.mint(token);
  return greeting + text_of(writer.resume(2, bytes));
}

void fill_dialects(Subject& subject, const proto::TokenKey& key, uint32_t body_bytes) {
  const auto writer = std::make_shared<proto::FrameWriter>();
  proto::KeyRing keys;
  keys.add(1, key);
  const std::vector<std::byte> body(body_bytes, std::byte{'x'});

  subject.echo.greeting = [writer, keys](uint32_t client) { return log_in(*writer, keys, client); };
  subject.echo.greeted = until(wire::Body::LoggedIn);
  subject.echo.message = text_of(writer->echo(3, body));
  subject.echo.delivery_bytes = static_cast<uint32_t>(subject.echo.message.size());

  subject.room.greeting = [writer, keys](uint32_t client) {
    return log_in(*writer, keys, client) + text_of(writer->room_join(3, kRoom));
  };
  subject.room.greeted = until(wire::Body::RoomJoined);
  // No echo: the publisher is a member that hears nothing of its own.
  subject.room.message = text_of(writer->room_publish(0, kRoom, body, false));
  subject.room.delivery_bytes =
      static_cast<uint32_t>(writer->room_message(kRoom, 1, 1, 1, body).size());
  std::vector<uint16_t>& counts = subject.room.messages_by_eighths;
  counts.resize(proto::kFrameBytesMax / 8 + 1);
  counts[subject.room.delivery_bytes / 8] = 1;
  subject.room.frame_bytes = {subject.room.delivery_bytes};
  std::vector<proto::Bytes> bodies(1, body);
  while (bodies.size() < proto::kRoomBatchMessagesMax) {
    bodies.push_back(body);
    if (bodies.size() * (body.size() + sizeof(uint32_t)) > proto::kRoomBatchBytesMax) break;
    const size_t bytes = writer->room_messages(kRoom, 1, 1, 1, bodies).size();
    if (counts[bytes / 8] != 0) {
      std::fprintf(stderr, "bodies of %u bytes: frames of %zu bytes are ambiguous\n", body_bytes,
                   bytes);
      std::exit(1);
    }
    counts[bytes / 8] = static_cast<uint16_t>(bodies.size());
    subject.room.frame_bytes.push_back(static_cast<uint32_t>(bytes));
  }
}

// A process whose standard output or `file` will tell a port behind `mark`.
void start(Subject& subject, const Programs& programs, const std::vector<std::string>& argv,
           const std::string& file, const std::string& mark) {
  subject.process = std::make_unique<tests::Process>(
      tests::ProcessOptions{.argv = argv, .cpu = programs.server_cpu});
  tests::wait_until(
      [&] {
        const std::string said = file.empty() ? subject.process->output() : tests::read_file(file);
        const size_t at = said.find(mark);
        if (at == std::string::npos || said.back() != '\n') return false;
        subject.port =
            static_cast<uint16_t>(std::strtoul(said.c_str() + at + mark.size(), nullptr, 10));
        return true;
      },
      subject.process.get());
  if (subject.port != 0) return;
  std::fprintf(stderr, "%s did not start; its output:\n%s%s\n", argv[0].c_str(),
               subject.process->output().c_str(), subject.process->errors().c_str());
  std::exit(1);
}

}  // namespace

Subject start_ringtalkd(const Programs& programs, const std::string& backend, uint32_t body_bytes) {
  Subject subject;
  subject.folder = std::make_unique<tests::TemporaryFolder>();
  const std::string& folder = subject.folder->path();
  proto::TokenKey key{};
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<uint8_t>(i + 1);
  tests::write_file(folder + "/token.key", {reinterpret_cast<const char*>(key.data()), key.size()});
  start(subject, programs,
        {programs.ringtalkd, "--listen", "127.0.0.1:0", "--shards", "1", "--backend", backend,
         "--store", "memory:", "--token-key", folder + "/token.key", "--ports-file",
         folder + "/ports.json", "--stats-file", folder + "/stats.json"},
        folder + "/ports.json", "\"port\":");
  subject.room.name = subject.echo.name = "ringtalkd " + backend;
  fill_dialects(subject, key, body_bytes);
  return subject;
}

Subject start_limit_loop(const Programs& programs, const std::string& loop, bool fan_out,
                         const Subject& like) {
  Subject subject;
  std::vector<std::string> argv{programs.limit_loop, loop, fan_out ? "fanout" : "echo"};
  if (fan_out) {
    argv.push_back(std::to_string(like.room.message.size()));
    std::string sizes;
    for (const uint32_t bytes : like.room.frame_bytes) {
      sizes += (sizes.empty() ? "" : ",") + std::to_string(bytes);
    }
    argv.push_back(sizes);
  }
  start(subject, programs, argv, "", "port ");
  // The same bytes in both directions; nobody is greeted.
  subject.room.name = subject.echo.name = "bare " + loop;
  subject.room.message = like.room.message;
  subject.room.delivery_bytes = like.room.delivery_bytes;
  subject.room.messages_by_eighths = like.room.messages_by_eighths;
  subject.echo.message = like.echo.message;
  subject.echo.delivery_bytes = like.echo.delivery_bytes;
  return subject;
}

}  // namespace ringtalk::bench
