// send and listen.

#include <algorithm>
#include <map>

#include "proto/error_text.h"
#include "proto/verifier.h"
#include "tools/ringtalk/command.h"
#include "tools/ringtalk/json_line.h"

namespace ringtalk::tool {
namespace {

class Send final : public Command {
 public:
  using Command::Command;

 private:
  bool wants_input() const override { return setup_.options.words.empty(); }
  // The name is looked up first, and the outbox of the session is bounded.
  bool takes_input() const override {
    return peer_ != 0 && session_.unacknowledged() < context_.options.outbox_messages / 2;
  }

  void begin() override {
    const std::string& to = setup_.options.to;
    if (to.find_first_not_of("0123456789") == std::string::npos && to.size() <= 19) {
      return begin_to(std::stoull(to));
    }
    const std::string_view names[] = {to};
    session_.users(at_, {}, names);
  }

  void replied(client::ClientIndex client, uint32_t request, const wire::Frame& frame) override {
    const wire::UserList* list = frame.body_as_UserList();
    if (list == nullptr) return Command::replied(client, request, frame);
    if (list->ids()->size() == 0) return fail("there is no user " + setup_.options.to);
    begin_to(list->ids()->Get(0));
  }

  void begin_to(proto::UserId peer) {
    if (!proto::is_id(peer)) return fail("there is no user " + setup_.options.to);
    peer_ = peer;
    progress();
    if (wants_input()) return;
    line(joined(setup_.options.words));
    all_given_ = true;
  }

  void line(const std::string& text) override {
    const auto body = std::as_bytes(std::span(text));
    if (body.size() > proto::kBodyBytesMax) {
      return fail("a message has at most " + std::to_string(proto::kBodyBytesMax) + " bytes");
    }
    const auto conversation = proto::ConversationId::between(session_.user(), peer_);
    if (!session_.send(at_, conversation, wire::MessageKind::Text, body)) {
      return fail("too many messages wait for the server");
    }
    progress();
  }

  void input_ended() override {
    all_given_ = true;
    look_for_end();
  }

  void sent(client::ClientIndex, const client::SendResult& result) override {
    progress();
    if (result.error == wire::ErrorCode::None) {
      print(JsonLine("sent")
                .conversation(result.conversation)
                .number("seq", result.seq)
                .number("time_ms", result.time_ms)
                .flag("duplicate", result.duplicate)
                .str());
    } else {
      print(JsonLine("rejected")
                .conversation(result.conversation)
                .text("error", wire::EnumNameErrorCode(result.error))
                .text("text", proto::sentence_of(result.error))
                .str());
      exit_ = 1;
    }
    look_for_end();
  }

  void look_for_end() {
    if (all_given_ && session_.unacknowledged() == 0) finish(exit_);
  }

  proto::UserId peer_ = 0;
  bool all_given_ = false;
  int exit_ = 0;
};

class Listen final : public Command {
 public:
  using Command::Command;

  // What was shown before is not shown again; what came in between is.
  void start_from_profile() {
    session_.use_conversations(at_);
    if (setup_.options.whole_history) return;
    for (const Cursor& c : setup_.profile.cursors) {
      session_.set_cursor(at_, c.conversation, c.seq);
    }
  }

 private:
  bool stays() const override { return true; }
  void begin() override {}

  void caught_up(client::ClientIndex) override {
    setup_.profile.listened = true;
    save();
    print(JsonLine("listening").number("user", session_.user()).str());
  }

  void message(client::ClientIndex, const proto::MessageFields& m) override {
    if (setup_.options.count > 0 && shown_ == setup_.options.count) return;
    JsonLine line("message");
    line.conversation(m.conversation)
        .number("seq", m.seq)
        .number("from", m.sender)
        .number("time_ms", m.time_ms)
        .body(m.kind, m.body);
    if (m.reply_to != 0) line.number("reply_to", m.reply_to);
    print(line.str());
    remember(m);
    shown_++;
    if (shown_ == setup_.options.count) finish(0);
  }

  void history_lost(client::ClientIndex, const proto::ConversationId& conversation,
                    proto::Seq first_available) override {
    print(JsonLine("history_lost")
              .conversation(conversation)
              .number("first_available", first_available)
              .str());
  }

  // What was printed, not what the session has behind it: with --count the rest comes next time.
  void remember(const proto::MessageFields& m) { last_shown_[m.conversation] = m.seq; }

  void before_end() override { save(); }
  void save() {
    if (!setup_.profile.listened) return;
    for (const auto& [conversation, seq] : session_.cursors()) {
      const auto shown = last_shown_.find(conversation);
      const bool stopped_early = setup_.options.count > 0 && shown_ == setup_.options.count;
      const proto::Seq to = stopped_early && shown != last_shown_.end() ? shown->second : seq;
      const auto known =
          std::ranges::find(setup_.profile.cursors, conversation, &Cursor::conversation);
      if (known == setup_.profile.cursors.end()) {
        setup_.profile.cursors.push_back({conversation, to});
      } else {
        known->seq = std::max(known->seq, to);
      }
    }
    const auto saved = save_profile(setup_.options.profile, setup_.profile);
    if (!saved.ok()) fail(saved.error().text);
  }

  std::map<proto::ConversationId, proto::Seq> last_shown_;
  uint64_t shown_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_chat_command(Setup setup, std::unique_ptr<ring::Proactor> proactor) {
  client::ClientOptions options;
  if (setup.options.verb == Verb::send) {
    options.whole_history = false;
    return std::make_unique<Send>(std::move(setup), std::move(proactor), options);
  }
  options.whole_history = setup.options.whole_history || setup.profile.listened;
  auto listen = std::make_unique<Listen>(std::move(setup), std::move(proactor), options);
  listen->start_from_profile();
  return listen;
}

}  // namespace ringtalk::tool
