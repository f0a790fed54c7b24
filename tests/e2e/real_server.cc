#include "tests/e2e/real_server.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "ring/backend.h"

namespace ringtalk::tests {

std::string why_without(const std::string& backend) {
  const auto choice =
      ring::choose_backend(backend == "epoll" ? ring::Backend::epoll : ring::Backend::io_uring, "");
  return choice ? std::string() : choice.error().text;
}

bool runs_in_ci() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string(ci) == "true";
}

void OnEachBackend::SetUp() {
  const std::string why = why_without(GetParam());
  if (why.empty()) return;
  if (runs_in_ci()) FAIL() << why;
  GTEST_SKIP() << why;
}

ServerOptions OnEachBackend::options(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"--backend", GetParam()});
  return {.arguments = std::move(arguments)};
}

void OnEachBackend::TearDown() {
  if (!HasFailure() || !server_) return;
  Process& process = server_->process();
  process.signal(SIGUSR1);
  wait_until([&] { return process.errors().find("statistics: ") != std::string::npos; }, &process);
  const std::string state = process.running() ? "runs" : std::to_string(process.wait());
  std::printf("the server: %s\n%s", state.c_str(), process.errors().c_str());
}

void OnEachBackend::start(const std::vector<std::string>& arguments) {
  server_.emplace(options(arguments));
  ASSERT_EQ(server_->error(), "");
}

bool OnEachBackend::log_in(RawClient& client, uint64_t n) {
  return client.log_in(server_->token_key_file(), load_user(n));
}

Statistics::Statistics(const Server& server) : client_(server.port()) {
  if (!client_.log_in(server.token_key_file(), kAdministrator)) {
    throw std::runtime_error("the administrator is not let in");
  }
}

uint64_t Statistics::operator[](const std::string& pointer) {
  client_.say(client_.write().stats(1));
  const auto* reply = client_.wait_for<wire::StatsReply>();
  if (reply == nullptr) {
    throw std::runtime_error("no answer to Stats, end " +
                             std::to_string(static_cast<int>(client_.end())));
  }
  const auto json = nlohmann::json::parse(reply->json()->string_view());
  return json.at(nlohmann::json::json_pointer(pointer)).get<uint64_t>();
}

bool Statistics::comes_to(const std::string& pointer, uint64_t value) {
  return wait_until([&] { return (*this)[pointer] == value; });
}

}  // namespace ringtalk::tests
