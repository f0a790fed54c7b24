// room and ping.

#include <algorithm>

#include "proto/verifier.h"
#include "tools/ringtalk/command.h"
#include "tools/ringtalk/json_line.h"

namespace ringtalk::tool {
namespace {

class Room final : public Command {
 public:
  using Command::Command;

 private:
  bool from_input() const {
    return setup_.options.words.size() == 1 && setup_.options.words[0] == "-";
  }
  bool publishes() const { return !setup_.options.words.empty(); }
  bool wants_input() const override { return from_input(); }
  bool takes_input() const override { return joined_ && unanswered_ < kUnansweredMax; }
  bool stays() const override { return !publishes(); }

  void begin() override { session_.join(at_, setup_.options.room); }

  void room_joined(client::ClientIndex, proto::RoomId room) override {
    print(JsonLine("joined").number("room", room).str());
    if (std::exchange(joined_, true)) return;
    progress();
    if (publishes() && !from_input()) {
      line(joined(setup_.options.words));
      all_given_ = true;
    }
  }

  void line(const std::string& text) override {
    const auto body = std::as_bytes(std::span(text));
    if (body.size() > proto::kBodyBytesMax) {
      return fail("a message has at most " + std::to_string(proto::kBodyBytesMax) + " bytes");
    }
    session_.publish(at_, setup_.options.room, body, false);
    unanswered_++;
    progress();
  }
  void input_ended() override {
    all_given_ = true;
    look_for_end();
  }

  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    if (frame.body_as_Ok() == nullptr) return Command::replied(client, request, frame);
    progress();
    unanswered_--;
    print(JsonLine("published").number("room", setup_.options.room).str());
    look_for_end();
  }
  void look_for_end() {
    if (all_given_ && unanswered_ == 0) finish(0);
  }

  void room_message(client::ClientIndex, const client::RoomMessageFields& m) override {
    JsonLine line("message");
    line.number("room", m.room)
        .number("from", m.sender)
        .number("n", m.n)
        .body(wire::MessageKind::Text, m.body);
    if (m.late) line.flag("late", true);
    print(line.str());
    if (++shown_ == setup_.options.count) finish(0);
  }
  void room_gap(client::ClientIndex, const client::RoomGapFields& gap) override {
    print(JsonLine("gap").number("room", gap.room).number("missed", gap.missed).str());
  }

  static constexpr uint64_t kUnansweredMax = 64;
  bool joined_ = false;
  bool all_given_ = false;
  uint64_t unanswered_ = 0;
  uint64_t shown_ = 0;
};

class Ping final : public Command {
 public:
  using Command::Command;

 private:
  static constexpr uint64_t kMs = 1'000'000;

  void begin() override { next_ns_ = clock_.now_ns(); }
  uint64_t timer_due_ns() const override { return next_ns_; }

  void timer(uint64_t now_ns) override {
    if (!session_.ready()) return;
    const std::vector<std::byte> body(setup_.options.bytes, std::byte{'.'});
    request_ = session_.echo(at_, body);
    sent_ns_ = now_ns;
    sent_++;
    next_ns_ = UINT64_MAX;  // one at a time: the next when this one is back
    progress();
  }

  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    if (frame.body_as_Echo() == nullptr) return Command::replied(client, request, frame);
    if (request != request_) return;
    const double us = static_cast<double>(clock_.now_ns() - sent_ns_) / 1'000;
    times_us_.push_back(us);
    print(JsonLine("pong").number("n", sent_).real("us", us).str());
    progress();
    if (sent_ < setup_.options.count) {
      next_ns_ = sent_ns_ + setup_.options.interval_ms * kMs;
      return;
    }
    double sum = 0;
    for (const double time : times_us_) sum += time;
    const auto [least, most] = std::ranges::minmax(times_us_);
    print(JsonLine("ping")
              .text("server", setup_.profile.server)
              .number("count", times_us_.size())
              .real("min_us", least)
              .real("mean_us", sum / static_cast<double>(times_us_.size()))
              .real("max_us", most)
              .str());
    finish(0);
  }

  uint64_t next_ns_ = UINT64_MAX;
  uint64_t sent_ns_ = 0;
  uint64_t sent_ = 0;
  uint32_t request_ = 0;
  std::vector<double> times_us_;
};

}  // namespace

std::unique_ptr<Command> make_room_command(Setup setup, std::unique_ptr<ring::Proactor> proactor) {
  if (setup.options.verb == Verb::ping) {
    return std::make_unique<Ping>(std::move(setup), std::move(proactor), client::ClientOptions{});
  }
  return std::make_unique<Room>(std::move(setup), std::move(proactor), client::ClientOptions{});
}

}  // namespace ringtalk::tool
