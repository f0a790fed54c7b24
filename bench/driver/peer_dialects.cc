// Redis and NATS as their own clients speak to them, with messages of a fixed length.
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "bench/driver/dialects.h"

namespace ringtalk::bench {
namespace {

bool listens(uint16_t port) {
  // /proc/net/tcp: local address in hexadecimal, state 0A = LISTEN.
  char wanted[16];
  std::snprintf(wanted, sizeof wanted, ":%04X", port);
  std::istringstream lines(tests::read_file("/proc/net/tcp"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(wanted) != std::string::npos && line.find(" 0A ") != std::string::npos) {
      return true;
    }
  }
  return false;
}

Subject start_peer(const Programs& programs, std::vector<std::string> argv) {
  Subject subject;
  subject.folder = std::make_unique<tests::TemporaryFolder>();
  subject.port = tests::free_port();
  for (std::string& argument : argv) {
    if (argument == "PORT") argument = std::to_string(subject.port);
    if (argument == "FOLDER") argument = subject.folder->path();
  }
  const std::string name = argv[0];
  subject.process = std::make_unique<tests::Process>(
      tests::ProcessOptions{.argv = std::move(argv), .cpu = programs.server_cpu});
  if (!tests::wait_until([&] { return listens(subject.port); }, subject.process.get())) {
    std::fprintf(stderr, "%s did not start; its output:\n%s%s\n", name.c_str(),
                 subject.process->output().c_str(), subject.process->errors().c_str());
    std::exit(1);
  }
  return subject;
}

LoadClient::Greeted ends_with(const std::string& end) {
  return [end](std::string_view received) { return received.ends_with(end); };
}

}  // namespace

Subject start_redis(const Programs& programs, uint32_t body_bytes) {
  Subject subject = start_peer(programs, {"redis-server", "--port", "PORT", "--bind", "127.0.0.1",
                                          "--save", "", "--appendonly", "no", "--dir", "FOLDER",
                                          "--client-output-buffer-limit", "pubsub", "0", "0", "0"});
  const std::string body(body_bytes, 'x');
  const std::string length = std::to_string(body_bytes);
  const std::string rest = "$4\r\nroom\r\n$" + length + "\r\n" + body + "\r\n";
  Dialect& room = subject.room;
  room.name = "Redis";
  room.greeting = [](uint32_t) { return "*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nroom\r\n"; };
  room.greeted = ends_with("subscribe\r\n$4\r\nroom\r\n:1\r\n");
  room.publisher_greeting = "*1\r\n$4\r\nPING\r\n";
  room.publisher_greeted = ends_with("+PONG\r\n");
  room.message = "*3\r\n$7\r\nPUBLISH\r\n" + rest;
  room.delivery_bytes = static_cast<uint32_t>(("*3\r\n$7\r\nmessage\r\n" + rest).size());
  return subject;
}

Subject start_nats(const Programs& programs, uint32_t body_bytes) {
  Subject subject = start_peer(programs, {"nats-server", "-a", "127.0.0.1", "-p", "PORT"});
  const std::string rest =
      std::to_string(body_bytes) + "\r\n" + std::string(body_bytes, 'x') + "\r\n";
  const std::string connect = "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":true}\r\n";
  Dialect& room = subject.room;
  room.name = "NATS";
  room.greeting = [connect](uint32_t) { return connect + "SUB room 1\r\nPING\r\n"; };
  room.greeted = ends_with("PONG\r\n");
  room.publisher_greeting = connect + "PING\r\n";
  room.publisher_greeted = ends_with("PONG\r\n");
  room.message = "PUB room " + rest;
  room.delivery_bytes = static_cast<uint32_t>(("MSG room 1 " + rest).size());
  room.surplus_bytes_max = 64;  // PING
  return subject;
}

}  // namespace ringtalk::bench
