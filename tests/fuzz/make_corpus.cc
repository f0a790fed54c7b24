// tests/fuzz/make_corpus.cc: test tool. Writes the seed corpus of the frame fuzzer.
//
//   make_corpus DIR       one file for each message, a stream of all, and some that are refused
//   make_corpus --frames  the encoded frames as entries of tests/proto/frames_v1.inc

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "tests/proto/frame_oracle.h"

namespace {

using ringtalk::proto::Bytes;
using ringtalk::proto::FrameWriter;

std::string g_directory;

void write(const std::string& name, const std::string& content) {
  std::ofstream(g_directory + "/" + name, std::ios::binary) << content;
}

std::string string_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int write_corpus() {
  FrameWriter writer;
  std::string stream;
  ringtalk::proto::oracle::for_every_message(writer, [&](const char* name, Bytes frame) {
    write(name, string_of(frame));
    stream += string_of(frame);
  });
  write("stream", stream);
  write("stream_cut", stream.substr(0, stream.size() / 2 + 3));
  const std::string beat = string_of(writer.heartbeat(1, 2));
  write("prefix_zero", beat + std::string(64, '\0') + beat);
  write("prefix_huge", beat + "\xff\xff\xff\x7f" + beat);
  write("prefix_cut", beat + beat.substr(0, 3));
  write("misaligned", "\x21" + std::string(3, '\0') + std::string(33, 'x') + beat);
  write("large_body", string_of(writer.echo(1, std::vector<std::byte>(17'000))) + beat);
  // The type of the body, wherever it lies, becomes one of the future.
  for (size_t at = 12; at < beat.size(); at++) {
    if (beat[at] != static_cast<char>(ringtalk::wire::Body::Heartbeat)) continue;
    std::string future = beat;
    future[at] = static_cast<char>(200);
    write("future_" + std::to_string(at), future + beat);
  }
  return 0;
}

int print_frames() {
  FrameWriter writer;
  std::printf("struct OldFrame {\n  const char* name;\n  const char* hex;\n};\n");
  std::printf("constexpr OldFrame kFramesV1[] = {\n");
  ringtalk::proto::oracle::for_every_message(writer, [](const char* name, Bytes frame) {
    std::printf("    {\"%s\",", name);
    for (size_t at = 0; at < frame.size(); at++) {
      if (at % 40 == 0) std::printf("%s\n     \"", at == 0 ? "" : "\"");
      std::printf("%02x", static_cast<unsigned>(frame[at]));
    }
    std::printf("\"},\n");
  });
  std::printf("};\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_corpus DIR | --frames\n");
    return 2;
  }
  if (std::strcmp(argv[1], "--frames") == 0) return print_frames();
  g_directory = argv[1];
  return write_corpus();
}
