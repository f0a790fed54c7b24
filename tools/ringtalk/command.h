// tools/ringtalk/command.h: what all commands share: a session on a connection, the loop, the end.
//
// A command is a ClientEvents that passes over what it has no use for. Ownership: of the proactor,
// the session and the console of one run. Thread rule: the main thread. Invariant: every run ends
// with finish(), and only then is the session stopped and its connection closed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "client/client.h"
#include "ring/proactor.h"
#include "tools/ringtalk/connection.h"
#include "tools/ringtalk/console.h"
#include "tools/ringtalk/options.h"
#include "tools/ringtalk/profile.h"

namespace ringtalk::tool {

struct Setup {
  Options options;
  Profile profile;  // who is logged in, or is going to be
  Device device = Device::passing;
  std::string password;
  client::Credentials::Kind login = client::Credentials::Kind::token;
  std::vector<ring::Address> addresses;
};

class Command : public client::ClientEvents {
 public:
  Command(Setup setup, std::unique_ptr<ring::Proactor> proactor, client::ClientOptions options);
  ~Command() override = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  // Answers the exit code.
  int run();

  void connect(client::ClientIndex) final { connection_.connect(); }
  void transmit(client::ClientIndex, client::Bytes frame) final { connection_.transmit(frame); }
  void close(client::ClientIndex) final { connection_.close(); }
  client::Credentials credentials(client::ClientIndex) final;
  void ready(client::ClientIndex, proto::UserId user, client::Bytes token) override;
  void ended(client::ClientIndex, const client::Ending& ending) override;
  void turned_away(client::ClientIndex, wire::ErrorCode code) final;
  void sent(client::ClientIndex, const client::SendResult&) override {}
  void message(client::ClientIndex, const proto::MessageFields&) override {}
  void history_lost(client::ClientIndex, const proto::ConversationId&, proto::Seq) override {}
  void caught_up(client::ClientIndex) override {}
  void room_joined(client::ClientIndex, proto::RoomId) override {}
  void room_message(client::ClientIndex, const client::RoomMessageFields&) override {}
  void room_gap(client::ClientIndex, const client::RoomGapFields&) override {}
  void replied(client::ClientIndex, uint32_t, const wire::Frame& frame) override;

 protected:
  // Once, at the first ready(): the connection is there and the login done.
  virtual void begin() = 0;
  virtual bool wants_input() const { return false; }
  virtual bool takes_input() const { return true; }  // a line now
  virtual void line(const std::string&) {}
  virtual void input_ended() {}
  virtual void timer(uint64_t /*now_ns*/) {}
  virtual uint64_t timer_due_ns() const { return UINT64_MAX; }
  // Goes on through a lost connection and until Ctrl-C, which is then no failure.
  virtual bool stays() const { return false; }
  virtual void before_end() {}

  void finish(int code);
  void fail(std::string_view text);
  // One JSON object as a line of standard output, written at once.
  void print(const std::string& line);
  // From now on the server has the time of --timeout-ms again.
  void progress();

  const base::SystemClock clock_;
  Setup setup_;
  std::unique_ptr<ring::Proactor> proactor_;
  client::ClientContext context_;
  client::ClientRef at_;
  Connection connection_;
  client::ClientSession session_;

 private:
  void loop();
  void look_at_session();
  std::string taken_over() const;
  void look_at_console(Console& console);
  uint64_t deadline_ns() const;

  bool began_ = false;
  bool finished_ = false;
  bool told_lost_ = false;
  bool told_busy_ = false;
  int code_ = 0;
  uint64_t patience_ns_ = 0;  // when the server has taken too long
};

std::unique_ptr<Command> make_command(Setup setup, std::unique_ptr<ring::Proactor> proactor);
std::unique_ptr<Command> make_account_command(Setup setup,
                                              std::unique_ptr<ring::Proactor> proactor);
std::unique_ptr<Command> make_chat_command(Setup setup, std::unique_ptr<ring::Proactor> proactor);
std::unique_ptr<Command> make_room_command(Setup setup, std::unique_ptr<ring::Proactor> proactor);

}  // namespace ringtalk::tool
