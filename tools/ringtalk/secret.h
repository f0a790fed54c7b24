// tools/ringtalk/secret.h: where passwords come from: a prompt without echo, a file, or standard
// input. Never from an argument, which every user of the machine could read.
#pragma once

#include <string>

#include "base/result.h"

namespace ringtalk::tool {

struct SecretError {
  std::string text;
  bool interrupted = false;  // Ctrl-C at the prompt
};

// `file` empty: the terminal or, where standard input is none, its first line. "-": its first line.
// `twice`: at a prompt, ask again and compare.
base::Result<std::string, SecretError> read_password(const std::string& file, bool twice);

}  // namespace ringtalk::tool
