// tools/ringtalk/profile.h: what the tool remembers between two commands: who is logged in where,
// the token, and how far each conversation was shown.
//
// One JSON file for each profile under $XDG_STATE_HOME/ringtalk (or ~/.local/state/ringtalk), mode
// 0600 in a directory of mode 0700, replaced by rename. Thread rule: one owner.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/ids.h"
#include "proto/token.h"

namespace ringtalk::tool {

struct Cursor {
  proto::ConversationId conversation;
  proto::Seq seq = 0;
};

// A device may be logged in once at a time, so what stays (listen, room) is another device than
// what comes and goes (send, ping): both work side by side.
enum class Device : uint8_t { passing, staying };
inline constexpr size_t kDevices = 2;

struct DeviceLogin {
  proto::DeviceId device = 0;
  proto::TokenBytes token{};  // zeros: logged out
  bool in() const { return token != proto::TokenBytes{}; }
};

struct Profile {
  std::string server;
  std::string name;
  proto::UserId user = 0;
  std::array<DeviceLogin, kDevices> logins{};  // by Device
  bool listened = false;                       // once: from then on no message is passed over
  std::vector<Cursor> cursors;

  DeviceLogin& login(Device device) { return logins[static_cast<size_t>(device)]; }
};

// One line for the user.
struct ProfileError {
  std::string text;
  bool refused = false;  // there is one, and it is not to be used or replaced as it is
};

std::string profile_path(const std::string& profile);
base::Result<Profile, ProfileError> load_profile(const std::string& profile);
base::Status<ProfileError> save_profile(const std::string& profile, const Profile& content);

}  // namespace ringtalk::tool
