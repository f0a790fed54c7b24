#include "tests/support/server.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace ringtalk::tests {
namespace {

// The text behind `"name":` in a small JSON object, without quotes; empty when it is not there.
std::string value_in(const std::string& json, const std::string& name) {
  const std::string key = "\"" + name + "\":";
  size_t at = json.find(key);
  if (at == std::string::npos) return {};
  at = json.find_first_not_of(" \"", at + key.size());
  return json.substr(at, json.find_first_of(",}\"\n", at) - at);
}

}  // namespace

std::string program(const std::string& name) {
  // Where the build puts each of them.
  const std::string at = name == "ringtalkd" ? "src/"
                         : name == "loadgen" ? "loadgen/"
                                             : "tools/" + name + "/";
  const char* build = std::getenv("RINGTALK_BUILD");
  const std::string path = std::string(build != nullptr ? build : "build") + "/" + at + name;
  if (::access(path.c_str(), X_OK) != 0) {
    std::fprintf(stderr, "%s is not there: build it, or set RINGTALK_BUILD to the build folder\n",
                 path.c_str());
    std::abort();
  }
  return path;
}

Server::Server(const ServerOptions& options)
    : options_(options),
      data_dir_(options.data_dir.empty() ? folder_.path() + "/data" : options.data_dir) {
  if (options_.token_key) {
    write_file(token_key_file(),
               "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 0600);
  }
  start(0);
}

void Server::start_again() {
  process_.reset();
  start(port_);
}

void Server::start(uint16_t port) {
  const std::string ports_file = folder() + "/ports.json";
  ::unlink(ports_file.c_str());
  error_.clear();
  ProcessOptions process{
      .argv = options_.wrapper, .cpu = options_.cpu, .descriptors_max = options_.descriptors_max};
  process.argv.insert(process.argv.end(),
                      {program("ringtalkd"), "--listen", "127.0.0.1:" + std::to_string(port),
                       "--data-dir", data_dir_, "--ports-file", ports_file});
  if (options_.token_key) {
    process.argv.insert(process.argv.end(), {"--token-key", token_key_file()});
  }
  process.argv.insert(process.argv.end(), options_.arguments.begin(), options_.arguments.end());
  process_ = std::make_unique<Process>(process);
  const bool ready = wait_until([&] { return !read_file(ports_file).empty(); }, process_.get());
  if (!ready) {
    error_ = "ringtalkd does not serve:\n" + process_->output() + process_->errors();
    return;
  }
  const std::string ports = read_file(ports_file);
  port_ = static_cast<uint16_t>(std::strtoul(value_in(ports, "port").c_str(), nullptr, 10));
  backend_ = value_in(ports, "backend");
}

}  // namespace ringtalk::tests
