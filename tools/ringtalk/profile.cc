#include "tools/ringtalk/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/ringtalk/json_line.h"

namespace ringtalk::tool {
namespace {

using nlohmann::json;

std::string state_directory() {
  const char* state = ::getenv("XDG_STATE_HOME");
  if (state != nullptr && state[0] == '/') return std::string(state) + "/ringtalk";
  const char* home = ::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.local/state/ringtalk";
}

// Makes the directory and its parents; what is there already keeps its mode.
bool make_directories(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return false;
    if (at == std::string::npos) return true;
  }
}

bool write_private(const std::string& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written = ::fchmod(file, 0600) == 0 &&
                       ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  const bool closed = ::close(file) == 0;
  if (!written) errno = error;
  return written && closed;
}

}  // namespace

std::string profile_path(const std::string& profile) {
  return state_directory() + "/" + profile + ".json";
}

base::Result<Profile, ProfileError> load_profile(const std::string& profile) {
  const std::string path = profile_path(profile);
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  // Who has read the tokens in it may act as the user.
  if (there && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return base::Failure{
        ProfileError{path + ": others may read or change it; run: chmod 600 '" + path + "'", true}};
  }
  std::ifstream file(path);
  if (!file && (there || errno != ENOENT)) {
    return base::Failure{ProfileError{path + ": " + strerror(errno) +
                                          "; make it readable for this user, or name another with "
                                          "--profile",
                                      true}};
  }
  if (!file) {
    return base::Failure{
        ProfileError{"nobody is logged in here (no " + path + "); run: ringtalk login NAME"}};
  }
  Profile content;
  try {
    const json saved = json::parse(file);
    content.server = saved.at("server").get<std::string>();
    content.name = saved.at("name").get<std::string>();
    content.user = saved.at("user").get<uint64_t>();
    content.listened = saved.value("listened", false);
    for (const json& c : saved.value("cursors", json::array())) {
      content.cursors.push_back(
          {{c.at(0).get<uint64_t>(), c.at(1).get<uint64_t>()}, c.at(2).get<uint64_t>()});
    }
    const json& logins = saved.at("logins");
    bool sound = logins.size() == kDevices;
    for (size_t i = 0; sound && i < kDevices; i++) {
      content.logins[i].device = logins[i].at("device").get<uint64_t>();
      const std::string token = logins[i].at("token").get<std::string>();
      sound = token.empty() || from_hex(token, content.logins[i].token);
    }
    if (sound) return content;
  } catch (const json::exception&) {
  }
  return base::Failure{ProfileError{path + " is damaged; log in again: ringtalk login NAME"}};
}

base::Status<ProfileError> save_profile(const std::string& profile, const Profile& content) {
  json cursors = json::array();
  for (const Cursor& c : content.cursors) {
    cursors.push_back({c.conversation.a, c.conversation.b, c.seq});
  }
  json logins = json::array();
  for (const DeviceLogin& login : content.logins) {
    logins.push_back(
        {{"device", login.device}, {"token", login.in() ? hex_of(login.token) : std::string()}});
  }
  const json saved = {{"server", content.server}, {"name", content.name},
                      {"user", content.user},     {"logins", logins},
                      {"cursors", cursors},       {"listened", content.listened}};
  const std::string path = profile_path(profile);
  const std::string fresh = path + ".new";
  if (make_directories(state_directory()) && write_private(fresh, saved.dump(2) + "\n") &&
      ::rename(fresh.c_str(), path.c_str()) == 0) {
    return base::Done{};
  }
  return base::Failure{ProfileError{"cannot write " + path + ": " + strerror(errno)}};
}

}  // namespace ringtalk::tool
